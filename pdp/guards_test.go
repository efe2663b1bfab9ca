package pdp_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/guard"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

const region = `{"locations": [
 {"id": "metro", "kind": "region", "model": "regional"}, {"id": "north", "kind": "division", "parent": "metro"},
 {"id": "abc", "kind": "facility", "parent": "north"}, {"id": "ghi", "kind": "facility", "parent": "north"},
 {"id": "sisters", "kind": "system", "model": "health_system", "plan": "paid"}, {"id": "mercy", "kind": "entity", "parent": "sisters"},
 {"id": "alone", "kind": "entity", "model": "health_system", "plan": "paid"}, {"id": "acme", "kind": "vendor", "model": "vendor"}],
"users": [
 {"id": "alice", "default_location": "metro", "assignments": [{"location": "metro", "role": "regional_admin"}]},
 {"id": "rafael", "default_location": "metro", "assignments": [{"location": "metro", "role": "regional_admin"}, {"location": "abc", "role": "ed_normal"}]},
 {"id": "jane", "default_location": "north", "assignments": [{"location": "north", "role": "public_health"}, {"location": "abc", "role": "ed_normal"}, {"location": "ghi", "role": "ed_normal"}]},
 {"id": "boss", "username": "boss@example.org", "assignments": [{"location": "mercy", "role": "entity_admin"}]},
 {"id": "vera", "assignments": [{"location": "acme", "role": "vendor_staff"}]}]}`

// guarded is an engine with guards over a directory that the test changes.
type guarded struct {
	*pdp.Engine
	source  *replaceable
	current *directory.Directory
	needs   []facts.Requirement
	onView  func(facts.Requirement)
}

func (g *guarded) View(ctx context.Context, need facts.Requirement) (facts.View, error) {
	g.needs = append(g.needs, need)
	if g.onView != nil {
		g.onView(need)
	}
	return g.source.View(ctx, need)
}

// change replaces a text of the directory.
func (g *guarded) write(t *testing.T, text string) {
	t.Helper()
	next, err := directory.ParseDocument([]byte(text), record.JSON, vocabulary(), g.current)
	require.NoError(t, err)
	g.current = next
	g.source.set(next)
}

func newGuarded(t *testing.T, cfg pdp.GuardConfig) *guarded {
	t.Helper()
	g := &guarded{source: &replaceable{}}
	g.write(t, region)
	g.Engine = pdp.New(pdp.Config{Policy: builtInPolicy(), Source: g, Timeout: time.Minute, Guards: cfg})
	return g
}

// ask asks for a guard.
func (g *guarded) ask(t *testing.T, ctx context.Context, r pdp.Request) (token string, records any) {
	t.Helper()
	d, err := g.Decide(ctx, withContext(r, "include", []any{"guard"}))
	require.NoError(t, err)
	require.True(t, d.Allow, show(d))
	given, _ := d.Context["guard"].(map[string]any)
	token, _ = given["token"].(string)
	return token, given["records"]
}

func (g *guarded) claim(t *testing.T, r pdp.Request, token string) pdp.Claim {
	t.Helper()
	c, err := g.Claim(t.Context(), r, token)
	require.NoError(t, err)
	return c
}

func remove(subject, user, location string) pdp.Request {
	return ask(subject, "assignment.remove", "user", user, location, "metro", nil)
}

// entry is a record of a guard as a caller reads it.
func entry(kind, id string, exclusive bool) map[string]any {
	e := map[string]any{"type": kind, "id": id, "version": 1}
	if exclusive {
		e["exclusive"] = true
	}
	return e
}

func TestGuardNamesWhatAChangeStandsOn(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, pdp.GuardConfig{})
	metro, alice := entry("organization", "metro", false), entry("user", "alice", false)
	for _, c := range []struct {
		r    pdp.Request
		want []any
	}{
		{remove("alice", "jane", "abc"), []any{metro, alice, entry("user", "jane", true)}},
		{ask("rafael", "default_location.change", "user", "rafael", "abc", "metro", nil), []any{metro, entry("user", "rafael", true)}},
		{ask("boss", "user.invite", "user", "new@example.org", "mercy", "mercy", map[string]any{"new": true, "username": "new@example.org", "role": "user"}),
			[]any{entry("organization", "sisters", false), entry("user", "boss", false)}},
		{ask("vera", "entity.create", "location", "grace", "", "acme", nil), []any{entry("organization", "acme", false), entry("user", "vera", false)}},
	} {
		token, records := g.ask(t, t.Context(), c.r)
		assert.NotEmpty(t, token)
		assert.Equal(t, c.want, records, show(c.r))
	}
	for name, r := range map[string]pdp.Request{
		"a denial": remove("alice", "jane", "north"), "a change of nothing": ask("alice", "user.view", "user", "jane", "", "metro", nil),
	} {
		d := decide(t, g.Engine, withContext(r, "include", []any{"guard"}))
		assert.NotContains(t, d.Context, "guard", name)
	}
	assert.NotContains(t, decide(t, g.Engine, remove("alice", "jane", "abc")).Context, "guard", "nobody asked for it")
}

