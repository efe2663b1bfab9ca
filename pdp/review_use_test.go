package pdp_test

import (
	"context"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/review"
)

// checkUses compares the rows of one assignment about actions that need no current location with single decisions: in the directory,
// and in directories where the user has one of the assignments alone.
func checkUses(t require.TestingT, e *pdp.Engine, w *world, u *person, at *byID, rows []review.Row, compared map[string]int) {
	alone := map[string]*pdp.Engine{}
	for location, d := range withEachAssignment(t, w, u) {
		alone[location] = withSourceBy(builtInPolicy(), fixed{d})
	}
	for _, action := range allActions() {
		over := review.OverLocations
		switch {
		case !needsNoCurrentLocation(action) || typeOf(action) == "user":
			continue
		case typeOf(action) == "patient":
			over = review.OverPatients
		}
		want := 0
		for _, place := range w.Locations {
			if !w.covers(at, place) && !w.covers(place, at) {
				continue
			}
			q := pdp.Request{Subject: authzen.Entity{Type: "user", ID: u.ID}, Action: authzen.Action{Name: action}, Resource: authzen.Entity{Type: typeOf(action), ID: place.ID}}
			if over == review.OverPatients {
				q.Resource.Properties = map[string]any{"locations": []any{place.ID}}
			}
			if !decide(t, e, q).Allow {
				continue
			}
			give := map[string]bool{}
			for location, engine := range alone {
				if decide(t, engine, q).Allow {
					give[location] = true
				}
			}
			if give[at.ID] || len(give) == 0 {
				want++
			}
		}
		got := 0
		for _, row := range rows {
			if row.Subject.ID() == u.ID && row.Location.ID() == at.ID && row.Action == action {
				require.Equal(t, over, row.Over)
				require.NotEmpty(t, row.Rule)
				got += row.Count
			}
		}
		require.Equal(t, want, got, "%s at %s: %s", u.ID, at.ID, action)
		if want > 0 {
			compared[action]++
		}
	}
}

// withEachAssignment returns the world with one assignment of a user alone, by its location. One at a practice is none without that
// at the group.
func withEachAssignment(t require.TestingT, w *world, u *person) map[string]*directory.Directory {
	alone := map[string]*directory.Directory{}
	for _, a := range u.Assignments {
		if w.byID(a.Location).Kind == "practice" {
			continue
		}
		other := w.clone()
		i := slices.IndexFunc(other.Users, func(o *person) bool { return o.ID == u.ID })
		other.Users[i].Assignments = []assignment{a}
		if u.Default != "" {
			other.Users[i].Default = a.Location
		}
		alone[a.Location] = other.directory(t)
	}
	return alone
}

func reviewerOf(t require.TestingT, p *pdp.Policy, d *directory.Directory) *pdp.Reviewer {
	reviewer, err := withSourceBy(p, fixed{d}).NewReviewer(context.Background())
	require.NoError(t, err)
	return reviewer
}

// What somebody may see can depend on what they are in other organizations, and on two of their assignments together.
func TestReviewOfUseByTwoAssignments(t *testing.T) {
	t.Parallel()
	w := crowded(2)
	w.Locations = append(w.Locations, &byID{ID: "other", Kind: "region", Model: "regional"}, &byID{ID: "o", Kind: "division", Parent: "other"}, &byID{ID: "p", Kind: "facility", Parent: "o"})
	w.Users = nil
	for id, elsewhere := range map[string]assignment{"a": {Location: "p", Role: "ed_normal"}, "b": {Location: "o", Role: "public_health"}, "c": {}} {
		u := &person{ID: id, Default: "d", Assignments: []assignment{{Location: "d", Role: "public_health"}}}
		if elsewhere.Role != "" {
			u.Assignments = append(u.Assignments, elsewhere)
		}
		w.Users = append(w.Users, u)
	}
	d := w.directory(t)
	policy := policyChanged(t, "authz/regional/using.rego", "	data.authz.regional.roles[role].sees_patients\n",
		"	data.authz.regional.roles[role].sees_patients\n}\n\nusing if {\n	input.action.name == \"patient.view\"\n	input.facts.subject.held[\"d\"]\n	input.facts.subject.held[\"p\"]\n")
	engine := withSourceBy(policy, fixed{d})
	lines, rows, _ := reviewed(t, engine, d, false)
	each, _, _ := reviewed(t, engine, d, true)
	require.Equal(t, each, lines)
	seen := map[string]int{}
	for _, row := range rows {
		if row.Action == "patient.view" {
			seen[row.Subject.ID()+" at "+row.Location.ID()] = row.Count
		}
	}
	require.Equal(t, map[string]int{"a at d": 3, "a at p": 3}, seen, "by both together, but for p")
}

