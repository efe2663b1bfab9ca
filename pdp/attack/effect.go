package attack

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// unmodeled are the actions that change something else than the record of one user. The search leaves them out, and says so.
var unmodeled = map[string]string{
	"entity.create":     "it founds a location",
	"entity.associate":  "it moves a location",
	"entity.dissociate": "it moves a location",
}

// keeps are the actions that change nothing that the policy reads. What they give is control of the account.
var keeps = []string{"user.edit", "user.reset_password"}

// Locate finds a location by id; nil if there is none.
type Locate func(id string) *facts.Location

// Apply returns the record of the user that a question is about, after an application has done what was allowed. The record of a new
// user is empty before. A change that the record does not fit, such as one of an assignment that does not exist, changes nothing.
// ok is false for an action whose effect on a user is not known. The source is policies/DOMAIN.md: section 4.2 and REG-I6, SYS-2,
// SYS-4, SYS-7 and SYS-8, PRA-3, PRA-5, PRA-6, PRA-8 and PRA-12.
//
// An application does what it was told and checks nothing: if the default location is removed, the record goes on naming it.
func Apply(q authzen.Evaluation, u facts.UserRecord, locate Locate) (after facts.UserRecord, ok bool) {
	e := &edit{UserRecord: u, q: q, locate: locate}
	e.Assignments = slices.Clone(u.Assignments)
	id := cmp.Or(facts.String(q.Resource.Properties, "location"), facts.String(q.Context, "current_location"))
	if e.place = locate(id); e.place == nil {
		return u, slices.Contains(keeps, q.Action.Name)
	}
	change, known := effects[q.Action.Name]
	if known {
		change(e)
	}
	return e.UserRecord, known || slices.Contains(keeps, q.Action.Name)
}

// edit is a record that is changed by an allowed question.
type edit struct {
	facts.UserRecord
	q      authzen.Evaluation
	place  *facts.Location
	locate Locate
}

var effects = map[string]func(*edit){
	"user.deactivate":   func(e *edit) { e.setStatus(facts.StatusDeactivated) },
	"user.reactivate":   func(e *edit) { e.setStatus(facts.StatusActive) },
	"user.delete":       func(e *edit) { e.remove(e.place.Root(), true) },
	"assignment.remove": func(e *edit) { e.remove(e.place, e.place.Model() == facts.ModelPracticeGroup) },
	"assignment.add": func(e *edit) {
		e.assign(facts.AssignmentRecord{Location: e.place.ID(), Role: e.text("role")})
	},
	"assignment.edit":         (*edit).editAssignment,
	"default_location.change": func(e *edit) { e.DefaultLocation = e.place.ID() },
	"user.invite":             (*edit).invite,
	"invitation.accept":       func(e *edit) { e.setMembership(facts.StatusActive) },
	"invitation.reject":       func(e *edit) { e.remove(e.place.Root(), true) },
	"access.change":           (*edit).changeAccess,
	"admin.grant": func(e *edit) {
		for _, at := range e.locations() {
			e.assign(facts.AssignmentRecord{Location: at.ID(), Role: e.text("role")})
		}
	},
	"admin.revoke": (*edit).revoke,
}

func (e *edit) text(property string) string { return facts.String(e.q.Action.Properties, property) }

// at returns the assignment at a location; nil if there is none.
func (e *edit) at(location string) *facts.AssignmentRecord {
	i := slices.IndexFunc(e.Assignments, func(a facts.AssignmentRecord) bool { return a.Location == location })
	if i < 0 {
		return nil
	}
	return &e.Assignments[i]
}

// assign gives an assignment, or replaces the role of the one that there is.
func (e *edit) assign(a facts.AssignmentRecord) {
	if held := e.at(a.Location); held != nil {
		held.Role = a.Role
		return
	}
	e.Assignments = append(e.Assignments, a)
	slices.SortFunc(e.Assignments, func(a, b facts.AssignmentRecord) int { return strings.Compare(a.Location, b.Location) })
}

