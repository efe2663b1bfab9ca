package pdp_test

import (
	"context"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// A scope leaves out nobody of the organization on whom the action is allowed, whatever the place of the question.
func TestScopeLeavesOutNobodyWhoIsAllowed(t *testing.T) {
	allowed, leftOut := map[string]int{}, map[string]int{}
	forEachQuestion(t, 60, 40, func(t require.TestingT, e *pdp.Engine, w *world, r pdp.Request) {
		if r.Resource.Type != "user" || needsNoCurrentLocation(r.Action.Name) {
			return
		}
		current := currentOf(w, r)
		for _, u := range w.Users {
			if current == nil || !w.belongs(u, w.root(current)) {
				continue // no list of the organization has them
			}
			r.Resource.ID = u.ID
			in, err := e.InScope(context.Background(), r, u.ID)
			require.NoError(t, err)
			may, err := e.Allows(context.Background(), r)
			require.NoError(t, err)
			switch {
			case may:
				require.True(t, in, "%s is allowed and not in the scope", u.ID)
				allowed[r.Action.Name]++
			case !in:
				leftOut[r.Action.Name]++
			}
		}
	})
	if fewerQuestions() {
		return
	}
	for _, action := range allActions() {
		if typeOf(action) != "user" || needsNoCurrentLocation(action) {
			continue
		}
		if !slices.Contains([]string{"user.delete", "user.invite"}, action) {
			assert.NotZero(t, allowed[action], "nobody was allowed %s", action)
		}
		assert.NotZero(t, leftOut[action], "nobody was left out of %s", action)
	}
}

// Nor does the scope of who may do what needs no current location.
func TestSubjectScopeLeavesOutNobodyWhoIsAllowed(t *testing.T) {
	allowed, leftOut := map[string]int{}, map[string]int{}
	forEachQuestion(t, 60, 120, func(t require.TestingT, e *pdp.Engine, w *world, r pdp.Request) {
		if !needsNoCurrentLocation(r.Action.Name) {
			return
		}
		for _, u := range w.Users {
			r.Subject.ID = u.ID
			in, err := e.InSubjectScope(context.Background(), r, u.ID)
			require.NoError(t, err)
			may, err := e.Allows(context.Background(), r)
			require.NoError(t, err)
			switch {
			case may:
				require.True(t, in, "%s is allowed %s and not in the scope", u.ID, r.Action.Name)
				allowed[r.Action.Name]++
			case !in:
				leftOut[r.Action.Name]++
			}
		}
	})
	if fewerQuestions() {
		return
	}
	for _, action := range allActions() {
		if needsNoCurrentLocation(action) {
			assert.NotZero(t, allowed[action], "nobody was allowed %s", action)
			assert.NotZero(t, leftOut[action], "nobody was left out of %s", action)
		}
	}
}

func TestScopeIsReadStrictly(t *testing.T) {
	t.Parallel()
	w := generate(12)
	r := ask(admin(w), "see", "user", "", "", "r0", nil)
	list := func(scope string) (pdp.SearchResult, error) {
		files := fstest.MapFS{"app.rego": {Data: []byte("package app\n\ndefault decision := {\"allow\": false, \"reasons\": [{\"code\": \"no\", \"rule\": \"R\", \"message\": \"No.\"}]}\n\n" +
			"decision := {\"allow\": true} if allow\n\nallow if input.subject.id != \"nobody\"\n\npossible if allow\n\nscope := " + scope +
			"\n\ncatalogue := {\"see\": {\"resource\": \"user\"}}\n")}}
		e := pdp.New(pdp.Config{Policy: prepared(t, open(t, files, "app/decision")), Source: fixed{w.directory(t)}})
		return e.SearchResources(context.Background(), searchOf(r, whole))
	}
	all, err := list(`"r0"`)
	require.NoError(t, err, "the scope of bundles of earlier releases")
	require.NotEmpty(t, all.Hits)
	for scope, fewer := range map[string]bool{
		`{"location": "r0"}`:                                                               false,
		`{"location": "r0", "unheard_of": 5}`:                                              false,
		`{"location": "r0", "except": "` + all.Hits[0].ID + `"}`:                           true,
		`{"location": "r0", "status": "active"}`:                                           true,
		`{"location": "r0", "assigned": {"location": "r0"}}`:                               true,
		`{"location": "r0", "assigned": {"location": "r0", "roles": []}}`:                  true,
		`{"location": "r0", "assigned": {"location": "r0", "roles": ["regional_admin"]}}`:  true,
		`{"location": "r0", "status": "deactivated", "assigned": {"location": "nowhere"}}`: true,
		`{"location": "s0", "assigned": {"location": "r0"}}`:                               true,
		`{"location": "r0", "assigned": {"locations": []}}`:                                true,
		`{"location": "r0", "assigned": {"locations": ["r0"], "active": true}}`:            true,
		`{"location": "r0", "assigned_around": {"locations": [], "beneath": "r0"}}`:        false,
		`{"location": "r0", "assigned_around": {"locations": [], "beneath": "s0"}}`:        true,
		`{"location": "nowhere"}`:                                                          true,
		`{"status": "active"}`:                                                             true,
	} {
		some, err := list(scope)
		require.NoError(t, err, scope)
		require.Equal(t, fewer, len(some.Hits) < len(all.Hits), "%s: %d of %d", scope, len(some.Hits), len(all.Hits))
	}
	for _, scope := range []string{
		`5`, `["r0"]`, `{"location": 5}`, `{"location": "r0", "status": "away"}`, `{"location": "r0", "status": ["active"]}`, `{"location": "r0", "except": {}}`,
		`{"location": "r0", "assigned": {}}`, `{"location": "r0", "assigned": "r0"}`, `{"location": "r0", "assigned": {"location": "r0", "roles": "user"}}`,
		`{"location": "r0", "assigned": {"location": "r0", "roles": null}}`, `{"location": "r0", "assigned": {"locations": "r0"}}`,
		`{"location": "r0", "assigned": {"locations": [5]}}`, `{"location": "r0", "assigned": {"location": "r0", "active": "yes"}}`,
		`{"location": "r0", "assigned_around": {"locations": ["r0"]}}`, `{"location": "r0", "assigned_around": {"locations": ["r0"], "beneath": 5}}`,
		`{"location": "r0", "assigned": {"locations": ["r0"]}, "assigned_around": {"locations": ["r0"], "beneath": "r0"}}`,
	} {
		_, err := list(scope)
		assert.Equal(t, pdp.Internal, pdp.KindOf(err), scope)
	}
}
