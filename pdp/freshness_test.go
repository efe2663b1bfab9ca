package pdp_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
)

// recordingSource records the requirements of its callers. It knows only tokens that begin with "t".
type recordingSource struct {
	view  facts.View
	mu    sync.Mutex
	needs []facts.Requirement
}

func (n *recordingSource) View(_ context.Context, need facts.Requirement) (facts.View, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, token := range need.AtLeast {
		if !strings.HasPrefix(token, "t") {
			return nil, &pdp.Error{Kind: pdp.Invalid, Message: "That is no token."}
		}
	}
	n.needs = append(n.needs, need)
	return n.view, nil
}

// last returns the requirement of the last view.
func (n *recordingSource) last(t require.TestingT) facts.Requirement {
	require.NotEmpty(t, n.needs)
	need := n.needs[len(n.needs)-1]
	n.needs = nil
	return need
}

const clinics = `{"locations": [
 {"id": "sisters", "kind": "system", "model": "health_system", "plan": "paid"}, {"id": "mercy", "kind": "entity", "parent": "sisters"},
 {"id": "alone", "kind": "entity", "model": "health_system", "plan": "paid"},
 {"id": "acme", "kind": "vendor", "model": "vendor"}],
"users": [
 {"id": "boss", "username": "boss@example.org", "assignments": [{"location": "mercy", "role": "entity_admin"}]},
 {"id": "mia", "username": "mia@example.org", "assignments": [{"location": "mercy", "role": "user"}]},
 {"id": "otto", "username": "otto@example.org", "assignments": [{"location": "alone", "role": "user"}]},
 {"id": "both", "username": "both@example.org", "assignments": [{"location": "alone", "role": "user"}, {"location": "mercy", "role": "user"}]},
 {"id": "free", "username": "free@example.org"},
 {"id": "vera", "assignments": [{"location": "acme", "role": "vendor_staff"}]}]}`

func sourced(t *testing.T) (*pdp.Engine, *recordingSource) {
	t.Helper()
	d, err := directory.Parse([]byte(clinics), vocabulary())
	require.NoError(t, err)
	source := &recordingSource{view: dated{d}}
	return withSource(t, source), source
}

// dated is a view with a different freshness for each record.
type dated struct{ facts.View }

func (dated) UserFreshness(u *facts.User) facts.Freshness {
	return facts.Freshness{Version: uint64(len(u.ID())), AsOf: time.Now().Add(time.Hour), Confirmed: u.ID() == "mia"}
}

func (dated) OrganizationFreshness(root *facts.Location) facts.Freshness {
	return facts.Freshness{Version: pdp.MaxVersion, AsOf: time.Now().Add(-time.Hour), Confirmed: true}
}

// withContext returns a question with one more member in its context.
func withContext(r pdp.Request, name string, value any) pdp.Request {
	r.Context = with(r.Context, map[string]any{name: value})
	return r
}

// An action that is not in the catalogue requires the freshest facts.
func TestRequirementFollowsTheCatalogue(t *testing.T) {
	t.Parallel()
	engine, source := sourced(t)
	uses := 0
	for _, action := range append(allActions(), "", "unheard.of") {
		r := ask("boss", action, typeOf(action), "mia", "", "mercy", nil)
		decide(t, engine, r)
		want := facts.Requirement{ReadOnly: builtInPolicy().ReadOnly(action)}
		require.Equal(t, want, source.last(t), action)
		_, err := engine.Data(t.Context(), pdp.DataRequest{Decision: true, Inputs: []pdp.DataInput{sent(t, show(withContext(r, "at_least", "t1")))}})
		require.NoError(t, err)
		if want.AtLeast = []string{"t1"}; action == "" {
			want.AtLeast = nil // without an action, it is not a question
		}
		require.Equal(t, want, source.last(t), action)
		for name, find := range map[string]find{"subjects": engine.SearchSubjects, "resources": engine.SearchResources} {
			_, err := find(t.Context(), searchOf(withContext(r, "at_least", "t2"), nil))
			require.NoError(t, err)
			require.Equal(t, facts.Requirement{ReadOnly: want.ReadOnly, AtLeast: []string{"t2"}}, source.last(t), "%s: %s", name, action)
		}
		if want.ReadOnly {
			uses++
		}
	}
	require.NotZero(t, uses)
	_, err := engine.SearchActions(t.Context(), searchOf(withContext(ask("boss", "user.view", "user", "mia", "", "mercy", nil), "at_least", "t3"), nil))
	require.NoError(t, err)
	require.Equal(t, facts.Requirement{AtLeast: []string{"t3"}}, source.last(t), "an action search is about all actions")
	_, err = engine.Data(t.Context(), pdp.DataRequest{Path: []string{"authz", "catalogue"}, Inputs: []pdp.DataInput{{}}})
	require.NoError(t, err)
	require.Equal(t, facts.Requirement{}, source.last(t), "an input that is not a question requires the freshest facts")
}