// remove removes the assignment at a location, and on demand those beneath it.
func (e *edit) remove(at *facts.Location, beneath bool) {
	e.Assignments = slices.DeleteFunc(e.Assignments, func(a facts.AssignmentRecord) bool {
		return a.Location == at.ID() || beneath && e.within(a, at)
	})
}

// within reports whether an assignment is at a location or beneath it.
func (e *edit) within(a facts.AssignmentRecord, at *facts.Location) bool {
	l := e.locate(a.Location)
	return l != nil && l.CoveredBy(at.ID())
}

// setStatus deactivates or reactivates: the membership in a practice group (PRA-8), the account elsewhere.
func (e *edit) setStatus(status string) {
	if e.place.Model() == facts.ModelPracticeGroup {
		e.setMembership(status)
		return
	}
	e.Status = status
}

func (e *edit) setMembership(status string) {
	if held := e.at(e.place.Organization()); held != nil {
		held.Status = status
	}
}

func (e *edit) editAssignment() {
	role, to := e.text("new_role"), e.text("new_location")
	if e.place.Model() == facts.ModelPracticeGroup { // the practices follow (PRA-12)
		for i := range e.Assignments {
			if role != "" && e.within(e.Assignments[i], e.place.Root()) {
				e.Assignments[i].Role = role
			}
		}
		return
	}
	held := e.at(e.place.ID())
	if held == nil {
		return
	}
	role, to = cmp.Or(role, held.Role), cmp.Or(to, e.place.ID())
	e.remove(e.place, false)
	e.assign(facts.AssignmentRecord{Location: to, Role: role})
	if e.DefaultLocation == e.place.ID() {
		e.DefaultLocation = to // REG-I6
	}
}

func (e *edit) invite() {
	isNew, _ := e.q.Action.Properties["new"].(bool)
	if isNew {
		e.Username = e.text("username")
		e.Status = facts.StatusActive
	}
	if e.place.Model() != facts.ModelPracticeGroup {
		e.assign(facts.AssignmentRecord{Location: e.place.ID(), Role: cmp.Or(e.text("role"), "user")})
		return
	}
	status := facts.StatusInvited
	if isNew {
		status = facts.StatusActive
	}
	e.assign(facts.AssignmentRecord{Location: e.place.Organization(), Role: e.text("role"), Status: status,
		Access: &facts.Access{Level: e.text("level"), Areas: switches(e.q.Action.Properties["areas"])}})
	for _, practice := range facts.Strings(e.q.Action.Properties, "locations") {
		e.assign(facts.AssignmentRecord{Location: practice, Role: e.text("role")})
	}
}

func (e *edit) changeAccess() {
	held := e.at(e.place.Organization())
	if held == nil {
		return
	}
	access := facts.Access{}
	if held.Access != nil {
		access = *held.Access
	}
	access.Level = cmp.Or(e.text("level"), access.Level)
	if areas := switches(e.q.Action.Properties["areas"]); areas != nil {
		access.Areas = areas // as a whole (PRA-12)
	}
	held.Access = &access
}

// revoke takes a role away: at an entity its administrator becomes a user, at the system the assignment ends (SYS-7, SYS-8).
func (e *edit) revoke() {
	for _, at := range e.locations() {
		held := e.at(at.ID())
		switch {
		case held == nil || held.Role != e.text("role"):
		case at.Kind() == "entity":
			held.Role = "user"
		default:
			e.remove(at, false)
		}
	}
}

// locations returns the locations that a grant or revoke is about.
func (e *edit) locations() []*facts.Location {
	var all []*facts.Location
	for _, id := range facts.Strings(e.q.Action.Properties, "locations") {
		if l := e.locate(id); l != nil {
			all = append(all, l)
		}
	}
	if e.q.Action.Properties["locations"] == nil {
		all = append(all, e.place)
	}
	return all
}

// switches reads areas with what they are switched to.
func switches(v any) map[string]bool {
	switch areas := v.(type) {
	case map[string]bool:
		return maps.Clone(areas)
	case map[string]any:
		read := map[string]bool{}
		for area, on := range areas {
			if on, is := on.(bool); is {
				read[area] = on
			}
		}
		return read
	}
	return nil
}