// An action of one model is judged by what somebody is in every organization, also at a current location.
func TestReviewOfActionsOfOneModel(t *testing.T) {
	t.Parallel()
	policy := prepared(t, open(t, fstest.MapFS{"app.rego": &fstest.MapFile{Data: []byte(`package app

catalogue := {
	"report.view": {"resource": "location", "models": ["regional"], "model": "regional"},
	"user.mark": {"resource": "user", "models": ["regional"], "model": "regional"},
}
scope := {}
default decision := false
decision if allow
default allow := false
allow if {
	input.action.name == "report.view"
	"ed_normal" in {role | some role in input.facts.subject.held}
}
allow if {
	input.action.name == "user.mark"
	"ed_normal" in {role | some role in input.facts.user.held}
}
default possible := false
possible if allow
`)}}, "app/decision"))
	w := crowded(0)
	w.Locations = append(w.Locations, &byID{ID: "other", Kind: "region", Model: "regional"}, &byID{ID: "o", Kind: "division", Parent: "other"}, &byID{ID: "p", Kind: "facility", Parent: "o"})
	for id, elsewhere := range map[string]assignment{"a": {Location: "o", Role: "public_health"}, "b": {Location: "p", Role: "ed_normal"}, "c": {Location: "p", Role: "ed_admin"}} {
		w.Users = append(w.Users, &person{ID: id, Default: "d", Assignments: []assignment{{Location: "d", Role: "public_health"}, elsewhere}})
	}
	d := w.directory(t)
	engine := withSourceBy(policy, fixed{d})
	each, rows, _ := reviewed(t, engine, d, true)
	lines, _, _ := reviewed(t, engine, d, false)
	require.Equal(t, each, lines)
	views, marks := map[string]int{}, map[string]int{}
	for _, row := range rows {
		if row.Action == "report.view" {
			views[row.Subject.ID()+" at "+row.Location.ID()] = row.Count
		} else {
			marks[row.Location.ID()] = row.Count
		}
	}
	require.Equal(t, map[string]int{"b at d": 2, "b at p": 1}, views)
	require.Equal(t, map[string]int{"r": 1, "d": 1, "o": 1, "p": 1}, marks, "b alone")
}

// A policy can have actions that no row can be about. Whoever reads the review has to know of them.
func TestReviewNamesTheActionsLeftOut(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"invitation.accept", "invitation.reject"}, review.LeftOut(builtInPolicy()))
	policy := prepared(t, open(t, fstest.MapFS{"app.rego": &fstest.MapFile{Data: []byte(`package app

catalogue := {
	"report.print": {"resource": "report"},
	"report.view": {"resource": "report", "needs_no_current_location": true},
	"patient.edit": {"resource": "patient"},
	"patient.view": {"resource": "patient", "needs_no_current_location": true},
	"user.lend": {"resource": "user", "crosses_organizations": true},
	"user.view": {"resource": "user"},
	"location.join": {"resource": "location", "crosses_organizations": true},
}
scope := {}
decision := false
allow := false
possible := false
`)}}, "app/decision"))
	require.Equal(t, []string{"patient.edit", "report.print", "report.view", "user.lend"}, review.LeftOut(policy))
}

// What somebody sees of themselves is no row, also where a location has the id of a user.
func TestReviewOfUseIsAboutOtherPatients(t *testing.T) {
	t.Parallel()
	w := crowded(0)
	w.Users = append(w.Users, &person{ID: "f", Default: "d", Assignments: []assignment{{Location: "d", Role: "public_health"}}})
	policy := policyChanged(t, "authz/regional/using.rego", "	data.authz.regional.roles[role].sees_patients\n",
		"	data.authz.regional.roles[role].sees_patients\n}\n\nusing if {\n	input.action.name == \"patient.view\"\n	input.resource.id == input.subject.id\n")
	d := w.directory(t)
	_, rows, _ := reviewed(t, withSourceBy(policy, fixed{d}), d, false)
	for _, row := range rows {
		require.False(t, row.Subject.ID() == "f" && row.Action == "patient.view", "%v", row)
	}
}