func TestBatchRequiresTheFreshestOfItsQuestions(t *testing.T) {
	view := ask("boss", "user.view", "user", "mia", "", "mercy", nil)
	change := ask("boss", "user.edit", "user", "mia", "", "mercy", nil)
	for name, c := range map[string]struct {
		asked []pdp.Request
		want  facts.Requirement
	}{
		"read-only alone":    {[]pdp.Request{view, view}, facts.Requirement{ReadOnly: true}},
		"a change among":     {[]pdp.Request{view, change, view}, facts.Requirement{}},
		"a change first":     {[]pdp.Request{change, view}, facts.Requirement{}},
		"a token":            {[]pdp.Request{view, withContext(view, "at_least", "t1")}, facts.Requirement{ReadOnly: true, AtLeast: []string{"t1"}}},
		"tokens":             {[]pdp.Request{withContext(change, "at_least", "t1"), withContext(view, "at_least", "t2")}, facts.Requirement{AtLeast: []string{"t1", "t2"}}},
		"a token twice":      {[]pdp.Request{withContext(view, "at_least", "t1"), withContext(view, "at_least", "t1")}, facts.Requirement{ReadOnly: true, AtLeast: []string{"t1"}}},
		"null is no token":   {[]pdp.Request{withContext(view, "at_least", nil), view}, facts.Requirement{ReadOnly: true}},
		"a malformed change": {[]pdp.Request{view, withContext(change, "at_least", "")}, facts.Requirement{ReadOnly: true}},
	} {
		t.Run(name, func(t *testing.T) {
			engine, source := sourced(t)
			var items []pdp.Item
			r := pdp.DataRequest{Decision: true}
			for _, q := range c.asked {
				items = append(items, pdp.Item{Request: q})
				r.Inputs = append(r.Inputs, sent(t, show(q)))
			}
			items = append(items, pdp.Item{Err: context.Canceled, Request: change}) // an item that could not be read requires nothing
			_, err := engine.DecideAll(t.Context(), items, authzen.ExecuteAll)
			require.NoError(t, err)
			require.Equal(t, c.want, source.last(t))
			_, err = engine.Data(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, c.want, source.last(t))
		})
	}
}

// A token that is malformed or unknown to the source fails its own question; the other questions of the batch are
// answered.
func TestInvalidTokenFailsItsQuestionAlone(t *testing.T) {
	view := ask("boss", "user.view", "user", "mia", "", "mercy", nil)
	for name, token := range map[string]any{
		"empty": "", "too long": "t" + strings.Repeat("x", 256), "a number": json.Number("5"), "a list": []any{"t1"}, "an object": map[string]any{},
		"false": false, "not the source's": "garbage",
	} {
		t.Run(name, func(t *testing.T) {
			engine, source := sourced(t)
			bad := withContext(view, "at_least", token)
			_, err := engine.Decide(t.Context(), bad)
			require.Equal(t, pdp.Invalid, pdp.KindOf(err))
			for _, find := range []find{engine.SearchSubjects, engine.SearchResources, engine.SearchActions} {
				_, err := find(t.Context(), searchOf(bad, nil))
				require.Equal(t, pdp.Invalid, pdp.KindOf(err))
			}

			items := []pdp.Item{{Request: view}, {Request: bad}, {Err: context.Canceled}, {Request: withContext(view, "at_least", "t1")}, {Request: bad}}
			outcomes, err := engine.DecideAll(t.Context(), items, authzen.ExecuteAll)
			require.NoError(t, err)
			for i, invalid := range []bool{false, true, false, false, true} {
				switch {
				case i == 2:
					require.Equal(t, context.Canceled, outcomes[i].Err)
				case invalid:
					require.Equal(t, pdp.Invalid, pdp.KindOf(outcomes[i].Err), i)
					require.False(t, outcomes[i].Decision.Allow)
				default:
					require.NoError(t, outcomes[i].Err, i)
					require.True(t, outcomes[i].Decision.Allow, i)
				}
			}
			require.Equal(t, facts.Requirement{ReadOnly: true, AtLeast: []string{"t1"}}, source.last(t), "the tokens of the other questions count")

			result, err := engine.Data(t.Context(), pdp.DataRequest{Decision: true, Inputs: []pdp.DataInput{{}, sent(t, show(bad)), sent(t, show(view))}})
			require.NoError(t, err)
			require.NoError(t, result.Answers[0].Err)
			require.Equal(t, pdp.Invalid, pdp.KindOf(result.Answers[1].Err))
			require.Equal(t, "user.view", result.Answers[1].Action)
			require.Nil(t, result.Answers[1].Decision)
			require.True(t, result.Answers[2].Decision.Allow)
		})
	}
	// A malformed token is an error even without a source.
	bare := pdp.New(pdp.Config{Timeout: time.Minute, Policy: builtInPolicy()})
	_, err := bare.Decide(t.Context(), withContext(view, "at_least", json.Number("5")))
	require.Equal(t, pdp.Invalid, pdp.KindOf(err))
}

