package pdp_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// actionsFor returns the hits of an action search with the parts of a question.
func actionsFor(t require.TestingT, e *pdp.Engine, r pdp.Request) []string {
	r.Action = authzen.Action{}
	result, err := e.SearchActions(context.Background(), searchOf(r, whole))
	require.NoError(t, err)
	return names(result.Hits)
}

// If a question is allowed with some properties, its action must be a hit of the action search.
func TestAllowedActionsAreListed(t *testing.T) {
	forEachQuestion(t, 20, 120, func(t require.TestingT, e *pdp.Engine, w *world, r pdp.Request) {
		if !decide(t, e, r).Allow || r.Action.Properties["new"] == true {
			return // a new user is not a resource that can be searched for
		}
		require.Contains(t, actionsFor(t, e, r), r.Action.Name)
	})
}

// Each listed action must be allowed with some set of properties. A search does not apply rules about absent properties.
// It can therefore list an action even though the only possible role is one that the user already has, or the only role
// there is. The actions for which that can happen are skipped.
func TestListedActionsCanBeAllowed(t *testing.T) {
	listed := map[string]int{}
	forEachQuestion(t, 20, 40, func(t require.TestingT, e *pdp.Engine, w *world, r pdp.Request) {
		for _, action := range actionsFor(t, e, r) {
			listed[action]++
			if action == "admin.grant" || action == "admin.revoke" || action == "assignment.edit" {
				continue
			}
			require.True(t, allowedWithSomeProperties(t, e, w, r, action), "no properties allow %s", action)
		}
	})
	if fewerQuestions() {
		return
	}
	for _, action := range allActions() {
		if action != "user.delete" && !strings.HasPrefix(action, "invitation.") {
			assert.NotZero(t, listed[action], "%s was never listed", action)
		}
	}
}

// allowedWithSomeProperties reports whether any suitable set of properties is allowed.
func allowedWithSomeProperties(t require.TestingT, e *pdp.Engine, w *world, r pdp.Request, action string) bool {
	for _, properties := range suitableProperties(w, r, action) {
		r.Action = authzen.Action{Name: action, Properties: properties}
		if decide(t, e, r).Allow {
			return true
		}
	}
	return false
}

func suitableProperties(w *world, r pdp.Request, action string) []map[string]any {
	var all []map[string]any
	roles := func(name string) {
		for _, role := range []string{"regional_admin", "division_admin", "public_health_admin", "public_health", "ed_admin",
			"ed_normal", "user", "entity_admin", "system_admin", "owner", "practitioner", "administrator"} {
			all = append(all, map[string]any{name: role})
		}
	}
	switch action {
	case "assignment.add", "admin.grant", "admin.revoke":
		roles("role")
	case "assignment.edit":
		roles("new_role")
		for _, p := range slices.Clone(all) {
			for _, l := range w.Locations {
				all = append(all, map[string]any{"new_role": p["new_role"], "new_location": l.ID})
			}
		}
	case "access.change":
		for _, level := range levelNames {
			all = append(all, map[string]any{"level": level})
		}
	case "area.access":
		for _, area := range areaNames {
			all = append(all, map[string]any{"area": area})
		}
	case "entity.associate":
		all = append(all, map[string]any{"system": "s0"})
	case "user.invite":
		for _, role := range []string{"administrator", "user"} {
			p := map[string]any{"role": role}
			if u := w.account(r.Resource.ID); u != nil && role == "administrator" {
				p = map[string]any{"role": role, "profession": "nurse", "level": "limited", "locations": []any{},
					"username": u.Username, "username_confirmation": u.Username}
			}
			all = append(all, p)
		}
	}
	return append(all, nil)
}

// The hits are sorted, and none is an action on another type of resource.
func TestActionSearchListsEachActionOnce(t *testing.T) {
	forEachQuestion(t, 4, 40, func(t require.TestingT, e *pdp.Engine, _ *world, r pdp.Request) {
		hits := actionsFor(t, e, r)
		require.True(t, slices.IsSorted(hits))
		require.Len(t, slices.Compact(slices.Clone(hits)), len(hits))
		for _, action := range hits {
			require.Equal(t, r.Resource.Type, typeOf(action))
		}
		for _, action := range allActions() {
			question := r
			question.Action = authzen.Action{Name: action}
			possible, err := e.Possible(context.Background(), question)
			require.NoError(t, err)
			require.Equal(t, possible, slices.Contains(hits, action), "%s", action)
		}
	})
}

func TestActionSearchListsInvitationsOfTheSubject(t *testing.T) {
	invited := 0
	for seed := range uint64(4) {
		w := generate(seed)
		engine := over(t, w)
		for _, u := range w.Users {
			for _, l := range w.Locations {
				if w.root(l).Kind != "group" {
					continue
				}
				r := ask(u.ID, "", "user", u.ID, l.ID, "", nil)
				held := u.at(l.ID)
				open := l.Kind == "group" && held != nil && held.Status == "invited" && isActive(u.Status)
				hits := actionsFor(t, engine, r)
				require.Equal(t, open, slices.Contains(hits, "invitation.accept"), "world %d: %s", seed, show(r))
				require.Equal(t, open, slices.Contains(hits, "invitation.reject"), "world %d: %s", seed, show(r))
				if open {
					invited++
				}
			}
		}
		if fewerQuestions() {
			return
		}
	}
	require.Positive(t, invited)
}
