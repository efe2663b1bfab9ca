package pdp_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// questionGenerator generates questions about a world. Most are sensible, so that many are allowed and most rules
// matter.
type questionGenerator struct {
	*rand.Rand
	w *world
}

// newQuestionGenerator returns a generator for a world. The same seed gives the same questions.
func newQuestionGenerator(w *world, seed uint64) *questionGenerator {
	return &questionGenerator{Rand: rand.New(rand.NewPCG(seed, 2)), w: w}
}

func (a *questionGenerator) chance(percent int) bool { return chance(a.Rand, percent) }

// outline describes a question before it is generated: who asks, from where, about whom and where.
type outline struct {
	subject, user  *person
	current, place *byID
	organization   *byID
	inside         []*byID
	action         string
	properties     map[string]any // of the action
	resource       map[string]any // properties of the resource
}

// question generates a question.
func (a *questionGenerator) question() pdp.Request {
	d := &outline{properties: map[string]any{}, resource: map[string]any{}}
	d.subject = a.subject()
	d.current = a.currentLocation(d.subject)
	d.organization = a.w.root(d.current)
	d.inside = a.w.inside(d.organization)
	d.action = a.action(d.organization.Model)
	d.place = a.place(d)
	d.user = a.user(d)

	r := pdp.Request{Subject: authzen.Entity{Type: "user", ID: d.subject.ID}, Context: a.context(d)}
	switch typeOf(d.action) {
	case "location":
		r.Resource = authzen.Entity{Type: "location", ID: a.locationAsked(d)}
	case "patient":
		r.Resource = authzen.Entity{Type: "patient", ID: "p1"}
		d.resource["locations"] = a.patientLocations(d)
	default:
		if a.chance(65) {
			d.resource["location"] = d.place.ID
		} else {
			d.place = d.current
		}
		r.Resource = authzen.Entity{Type: "user", ID: a.userAsked(d, &r)}
	}
	a.fill(d, &r)
	a.corrupt(d, &r)
	r.Action = authzen.Action{Name: d.action, Properties: d.properties}
	r.Resource.Properties = d.resource
	if len(d.properties) == 0 {
		r.Action.Properties = nil
	}
	return r
}

// subject returns a user, mostly one with power.
func (a *questionGenerator) subject() *person {
	powerful := a.chance(65)
	u := pick(a.Rand, a.w.Users...)
	for range 20 {
		if powerful && a.w.hasPower(u) || !powerful && isActive(u.Status) && len(a.w.active(u)) > 0 {
			break
		}
		u = pick(a.Rand, a.w.Users...)
	}
	return u
}

// currentLocation returns a location where the user can stand, mostly near the root of the tree; sometimes any other
// location.
func (a *questionGenerator) currentLocation(u *person) *byID {
	all := a.w.standings(u)
	if len(all) == 0 || a.chance(4) {
		return pick(a.Rand, a.w.Locations...)
	}
	at := pick(a.Rand, all...)
	if a.chance(40) {
		for range 5 {
			if at.Parent != "" {
				at = pick(a.Rand, all...)
			}
		}
	}
	return at
}

func (a *questionGenerator) action(model string) string {
	if a.chance(2) {
		model = pick(a.Rand, models...)
	}
	action := pick(a.Rand, actionsOf(model)...)
	if a.chance(30) { // actions with many rules
		switch model {
		case "regional":
			action = pick(a.Rand, "assignment.add", "assignment.edit", "assignment.remove")
		case "health_system":
			action = pick(a.Rand, "admin.grant", "admin.revoke", "user.invite")
		case "practice_group":
			action = pick(a.Rand, "assignment.add", "assignment.remove", "access.change", "area.access", "user.invite")
		}
	}
	return action
}

func (a *questionGenerator) place(d *outline) *byID {
	covered := []*byID{d.current}
	for _, l := range d.inside {
		if a.w.covers(d.current, l) {
			covered = append(covered, l)
		}
	}
	standings := append(a.w.standings(d.subject), d.current)
	switch n := a.IntN(100); {
	case n < 40:
		return d.current
	case n < 65:
		return pick(a.Rand, covered...)
	case n < 75 && (needsNoCurrentLocation(d.action) || d.action == "area.access"):
		return pick(a.Rand, standings...)
	case n < 97:
		return pick(a.Rand, d.inside...)
	}
	return pick(a.Rand, a.w.Locations...)
}

// user returns a user, mostly a member of the organization. If the action is about an assignment, the user mostly has
// that assignment, or lacks it for an addition.
func (a *questionGenerator) user(d *outline) *person {
	var members []*person
	for _, u := range a.w.Users {
		if u != d.subject && a.w.belongs(u, d.organization) {
			members = append(members, u)
		}
	}
	switch {
	case a.chance(3):
		return d.subject
	case len(members) == 0 || a.chance(3):
		return pick(a.Rand, a.w.Users...)
	}
	u := pick(a.Rand, members...)
	about := strings.HasPrefix(d.action, "assignment.") || strings.HasPrefix(d.action, "admin.") || d.action == "default_location.change"
	for range 6 {
		fits := !about || (u.at(d.place.ID) == nil) == (d.action == "assignment.add")
		if d.action == "user.reactivate" {
			fits = !isActive(u.Status)
		}
		if fits {
			break
		}
		u = pick(a.Rand, members...)
	}
	if d.action == "assignment.edit" && d.organization.Model == "regional" && u.Default != "" && a.chance(40) {
		d.place = a.w.byID(u.Default) // an edit that moves the default
	}
	return u
}