// freshnessRecords returns the records of an answer's freshness as TYPE/ID; nil if the answer has no freshness.
func freshnessRecords(t *testing.T, d pdp.Decision) []string {
	t.Helper()
	answer, ok := d.Context["freshness"].(map[string]any)
	if !ok {
		require.NotContains(t, d.Context, "freshness")
		return nil
	}
	require.Equal(t, builtInPolicy().Revision().ID, answer["revision"])
	names := []string{}
	records, _ := answer["records"].([]any)
	for _, record := range records {
		r := record.(map[string]any)
		names = append(names, r["type"].(string)+"/"+r["id"].(string))
	}
	return names
}

func TestFreshnessIsIncludedOnRequest(t *testing.T) {
	engine, _ := sourced(t)
	fresh := []any{"freshness"}
	view := ask("boss", "user.view", "user", "mia", "", "mercy", nil)
	d := decide(t, engine, withContext(view, "include", fresh))
	require.True(t, d.Allow)
	records := d.Context["freshness"].(map[string]any)["records"].([]any)
	age := records[0].(map[string]any)["age_ms"].(int)
	assert.InDelta(t, time.Hour.Milliseconds(), age, float64(10*time.Minute.Milliseconds()))
	records[0].(map[string]any)["age_ms"] = 0
	require.Equal(t, map[string]any{"freshness": map[string]any{
		"revision": builtInPolicy().Revision().ID,
		"records": []any{
			map[string]any{"type": "organization", "id": "sisters", "version": 1<<53 - 1, "vouched": true, "age_ms": 0},
			map[string]any{"type": "user", "id": "boss", "version": 4, "vouched": false, "age_ms": 0}, // AsOf is in the future
			map[string]any{"type": "user", "id": "mia", "version": 3, "vouched": true, "age_ms": 0},
		},
	}}, d.Context)

	for name, include := range map[string]any{
		"absent": nil, "empty": []any{}, "others": []any{"reasons", json.Number("1")}, "a text": "freshness", "an object": map[string]any{"freshness": true},
		"another case": []any{"Freshness"},
	} {
		d := decide(t, engine, withContext(view, "include", include))
		require.True(t, d.Allow, name)
		require.Nil(t, d.Context, name)
	}
	require.NotNil(t, freshnessRecords(t, decide(t, engine, withContext(view, "include", []any{"x", "freshness", "freshness"}))))

	bare := pdp.New(pdp.Config{Timeout: time.Minute, Policy: builtInPolicy()})
	require.Nil(t, decide(t, bare, withContext(view, "include", fresh)).Context, "without a source there is no freshness")

	outcomes, err := engine.DecideAll(t.Context(), []pdp.Item{{Request: view}, {Request: withContext(view, "include", fresh)},
		{Request: withContext(ask("nobody", "user.view", "user", "mia", "", "mercy", nil), "include", fresh)}}, authzen.ExecuteAll)
	require.NoError(t, err)
	require.Nil(t, freshnessRecords(t, outcomes[0].Decision))
	require.Equal(t, []string{"organization/sisters", "user/boss", "user/mia"}, freshnessRecords(t, outcomes[1].Decision))
	require.False(t, outcomes[2].Decision.Allow)
	require.Empty(t, freshnessRecords(t, outcomes[2].Decision), "an unknown subject learns of nothing")
}

