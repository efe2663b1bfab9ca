package pdp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// Asking the same question again must give the same decision, too.
func TestUnknownMembersDoNotChangeDecisions(t *testing.T) {
	forEachQuestion(t, 20, 150, func(t require.TestingT, e *pdp.Engine, _ *world, r pdp.Request) {
		first := decide(t, e, r)
		require.Equal(t, first, decide(t, e, r))

		more := map[string]any{
			"facts": map[string]any{"subject": map[string]any{"status": "active"}}, "status": "active", "roles": []any{"owner"},
			"organization": "vendor", "assignments": map[string]any{}, "model": "vendor", "held": map[string]any{"vendor": "vendor_staff"},
		}
		r.Subject.Properties = more
		r.Action.Properties = with(r.Action.Properties, more)
		r.Resource.Properties = with(r.Resource.Properties, more)
		r.Context = with(r.Context, more)
		require.Equal(t, first, decide(t, e, r), "properties that no rule names")
	})
}

func with(members, more map[string]any) map[string]any {
	all := maps.Clone(members)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, more)
	return all
}

// Removing the organizations that a question is not about, and the users who belong only to them, must not change the
// answer (ALL-4).
func TestOtherOrganizationsDoNotChangeDecisions(t *testing.T) {
	removed := 0
	without, source := administration(t)
	forEachQuestion(t, 20, 60, func(t require.TestingT, e *pdp.Engine, w *world, r pdp.Request) {
		if text(r.Context["current_location"]) == "" {
			return // the implied location depends on all assignments of the subject
		}
		var others []string
		for _, root := range w.Locations {
			if root.Parent == "" && unrelated(w, root, r) {
				others = append(others, root.ID)
			}
		}
		removed += len(others)
		source.set(cut(w, others, r).directory(t))
		require.Equal(t, decide(t, e, r), decide(t, without, r), "without %v", others)
	})
	require.Positive(t, removed)
}

func text(value any) string {
	s, _ := value.(string)
	return s
}

// unrelated reports whether no part of a question can be about an organization.
func unrelated(w *world, root *byID, r pdp.Request) bool {
	var named []string
	for _, member := range []any{r.Context["current_location"], r.Resource.Properties, r.Action.Properties} {
		named = append(named, stringsIn(member)...)
	}
	if r.Resource.Type == "location" {
		named = append(named, r.Resource.ID)
	}
	for _, l := range w.inside(root) {
		if slices.Contains(named, l.ID) {
			return false
		}
	}
	for _, u := range w.Users {
		asked := u.ID == r.Resource.ID || slices.Contains(named, u.ID) || u.Username != "" && slices.ContainsFunc(append(named, r.Resource.ID), func(s string) bool {
			return sameName(u.Username, s)
		})
		switch {
		case !w.belongs(u, root):
		case u.Default != "" && w.root(w.byID(u.Default)).ID == root.ID && (asked || u.ID == r.Subject.ID):
			return false // the default location cannot be removed alone
		case asked && r.Action.Name == "user.invite":
			return false // an invitation looks at users of other organizations
		}
	}
	// The vendor's staff creates and associates entities from outside.
	return root.Model != "vendor" || !slices.Contains(actionsOf("vendor"), r.Action.Name)
}

// stringsIn returns every string in a value.
func stringsIn(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, element := range v {
			all = append(all, stringsIn(element)...)
		}
		return all
	case map[string]any:
		var all []string
		for _, member := range v {
			all = append(all, stringsIn(member)...)
		}
		return all
	}
	return nil
}