// Each pair must not be made together, so only one of them can be claimed.
func TestChangesThatExcludeEachOther(t *testing.T) {
	t.Parallel()
	invite := func(id, username string) pdp.Request {
		return ask("boss", "user.invite", "user", id, "mercy", "mercy", map[string]any{"new": true, "username": username, "role": "user"})
	}
	vendor := func(action, location string, properties map[string]any) pdp.Request {
		return ask("vera", action, "location", location, "", "acme", properties)
	}
	for _, c := range []struct {
		why           string
		first, second pdp.Request
		exclude       bool
	}{
		{"two of a user's locations", remove("alice", "jane", "abc"), remove("rafael", "jane", "ghi"), true},
		{"a location and the default", remove("alice", "jane", "abc"), ask("rafael", "default_location.change", "user", "jane", "abc", "metro", nil), true},
		{"two administrators remove each other", ask("alice", "user.deactivate", "user", "rafael", "", "metro", nil),
			ask("rafael", "user.deactivate", "user", "alice", "", "metro", nil), true},
		{"an administrator who is about to lose it", remove("alice", "jane", "abc"), ask("rafael", "user.deactivate", "user", "alice", "", "metro", nil), true},
		{"one new username", invite("n1", "New@example.org"), invite("n2", "new@example.org"), true},
		{"one new id", invite("n1", "a@example.org"), invite("n1", "b@example.org"), true},
		{"one new location", vendor("entity.create", "grace", nil), vendor("entity.create", "grace", nil), true},
		{"an organization that is about to join", vendor("entity.associate", "alone", map[string]any{"system": "sisters"}), invite("n1", "a@example.org"), true},
		{"different users", remove("alice", "jane", "abc"), ask("alice", "user.deactivate", "user", "rafael", "", "metro", nil), false},
		{"different new users", invite("n1", "a@example.org"), invite("n2", "b@example.org"), false},
	} {
		for range 2 {
			g := newGuarded(t, pdp.GuardConfig{})
			first, _ := g.ask(t, t.Context(), c.first)
			second, _ := g.ask(t, t.Context(), c.second)
			require.Empty(t, g.claim(t, c.first, first).Refused, c.why)
			want := ""
			if c.exclude {
				want = pdp.ClaimTaken
			}
			assert.Equal(t, want, g.claim(t, c.second, second).Refused, c.why)
			c.first, c.second = c.second, c.first
		}
	}
}

func TestClaim(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, pdp.GuardConfig{})
	r, other := remove("alice", "jane", "abc"), remove("rafael", "jane", "ghi")
	token, _ := g.ask(t, t.Context(), r)
	rival, _ := g.ask(t, t.Context(), other)

	c := g.claim(t, withContext(r, "at_least", nil), token)
	require.Empty(t, c.Refused)
	assert.True(t, c.Decision.Allow)
	assert.WithinDuration(t, time.Now().Add(10*time.Second), c.Expires, 10*time.Second)
	assert.NotContains(t, c.Decision.Context["guard"], "token", "there is nothing left to claim")
	assert.True(t, g.needs[len(g.needs)-1].Current, "it is decided by what the source has now")

	c = g.claim(t, r, token)
	assert.Equal(t, pdp.ClaimTaken, c.Refused, "it succeeds once")
	assert.Positive(t, c.Wait)
	c = g.claim(t, other, rival)
	assert.Equal(t, pdp.ClaimTaken, c.Refused)
	assert.True(t, c.Decision.Allow)

	// The first change is made: the second one stood on another version, and its guard is of no use any more.
	g.write(t, strings.Replace(region, `{"location": "abc", "role": "ed_normal"}, {"location": "ghi"`, `{"location": "ghi"`, 1))
	c = g.claim(t, other, rival)
	assert.Equal(t, pdp.ClaimChanged, c.Refused)
	again := c.Decision.Context["guard"].(map[string]any)["token"].(string)
	require.Empty(t, g.claim(t, other, again).Refused, "the fresh decision has a guard that can be claimed at once")

	// The last location: denied now.
	g.write(t, strings.NewReplacer(`{"location": "abc", "role": "ed_normal"}, {"location": "ghi", "role": "ed_normal"}`, `{"location": "ghi", "role": "ed_normal"}`,
		`{"location": "north", "role": "public_health"}, `, ``, `"default_location": "north"`, `"default_location": "ghi"`).Replace(region))
	c = g.claim(t, other, again)
	assert.Equal(t, pdp.ClaimDenied, c.Refused)
	assert.Contains(t, codesOf(c.Decision), "only_location")
	assert.NotContains(t, c.Decision.Context, "guard")
}

func codesOf(d pdp.Decision) (codes []string) {
	for _, reason := range d.Reasons {
		codes = append(codes, reason.(map[string]any)["code"].(string))
	}
	return codes
}

