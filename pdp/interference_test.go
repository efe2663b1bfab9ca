package pdp_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Two worlds differ only in what the organization of the question must not see. Each answer must be the same in both,
// byte for byte except for ages: decisions, batches and lists.
func TestAnswersDoNotRevealOtherOrganizations(t *testing.T) {
	t.Parallel()
	here, source := administration(t)
	there, other := administration(t)
	worlds := 12
	if fewerQuestions() {
		worlds = 1
	}
	differed, allowed := 0, 0
	for seed := range uint64(worlds) {
		w := generate(seed)
		source.set(w.directory(t))
		generator := newQuestionGenerator(w, seed+1000)
		for range 25 {
			r := generator.question()
			if generator.chance(50) {
				r = withContext(r, "include", []any{"freshness"})
			}
			v := alterInvisibly(generator.Rand, w, r)
			if v == nil {
				continue
			}
			other.set(v.directory(t))
			differed++
			before, after := answers(t, here, w, r), answers(t, there, w, r)
			for name, answer := range before {
				require.Equal(t, answer, after[name], "world %d, %s: %s", seed, name, show(r))
			}
			if strings.Contains(before["decision"], `"Allow":true`) {
				allowed++
			}
		}
	}
	if !fewerQuestions() {
		require.Greater(t, differed, 150)
		require.Greater(t, allowed, 20)
	}
}

// answers returns the answers to a question in every form, as JSON.
func answers(t *testing.T, e *pdp.Engine, w *world, r pdp.Request) map[string]string {
	t.Helper()
	describe := func(value any, err error) string {
		if err != nil {
			return string(pdp.KindOf(err)) + ": " + err.Error()
		}
		return ageless(show(value))
	}
	all := map[string]string{}
	d, err := e.Decide(t.Context(), r)
	all["decision"] = describe(d, err)
	explanation, err := e.Explain(t.Context(), r, pdp.ForAdministrator)
	all["explanation"] = describe(explanation, err)
	outcomes, err := e.DecideAll(t.Context(), []pdp.Item{{Request: r}, {Request: r}}, authzen.ExecuteAll)
	all["batch"] = describe(outcomes, err)
	page := &authzen.Page{Properties: map[string]any{"fields": []any{"name", "username", "status", "default_location", "last_login"}, "sort": "default_location"}}
	organization := organizationOf(w, r)
	if deniedBeforeUser(w, organization, r) {
		return all // a list evaluates more than one question
	}
	// Action searches include actions that the place governs, and a user can switch to any location with an assignment.
	if place := placeOf(w, r); organization == nil || place == nil || w.root(place) == organization {
		all["actions"] = describe(e.SearchActions(t.Context(), searchOf(r, page)))
	}
	if !needsNoCurrentLocation(r.Action.Name) {
		all["resources"] = describe(e.SearchResources(t.Context(), searchOf(r, page)))
	}
	if organization != nil {
		all["subjects"] = describe(e.SearchSubjects(t.Context(), searchOf(r, page)))
	}
	return all
}

// ageless removes ages from an answer.
func ageless(text string) string {
	parts := strings.Split(text, `"age_ms":`)
	for i := 1; i < len(parts); i++ {
		parts[i] = strings.TrimLeft(parts[i], "0123456789")
	}
	return strings.Join(parts, `"age_ms":`)
}

// organizationOf returns the organization whose rules apply: that of the current location, or that of the place if the
// action needs no current location. It returns nil if the question names neither.
func organizationOf(w *world, r pdp.Request) *byID {
	at := w.byID(text(r.Context["current_location"]))
	if needsNoCurrentLocation(r.Action.Name) {
		at = placeOf(w, r)
	}
	if at == nil || r.Action.Name == "patient.view" || slices.Contains(actionsOf("vendor"), r.Action.Name) {
		return nil // about the whole account or every organization
	}
	return w.root(at)
}

// placeOf returns the place that a question names; nil if there is none.
func placeOf(w *world, r pdp.Request) *byID {
	if r.Resource.Type == "location" {
		return w.byID(r.Resource.ID)
	}
	return w.byID(text(r.Resource.Properties["location"]))
}

