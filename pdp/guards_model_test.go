package pdp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/attack"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/guard"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// application is an application that believes what it is told: it writes what was allowed, and checks nothing. It is the source
// of the facts too.
type application struct {
	mu      sync.Mutex
	t       *testing.T
	world   world
	current *directory.Directory
	earlier []facts.View // the last states, which a cache may still have
	broken  string       // the first rule that a write broke
	writes  int
}

func newApplication(t *testing.T) *application {
	a := &application{t: t, world: world{Locations: []*byID{
		{ID: "metro", Kind: "region", Model: "regional"}, {ID: "north", Kind: "division", Parent: "metro"}, {ID: "south", Kind: "division", Parent: "metro"},
		{ID: "abc", Kind: "facility", Parent: "north"}, {ID: "ghi", Kind: "facility", Parent: "north"},
		{ID: "grp", Kind: "group", Model: "practice_group"}, {ID: "p1", Kind: "practice", Parent: "grp"}}}}
	for i := range 3 {
		a.world.Users = append(a.world.Users,
			&person{ID: fmt.Sprint("admin", i), Default: "metro", Assignments: []assignment{{Location: "metro", Role: "regional_admin"}, {Location: "abc", Role: "ed_normal"}}},
			&person{ID: fmt.Sprint("user", i), Default: "abc", Assignments: []assignment{{Location: "abc", Role: "ed_normal"}, {Location: "ghi", Role: "ed_normal"}}},
			&person{ID: fmt.Sprint("owner", i), Assignments: []assignment{{Location: "grp", Role: "owner"}, {Location: "p1", Role: "owner"}}})
	}
	a.publish()
	return a
}

// publish makes the records the current facts.
func (a *application) publish() {
	text, err := json.Marshal(a.world)
	require.NoError(a.t, err)
	next, err := directory.ParseDocument(text, record.JSON, vocabulary(), a.current)
	if !assert.NoError(a.t, err) {
		return
	}
	a.current = next
	a.earlier = append(a.earlier[max(0, len(a.earlier)-2):], unmoved{next})
}

// unmoved is a directory whose locations never change.
type unmoved struct{ *directory.Directory }

func (unmoved) OrganizationFreshness(*facts.Location) facts.Freshness {
	return facts.Freshness{Version: 1}
}

// View implements [facts.Source]. Facts that need not be current may be those of a short while ago.
func (a *application) View(_ context.Context, need facts.Requirement) (facts.View, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if need.Current {
		return a.earlier[len(a.earlier)-1], nil
	}
	return a.earlier[rand.IntN(len(a.earlier))], nil
}

// write writes a record in time, unless the application has stopped because a rule is broken.
func (a *application) write(deadline time.Time, user string, f func(*person)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken != "" || !time.Now().Before(deadline) {
		return
	}
	f(a.person(user))
	a.writes++
	if a.broken = a.breach(); a.broken == "" {
		a.publish()
	}
}

func (a *application) person(id string) *person {
	return a.world.Users[slices.IndexFunc(a.world.Users, func(p *person) bool { return p.ID == id })]
}

// breach returns the rule that the records break.
func (a *application) breach() string {
	administrators := map[string]int{"regional_admin": 0, "owner": 0}
	for _, p := range a.world.Users {
		at := map[string]bool{}
		for _, one := range p.Assignments {
			if at[one.Location] {
				return "two roles at one location"
			}
			at[one.Location] = true
			if _, counts := administrators[one.Role]; counts && one.Location != "p1" && p.Status != "deactivated" && one.Status != "deactivated" {
				administrators[one.Role]++
			}
		}
		switch {
		case len(at) == 0:
			return "a user without a location"
		case !at["grp"] && !at[p.Default]:
			return "a default that is none of the locations"
		}
	}
	for role, n := range administrators {
		if n == 0 {
			return "an organization without " + role
		}
	}
	return ""
}

// locations returns where somebody is now.
func (a *application) locations(user string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []string
	for _, one := range a.person(user).Assignments {
		all = append(all, one.Location)
	}
	return all
}

// carryOut does to a person what was asked and allowed.
func (a *application) carryOut(q pdp.Request, p *person) {
	was := facts.UserRecord{ID: p.ID, Status: p.Status, DefaultLocation: p.Default}
	for _, one := range p.Assignments {
		was.Assignments = append(was.Assignments, facts.AssignmentRecord{Location: one.Location, Role: one.Role, Status: one.Status})
	}
	is, known := attack.Apply(q, was, a.current.ByID)
	assert.True(a.t, known, q.Action.Name)
	p.Status, p.Default, p.Assignments = is.Status, is.DefaultLocation, nil
	for _, one := range is.Assignments {
		p.Assignments = append(p.Assignments, assignment{Location: one.Location, Role: one.Role, Status: one.Status})
	}
}

