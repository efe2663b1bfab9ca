package pdp_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// whole requests a page that holds all hits of a generated world.
var whole = &authzen.Page{Limit: new(1000)}

// searchOf returns a search with the parts of a question.
func searchOf(r pdp.Request, page *authzen.Page) pdp.SearchRequest {
	return pdp.SearchRequest{Subject: r.Subject, Action: r.Action, Resource: r.Resource, Context: r.Context, Page: page}
}

// currentOf returns the current location of a question, given or implied; nil if unknown.
func currentOf(w *world, r pdp.Request) *byID {
	id := text(r.Context["current_location"])
	subject := w.user(r.Subject.ID)
	if id == "" && subject != nil && r.Subject.Type == "user" && len(w.active(subject)) == 1 {
		id = w.active(subject)[0].Location
	}
	return w.byID(id)
}

// The hits must be the users covered by the location of the search for whom the same question is allowed.
func TestUserSearchEqualsBruteForce(t *testing.T) {
	found := map[string]int{}
	forEachQuestion(t, 20, 60, func(t require.TestingT, e *pdp.Engine, w *world, r pdp.Request) {
		if r.Resource.Type != "user" {
			return
		}
		r.Resource.ID = ""
		result, err := e.SearchResources(context.Background(), searchOf(r, whole))
		require.NoError(t, err)
		hits := sortedIDs(result.Hits)
		require.Equal(t, usersFoundBy(t, e, w, r), hits)
		found[r.Action.Name] += len(hits)
	})
	if fewerQuestions() {
		return
	}
	for _, action := range []string{"user.view", "user.edit", "user.view_locations", "assignment.remove", "user.reactivate", "admin.revoke"} {
		assert.NotZero(t, found[action], "no search for %s found anybody", action)
	}
}

func usersFoundBy(t require.TestingT, e *pdp.Engine, w *world, r pdp.Request) []string {
	current := currentOf(w, r)
	ids := []string{}
	if current == nil {
		return ids
	}
	within := current
	if named := r.Resource.Properties["location"]; named != nil && named != "" {
		within = w.byID(text(named)) // a value that is not a string names no location
	}
	if within == nil || w.root(within) != w.root(current) {
		return ids // other organizations are treated as if they did not exist
	}
	r.Resource.Properties = maps.Clone(r.Resource.Properties)
	delete(r.Resource.Properties, "location")
	for _, u := range w.Users {
		r.Resource.ID = u.ID
		covered := slices.ContainsFunc(u.Assignments, func(a assignment) bool { return w.covers(within, w.byID(a.Location)) })
		if covered && decide(t, e, r).Allow {
			ids = append(ids, u.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// The hits must be the locations for which the same question is allowed.
func TestLocationSearchEqualsBruteForce(t *testing.T) {
	properties := map[string][]map[string]any{
		"location.switch": {nil}, "user.list": {nil}, "incident.view": {nil}, "summary.view": {nil},
		"area.access":      {{"area": "calendars"}, {"area": "users"}, nil},
		"entity.create":    {nil},
		"entity.associate": {{"system": "s0"}, {"system": "s1"}, nil}, "entity.dissociate": {nil},
	}
	found := map[string]int{}
	forEachQuestion(t, 10, 8, func(t require.TestingT, e *pdp.Engine, w *world, r pdp.Request) {
		r.Resource = authzen.Entity{Type: "location"}
		for _, u := range w.Users { // sometimes the vendor's staff asks
			if u.at("vendor") != nil && r.Context["confirmed"] == true {
				r.Subject.ID = u.ID
				r.Context = map[string]any{"current_location": "vendor"}
			}
		}
		for action, choices := range properties {
			for _, p := range choices {
				r.Action = authzen.Action{Name: action, Properties: p}
				result, err := e.SearchResources(context.Background(), searchOf(r, whole))
				require.NoError(t, err)
				require.Equal(t, locationsFoundBy(t, e, w, r), names(result.Hits), "%s %v", action, p)
				found[action] += len(result.Hits)
			}
		}
	})
	if fewerQuestions() {
		return
	}
	for action := range properties {
		if action != "entity.create" { // entity.create is about locations that do not exist yet
			assert.NotZero(t, found[action], "no search for %s found any", action)
		}
	}
	assert.Zero(t, found["entity.create"])
}

func locationsFoundBy(t require.TestingT, e *pdp.Engine, w *world, r pdp.Request) []string {
	ids := []string{}
	for _, l := range w.Locations {
		r.Resource.ID = l.ID
		if decide(t, e, r).Allow {
			ids = append(ids, l.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// Searches for unknown types, ids and actions have no hits and no error.
func TestSearchForTheUnknownIsEmpty(t *testing.T) {
	w := generate(1)
	engine := over(t, w)
	somebody := authzen.Entity{Type: "user", ID: "u00"}
	for name, find := range map[string]func(context.Context, pdp.SearchRequest) (pdp.SearchResult, error){
		"subject": engine.SearchSubjects, "resource": engine.SearchResources, "action": engine.SearchActions,
	} {
		for _, r := range []pdp.SearchRequest{
			{Subject: authzen.Entity{Type: "service", ID: "u00"}, Action: authzen.Action{Name: "user.view"}, Resource: somebody},
			{Subject: authzen.Entity{Type: "service", ID: "u00"}, Action: authzen.Action{Name: "location.switch"},
				Resource: authzen.Entity{Type: "location", ID: "r0"}},
			{Subject: authzen.Entity{Type: "user", ID: "nobody"}, Action: authzen.Action{Name: "user.View"}, Resource: somebody},
			{Subject: somebody, Action: authzen.Action{Name: "user.view"}, Resource: authzen.Entity{Type: "nonsense", ID: "nonsense"}},
			{Subject: somebody, Action: authzen.Action{Name: "nonsense"}, Resource: somebody},
			{Subject: authzen.Entity{Type: "user", ID: "nobody"}, Action: authzen.Action{Name: "location.switch"},
				Resource: authzen.Entity{Type: "location", ID: "nonsense"}},
			{Subject: authzen.Entity{Type: "user", ID: "nobody"}, Action: authzen.Action{Name: "nonsense"},
				Resource: authzen.Entity{Type: "user", ID: "nobody"}, Context: map[string]any{"current_location": "nonsense"}},
		} {
			result, err := find(context.Background(), r)
			require.NoError(t, err, "%s %s", name, show(r))
			if name != "action" || r.Subject.ID != "u00" || r.Subject.Type != "user" || r.Resource.Type != "user" {
				require.Empty(t, result.Hits, "%s %s", name, show(r))
			}
			require.NotNil(t, result.Hits)
			require.Nil(t, result.Page)
		}
	}
}

func TestSearchWithoutSourceIsEmpty(t *testing.T) {
	engine := withSource(t, nil)
	for _, r := range []pdp.Request{
		ask("u00", "user.view", "user", "u01", "", "r0", nil),
		ask("u00", "location.switch", "location", "r0", "", "r0", nil),
	} {
		require.False(t, decide(t, engine, r).Allow)
		for _, find := range []func(context.Context, pdp.SearchRequest) (pdp.SearchResult, error){
			engine.SearchSubjects, engine.SearchResources, engine.SearchActions,
		} {
			result, err := find(context.Background(), searchOf(r, nil))
			require.NoError(t, err)
			require.Empty(t, result.Hits)
		}
	}
}