// Freshness must not reveal what the answer itself must not reveal about a user or an organization.
func TestFreshnessDoesNotLeakOtherRecords(t *testing.T) {
	t.Parallel()
	engine, _ := sourced(t)
	always := []string{"organization/sisters", "user/boss"}
	of := func(action, user, place, current string, properties map[string]any) pdp.Decision {
		r := withContext(ask("boss", action, "user", user, place, current, properties), "include", []any{"freshness"})
		return decide(t, engine, r)
	}
	for _, c := range []struct {
		name    string
		d       pdp.Decision
		allow   bool
		code    string
		records []string
	}{
		{"a member", of("user.view", "mia", "", "mercy", nil), true, "", append(always, "user/mia")},
		{"a member of another one too", of("user.view", "both", "", "mercy", nil), true, "", append(always, "user/both")},
		{"oneself", of("user.view", "boss", "", "mercy", nil), true, "", always},
		{"without a standing", of("user.view", "mia", "", "", nil), true, "", append(always, "user/mia")},
		{"a member, denied", of("admin.revoke", "mia", "", "mercy", map[string]any{"role": "entity_admin"}), false, "not_assigned", append(always, "user/mia")},
		{"of another organization", of("user.view", "otto", "", "mercy", nil), false, "unknown_user", always},
		{"of none", of("user.view", "free", "", "mercy", nil), false, "unknown_user", always},
		{"nobody", of("user.view", "nobody", "", "mercy", nil), false, "unknown_user", always},
		{"a username", of("user.view", "mia@example.org", "", "mercy", nil), false, "unknown_user", always},
		{"a place elsewhere", of("user.view", "mia", "alone", "mercy", nil), false, "other_organization", always},
		{"a place nowhere", of("user.view", "mia", "nowhere", "mercy", nil), false, "unknown_location", always},
		{"a standing elsewhere", of("user.view", "otto", "", "alone", nil), false, "not_at_current_location", []string{"user/boss"}},
		{"no such action", of("user.unheard", "mia", "", "mercy", nil), false, "unknown_action", []string{}},
		{"an invitation of a member", of("user.invite", "mia", "", "mercy", nil), false, "already_assigned", always},
		{"a standing nowhere", of("user.view", "mia", "mercy", "nowhere", nil), false, "unknown_location", []string{"user/boss"}},
		{"an invitation of a stranger", of("user.invite", "otto@example.org", "", "mercy", nil), false, "unknown_user", always},
		{"of somebody without any", of("user.invite", "free", "", "mercy", nil), true, "", always},
		{"of somebody without any, by the username", of("user.invite", "free@example.org", "", "mercy", nil), true, "", always},
		{"of a member, by the username", of("user.invite", "mia@example.org", "", "mercy", nil), false, "already_assigned", always},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.allow, c.d.Allow, show(c.d))
			if c.code != "" {
				require.Equal(t, c.code, c.d.Reasons[0].(map[string]any)["code"], show(c.d))
			}
			require.Equal(t, c.records, freshnessRecords(t, c.d))
		})
	}

	// An invitation of an existing user gets the same answer whether the user is named by id or username, here or
	// elsewhere.
	var first string
	for _, c := range []struct{ id, username string }{
		{"mia", "new@example.org"}, {"otto", "new@example.org"}, {"free", "new@example.org"}, {"both", "new@example.org"},
		{"new", "MIA@example.org"}, {"new", "otto@example.org"}, {"mia@example.org", "new@example.org"},
	} {
		d := of("user.invite", c.id, "", "mercy", map[string]any{"new": true, "username": c.username})
		require.Equal(t, always, freshnessRecords(t, d), c)
		for _, record := range d.Context["freshness"].(map[string]any)["records"].([]any) {
			record.(map[string]any)["age_ms"] = 0
		}
		answer := show(d)
		require.Contains(t, answer, "existing_user")
		if first == "" {
			first = answer
		}
		require.Equal(t, first, answer, c)
	}
}

func TestFreshnessKeepsThePolicysContext(t *testing.T) {
	d, err := directory.Parse([]byte(clinics), vocabulary())
	require.NoError(t, err)
	files := fstest.MapFS{"app.rego": {Data: []byte("package app\n\ndecision := {\"allow\": true, \"context\": {\"own\": [1], \"freshness\": \"its own\"}}\n")}}
	engine := pdp.New(pdp.Config{Timeout: time.Minute, Policy: prepared(t, open(t, files, "app/decision")), Source: fixed{dated{d}}})
	r := ask("boss", "read", "doc", "1", "", "mercy", nil)
	plain := decide(t, engine, r)
	require.Equal(t, "its own", plain.Context["freshness"])
	answer := decide(t, engine, withContext(r, "include", []any{"freshness"}))
	require.Equal(t, plain.Context["own"], answer.Context["own"])
	require.IsType(t, map[string]any{}, answer.Context["freshness"], "what the question asked for replaces the policy's own")
	require.Equal(t, plain, decide(t, engine, r), "and is in no other answer")
}