// randomChange asks for something that an administrator may want, such as to revoke the power of another.
func (a *application) randomChange(r *rand.Rand) pdp.Request {
	roles := map[string]string{"metro": "regional_admin", "north": "division_admin", "south": "public_health", "abc": "ed_normal", "ghi": "ed_admin"}
	if r.IntN(4) == 0 {
		action := "user.deactivate"
		if r.IntN(2) == 0 {
			action = "user.reactivate"
		}
		return ask(fmt.Sprint("owner", r.IntN(3)), action, "user", fmt.Sprint("owner", r.IntN(3)), "grp", "grp", nil)
	}
	kinds := []string{"admin", "user"}
	subject, user := fmt.Sprint("admin", r.IntN(3)), fmt.Sprint(kinds[r.IntN(2)], r.IntN(3))
	held := a.locations(user)
	from, to := held[r.IntN(len(held))], slices.Sorted(maps.Keys(roles))[r.IntN(len(roles))]
	asks := func(action, place string, properties map[string]any) pdp.Request {
		return ask(subject, action, "user", user, place, "metro", properties)
	}
	switch r.IntN(10) {
	case 0, 1:
		return asks("assignment.remove", from, nil)
	case 2, 3:
		if r.IntN(2) == 0 {
			to = "metro"
		}
		return asks("assignment.add", to, map[string]any{"role": roles[to]})
	case 4:
		return asks("default_location.change", from, nil)
	case 5:
		return asks("assignment.edit", from, map[string]any{"new_location": to, "new_role": roles[to]})
	case 6:
		return asks("user.deactivate", "", nil)
	}
	return asks("user.reactivate", "", nil)
}

// guardedBy makes a change if it is allowed and can be claimed. Where the claim fails it goes on with the fresh decision.
func (a *application) guardedBy(t *testing.T, e *pdp.Engine, q pdp.Request, pause func()) (claimed bool) {
	d, err := e.Decide(t.Context(), withContext(q, "include", []any{"guard"}))
	for range 4 {
		if !assert.NoError(t, err) || !d.Allow {
			return false
		}
		pause()
		var claim pdp.Claim
		claim, err = e.Claim(t.Context(), q, d.Context["guard"].(map[string]any)["token"].(string))
		if err == nil && claim.Refused == "" {
			pause()
			a.write(claim.Expires, q.Resource.ID, func(p *person) { a.carryOut(q, p) })
			return true
		}
		d = claim.Decision
	}
	return false
}

// unguarded makes a change if it is allowed.
func (a *application) unguarded(t *testing.T, e *pdp.Engine, q pdp.Request, pause func()) {
	d, err := e.Decide(t.Context(), q)
	if assert.NoError(t, err) && d.Allow {
		pause()
		a.write(time.Now().Add(time.Hour), q.Resource.ID, func(p *person) { a.carryOut(q, p) })
	}
}

// administrate lets many administrators work at two sidecars, until each has tried so many changes or a rule is broken.
func administrate(t *testing.T, a *application, attempts int, try func(e *pdp.Engine, q pdp.Request, pause func())) {
	claims := &guard.Memory{} // shared, as Redis is
	var all sync.WaitGroup
	for i := range 8 {
		e := pdp.New(pdp.Config{Policy: builtInPolicy(), Source: a, Timeout: time.Minute, Guards: pdp.GuardConfig{Claims: claims, Claim: 5 * time.Millisecond}})
		r := rand.New(rand.NewPCG(uint64(i), 15))
		all.Go(func() {
			for n := range attempts {
				a.mu.Lock()
				broken := a.broken
				a.mu.Unlock()
				if broken != "" {
					return
				}
				try(e, a.randomChange(r), func() { time.Sleep(time.Duration(r.IntN(300)) * time.Microsecond) })
				if n%10 == 0 { // somebody signs in, of which no claim knows
					a.write(time.Now().Add(time.Hour), fmt.Sprint("user", r.IntN(3)), func(p *person) {
						p.LastLogin = time.Now().UTC().Format(time.RFC3339Nano)
					})
				}
			}
		})
	}
	all.Wait()
}

// However many administrators act at a time, by facts that may be old: who claims breaks no rule, and who does not claim does.
func TestManyAdministratorsKeepEveryRule(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	var claimed atomic.Int64
	administrate(t, a, 300, func(e *pdp.Engine, q pdp.Request, pause func()) {
		if a.guardedBy(t, e, q, pause) {
			claimed.Add(1)
		}
	})
	assert.Empty(t, a.broken)
	assert.Greater(t, a.writes, 100)
	assert.Greater(t, claimed.Load(), int64(20))

	a = newApplication(t)
	administrate(t, a, 100_000, func(e *pdp.Engine, q pdp.Request, pause func()) { a.unguarded(t, e, q, pause) })
	assert.NotEmpty(t, a.broken, "without guards no rule was broken: the model does not race")
	t.Logf("with guards %d changes were claimed; without, after %d writes: %s", claimed.Load(), a.writes, a.broken)
}