// alteration changes what an organization must not see.
type alteration struct {
	*rand.Rand
	w            *world
	organization *byID // nil if unknown: then only the subject's record may count
	subject      string
	invites      bool // the answer to an invitation reveals existing accounts of any organization
	deniedEarly  bool // the answer reveals nothing about any user
}

// alterInvisibly returns a different world that looks the same to the organization; nil if nothing could be changed.
func alterInvisibly(random *rand.Rand, w *world, r pdp.Request) *world {
	v := &alteration{Rand: random, w: w.clone(), organization: organizationOf(w, r), subject: r.Subject.ID, invites: r.Action.Name == "user.invite"}
	v.deniedEarly = deniedBeforeUser(w, v.organization, r)
	if v.organization == nil && v.invites && !v.deniedEarly {
		return nil
	}
	before := string(w.json())
	var kept []*person
	for _, u := range v.w.Users {
		if v.keep(u) {
			kept = append(kept, u)
		}
	}
	v.w.Users = kept
	if v.organization != nil {
		for _, l := range v.w.Locations {
			if v.w.root(l).ID != v.organization.ID {
				l.Name += " otherwise"
				if l.Plan != "" {
					l.Plan = pick(v.Rand, "paid", "free")
				}
			}
		}
	}
	if string(v.w.json()) == before {
		return nil
	}
	return v.w
}

// deniedBeforeUser reports whether a question is denied before the user asked about is looked up (ALL-1 to ALL-4).
func deniedBeforeUser(w *world, organization *byID, r pdp.Request) bool {
	subject := w.user(r.Subject.ID)
	current := w.byID(text(r.Context["current_location"]))
	switch {
	case r.Subject.Type != "user" || subject == nil || !isActive(subject.Status) || needsNoCurrentLocation(r.Action.Name):
		return r.Subject.Type != "user" || subject == nil || !isActive(subject.Status)
	case organization == nil:
		return false
	}
	place := placeOf(w, r)
	return !slices.Contains(actionsOf(organization.Model), r.Action.Name) || typeOf(r.Action.Name) != r.Resource.Type ||
		!w.canStandAt(subject, current) || place != nil && w.root(place) != organization
}

// keep changes a user, and reports whether the user stays in the world.
func (v *alteration) keep(u *person) bool {
	switch {
	case u.ID != v.subject && v.deniedEarly:
		return v.IntN(100) < 70
	case v.organization == nil:
		return true // any organization may count, so their trees stay
	case u.ID == v.subject || v.belongs(u):
		v.move(u)
		return true
	case v.IntN(100) < 20 && !v.invites:
		return false
	case len(u.Assignments) == 0 && v.invites:
		return true
	}
	u.Status = pick(v.Rand, "", "active", "deactivated")
	u.Name = &fullName{Given: "Other", Family: pick(v.Rand, "A", "Z")}
	u.LastLogin = ""
	v.move(u)
	return true
}

func (v *alteration) belongs(u *person) bool {
	return slices.ContainsFunc(u.Assignments, func(a assignment) bool { return v.isVisible(a.Location) })
}

func (v *alteration) isVisible(location string) bool {
	return v.w.root(v.w.byID(location)).ID == v.organization.ID
}

// move gives a user other assignments in other organizations. A user who is not a member must not lose the last
// assignment or gain the first, because answers reveal whether there are any.
func (v *alteration) move(u *person) {
	none := len(u.Assignments) == 0
	if none && v.invites {
		return
	}
	before := *u
	u.Assignments = slices.DeleteFunc(slices.Clone(u.Assignments), func(a assignment) bool { return !v.isVisible(a.Location) })
	lost := len(u.Assignments) == 0 && !none
	g := &generator{Rand: v.Rand, world: v.w}
	for _, l := range v.w.Locations {
		if l.Parent == "" && l.ID != v.organization.ID && (v.IntN(100) < 25 || lost) {
			g.join(u, l)
			lost = false
		}
	}
	if u.Default != "" && v.isVisible(u.Default) {
		return
	}
	u.Default = ""
	regional := false
	for _, a := range u.Assignments {
		if !v.isVisible(a.Location) && (u.Default == "" || v.IntN(2) == 0) {
			u.Default = a.Location
		}
		regional = regional || v.w.root(v.w.byID(a.Location)).Kind == "region"
	}
	if u.Default == "" && regional {
		*u = before // the user needs a default location, which would be visible
	}
}