func (a *questionGenerator) locationAsked(d *outline) string {
	switch {
	case a.chance(2):
		return "nonsense"
	case d.action == "entity.create" && a.chance(70):
		return pick(a.Rand, "new", d.subject.ID)
	case strings.HasPrefix(d.action, "entity.") && a.chance(85):
		for range 10 {
			if l := pick(a.Rand, a.w.Locations...); l.Kind == "entity" {
				return l.ID
			}
		}
	}
	return d.place.ID
}

func (a *questionGenerator) patientLocations(d *outline) any {
	all := []any{}
	for range a.IntN(4) {
		from := a.w.Locations
		if a.chance(60) {
			from = d.inside
		}
		all = append(all, pick(a.Rand, from...).ID)
	}
	if a.chance(10) {
		return append(all, pick[any](a.Rand, "nonsense", json.Number("5")))
	}
	return all
}

// userAsked returns the id of the user asked about. For an invitation it can be the username or an unknown id.
func (a *questionGenerator) userAsked(d *outline, r *pdp.Request) string {
	switch d.action {
	case "invitation.accept", "invitation.reject":
		a.invited(d, r)
	case "user.invite":
		if a.chance(60) {
			d.user = a.stranger(d)
		}
		if d.user.Username != "" && a.chance(40) {
			return pick(a.Rand, d.user.Username, strings.ToUpper(d.user.Username))
		}
	}
	if a.chance(2) {
		return pick(a.Rand, "nonsense", strings.ToUpper(d.user.ID))
	}
	return d.user.ID
}

// invited makes the subject a user who is invited, if there is one.
func (a *questionGenerator) invited(d *outline, r *pdp.Request) {
	if a.chance(80) {
		d.user = d.subject
	}
	if a.chance(40) {
		return
	}
	for _, u := range a.w.Users {
		for _, held := range u.Assignments {
			if held.Status == "invited" && a.w.byID(held.Location).Kind == "group" && a.chance(50) {
				d.user, r.Subject.ID = u, u.ID
				d.resource["location"] = held.Location
			}
		}
	}
}

// stranger returns a user, mostly one who can be invited.
func (a *questionGenerator) stranger(d *outline) *person {
	u := pick(a.Rand, a.w.Users...)
	for range 10 {
		free := len(u.Assignments) == 0 || a.w.belongs(u, d.organization) && u.at(d.place.ID) == nil
		if d.organization.Model == "practice_group" {
			free = !a.w.belongs(u, d.organization)
		}
		if free {
			break
		}
		u = pick(a.Rand, a.w.Users...)
	}
	return u
}

func (a *questionGenerator) context(d *outline) map[string]any {
	context := map[string]any{"current_location": d.current.ID}
	if a.chance(5) {
		delete(context, "current_location")
	}
	if a.chance(25) {
		context["confirmed"] = pick[any](a.Rand, true, true, true, false, "true")
	}
	if a.chance(10) {
		supported := []any{}
		for _, obligation := range subset(a.Rand, 50, []string{"notification", "session_termination", "custom", "step-up"}) {
			supported = append(supported, obligation)
		}
		context["supported_obligations"] = supported
	}
	return context
}

// corrupt sometimes makes something invalid.
func (a *questionGenerator) corrupt(d *outline, r *pdp.Request) {
	wrong := func() any {
		return pick[any](a.Rand, nil, "", json.Number("5"), true, []any{}, []any{json.Number("5")}, map[string]any{}, "nonsense", []any{"nonsense"})
	}
	for _, name := range sortedKeys(d.properties) {
		if a.chance(3) {
			d.properties[name] = wrong()
		} else if a.chance(1) {
			delete(d.properties, name)
		}
	}
	if a.chance(2) {
		d.properties[pick(a.Rand, "role", "new", "locations", "new_location", "unheard_of", "areas", "registration_number")] = wrong()
	}
	switch a.IntN(120) {
	case 0:
		r.Subject.ID = pick(a.Rand, "nobody", strings.ToUpper(r.Subject.ID))
	case 1:
		r.Subject.Type = "service"
	case 2:
		r.Resource.Type = pick(a.Rand, "user", "location", "patient", "nonsense")
	case 3:
		r.Context["current_location"] = wrong()
	case 4:
		d.resource["location"] = wrong()
	case 5:
		r.Context["supported_obligations"] = pick[any](a.Rand, nil, "notification", []any{json.Number("5"), "custom"})
	case 6:
		d.action = pick(a.Rand, "user.View", "nonsense")
	case 7:
		d.properties = nil
	}
}

// sortedKeys returns the names of members, sorted.
func sortedKeys(members map[string]any) []string {
	keys := make([]string, 0, len(members))
	for key := range members {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