// cut removes organizations, their assignments, and the users who have no other assignments, except those that the
// question names.
func cut(w *world, roots []string, r pdp.Request) *world {
	c := w.clone()
	gone := func(location string) bool { return slices.Contains(roots, w.root(w.byID(location)).ID) }
	c.Locations = slices.DeleteFunc(c.Locations, func(l *byID) bool { return gone(l.ID) })
	c.Users = slices.DeleteFunc(c.Users, func(u *person) bool {
		before := len(u.Assignments)
		u.Assignments = slices.DeleteFunc(u.Assignments, func(a assignment) bool { return gone(a.Location) })
		if u.Default != "" && gone(u.Default) { // the question is not about this user
			u.Default = ""
			if len(u.Assignments) > 0 {
				u.Default = u.Assignments[0].Location
			}
		}
		return before > 0 && len(u.Assignments) == 0 && u.ID != r.Subject.ID && u.ID != r.Resource.ID
	})
	return c
}

// The same question is asked from every candidate of ALL-11. The advice must name exactly those from which it is
// allowed.
func TestSwitchLocationAdviceEqualsBruteForce(t *testing.T) {
	advised := 0
	forEachQuestion(t, 30, 300, func(t require.TestingT, e *pdp.Engine, w *world, r pdp.Request) {
		d := decide(t, e, r)
		subject := w.user(r.Subject.ID)
		if d.Allow || subject == nil || !isActive(subject.Status) || !stage2(d) || needsNoCurrentLocation(r.Action.Name) {
			return
		}
		var wanted []any
		for _, candidate := range candidates(w, subject, r) {
			there := r
			there.Context = with(r.Context, map[string]any{"current_location": candidate})
			if decide(t, e, there).Allow {
				wanted = append(wanted, candidate)
			}
		}
		var named []any
		for _, advice := range d.Advice {
			if members := advice.(map[string]any); members["code"] == "switch_location" {
				named = members["locations"].([]any)
				advised++
			}
		}
		require.Equal(t, wanted, named)
	})
	if !fewerQuestions() {
		require.Greater(t, advised, 100)
	}
}

// stage2 reports whether a denial is of stage 2: it has a single reason, with a code that no other stage uses.
func stage2(d pdp.Decision) bool {
	if len(d.Reasons) != 1 {
		return false
	}
	reason := d.Reasons[0].(map[string]any)
	switch reason["code"] {
	case "plan_required":
		return reason["rule"] == "SYS-10"
	case "not_assigned":
		return reason["rule"] == "PRA-10"
	case "self", "not_permitted", "vendor_only", "system_admin_required", "area_required", "owner_required",
		"other_location", "not_assigned_here", "location_edit_not_permitted":
		return true
	}
	return false
}

// candidates returns the locations that ALL-11 tries, sorted, at most 20.
func candidates(w *world, subject *person, r pdp.Request) []string {
	current := text(r.Context["current_location"])
	if current == "" {
		current = w.active(subject)[0].Location
	}
	organization := w.root(w.byID(current))
	founding := slices.Contains(actionsOf("vendor"), r.Action.Name)
	var all []string
	for _, a := range w.active(subject) {
		root := w.root(w.byID(a.Location))
		if root == organization || founding {
			all = append(all, a.Location)
		}
	}
	place := text(r.Resource.Properties["location"])
	if r.Resource.Type == "location" {
		place = r.Resource.ID
	}
	if l := w.byID(place); l != nil && w.canStandAt(subject, l) {
		all = append(all, l.ID)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return all[:min(len(all), 20)]
}

func TestCallersWordsAreNeverFacts(t *testing.T) {
	t.Parallel()
	w := generate(3)
	engine := over(t, w)
	asker := &questionGenerator{Rand: rand.New(rand.NewPCG(3, 3)), w: w}
	for i := range 200 {
		r := asker.question()
		r.Context = with(r.Context, map[string]any{"facts": map[string]any{"model": "forged"}})
		in, err := engine.InputTerm(context.Background(), r)
		require.NoError(t, err)
		var seen map[string]any
		require.NoError(t, json.Unmarshal([]byte(in.String()), &seen))
		require.NotContains(t, fmt.Sprint(seen["facts"]), "forged", "question %d: %s", i, show(r))
	}
}