func TestGuardIsBoundToQuestionAndCaller(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, pdp.GuardConfig{})
	asking := func(name string, proven bool) context.Context {
		return pdp.WithCaller(t.Context(), pdp.Caller{Name: name, Proven: proven})
	}
	r := remove("alice", "jane", "abc")
	token, _ := g.ask(t, asking("portal", true), r)
	confirmed := withContext(r, "confirmed", true)
	for name, attempt := range map[string]struct {
		ctx   context.Context
		r     pdp.Request
		token string
	}{
		"another caller":                   {asking("other", true), r, token},
		"a caller that has proven nothing": {asking("portal", false), r, token},
		"nobody":                           {t.Context(), r, token},
		"another subject":                  {asking("portal", true), remove("rafael", "jane", "abc"), token},
		"another place":                    {asking("portal", true), remove("alice", "jane", "ghi"), token},
		"another user":                     {asking("portal", true), remove("alice", "rafael", "abc"), token},
		"another action":                   {asking("portal", true), ask("alice", "default_location.change", "user", "jane", "abc", "metro", nil), token},
		"a confirmation":                   {asking("portal", true), confirmed, token},
		"no token":                         {asking("portal", true), r, ""},
		"one that was changed":             {asking("portal", true), r, "A" + strings.Repeat("A", len(token)-1)},
		"one with something after it":      {asking("portal", true), r, token + "A"},
		"one with a line break":            {asking("portal", true), r, token[:len(token)-1] + "\n"},
	} {
		_, err := g.Claim(attempt.ctx, attempt.r, attempt.token)
		assert.Equal(t, pdp.Invalid, pdp.KindOf(err), name)
	}
	other := newGuarded(t, pdp.GuardConfig{})
	_, err := other.Claim(asking("portal", true), r, token)
	assert.Equal(t, pdp.Invalid, pdp.KindOf(err), "without a fleet key, the guard of another process")
	c, err := g.Claim(asking("portal", true), withContext(r, "include", []any{"freshness"}), token)
	require.NoError(t, err)
	assert.Empty(t, c.Refused, "what else the question asks for does not matter")
}

func TestGuardExpires(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, pdp.GuardConfig{Lifetime: time.Nanosecond, Claim: time.Nanosecond})
	r := remove("alice", "jane", "abc")
	token, _ := g.ask(t, t.Context(), r)
	assert.Equal(t, pdp.ClaimExpired, g.claim(t, r, token).Refused)

	g = newGuarded(t, pdp.GuardConfig{Claim: time.Nanosecond})
	token, _ = g.ask(t, t.Context(), r)
	for range 3 {
		assert.Empty(t, g.claim(t, r, token).Refused, "nobody made the change, and the claim has expired")
	}
}

// What changes after the records were taken, or cannot be found out, gives them back.
func TestClaimThatFailsTakesNothing(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, pdp.GuardConfig{})
	r := remove("alice", "jane", "abc")
	token, _ := g.ask(t, t.Context(), r)
	changed := strings.Replace(region, `"default_location": "north"`, `"default_location": "ghi"`, 1)
	g.onView = func(need facts.Requirement) {
		if need.Current {
			g.write(t, changed)
		}
	}
	c := g.claim(t, r, token)
	assert.Equal(t, pdp.ClaimChanged, c.Refused)
	g.onView = nil
	token = c.Decision.Context["guard"].(map[string]any)["token"].(string)
	assert.Empty(t, g.claim(t, r, token).Refused)

	broken := newGuarded(t, pdp.GuardConfig{Claims: unreachable{}})
	token, _ = broken.ask(t, t.Context(), r)
	_, err := broken.Claim(t.Context(), r, token)
	assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
}

// unreachable are claims that cannot be reached.
type unreachable struct{}

func (unreachable) Claim(context.Context, string, []guard.Lock, time.Duration) (time.Duration, error) {
	return 0, errors.New("down")
}

func (unreachable) Release(context.Context, string, []guard.Lock) error { return errors.New("down") }

// A sign-in moves the version of a user, and must not let a second change through before the first one is made.
func TestSignInDoesNotEndAClaim(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, pdp.GuardConfig{})
	first, second := remove("alice", "jane", "abc"), remove("rafael", "jane", "ghi")
	token, _ := g.ask(t, t.Context(), first)
	require.Empty(t, g.claim(t, first, token).Refused)
	g.write(t, strings.Replace(region, `{"id": "jane", `, `{"id": "jane", "last_login": "2026-03-02T07:41:00Z", `, 1))
	token, _ = g.ask(t, t.Context(), second)
	assert.Equal(t, pdp.ClaimTaken, g.claim(t, second, token).Refused)
}

func TestClaimIsRecordedAsADecision(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, pdp.GuardConfig{})
	kept := &recorder{}
	g.Engine = pdp.New(pdp.Config{Policy: builtInPolicy(), Source: g, Timeout: time.Minute, Recorder: kept})
	r := remove("alice", "jane", "abc")
	token, _ := g.ask(t, t.Context(), r)
	require.Empty(t, g.claim(t, r, token).Refused)
	require.Len(t, kept.calls, 2)
	assert.Equal(t, r, kept.calls[1][0].Question)
	assert.True(t, kept.calls[1][0].Decision.Allow)
}
