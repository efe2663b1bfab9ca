package counterfactual

import (
	"maps"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// ofUser returns the changes of one user's record.
func (w *World) ofUser(of string, u *facts.User) []Change {
	rec := u.Record()
	var changes []Change
	add := func(c Change, change func(*facts.UserRecord)) {
		c.Of, c.ID, c.user = of, rec.ID, func() *facts.UserRecord {
			changed := rec
			changed.Assignments = slices.Clone(rec.Assignments)
			change(&changed)
			return &changed
		}
		changes = append(changes, c)
	}
	for _, status := range []string{facts.StatusActive, facts.StatusDeactivated} {
		if status != rec.Status {
			add(Change{Fact: Status, From: rec.Status, To: status, cost: costStatus}, func(r *facts.UserRecord) { r.Status = status })
		}
	}
	for _, a := range u.Assignments() {
		if !w.inScope(a.At) {
			continue
		}
		if a.At.Model() == facts.ModelRegional && a.Location != rec.DefaultLocation {
			add(Change{Fact: DefaultLocation, From: text(rec.DefaultLocation), To: a.Location, cost: costDefault}, func(r *facts.UserRecord) { r.DefaultLocation = a.Location })
		}
		w.ofAssignment(u, a, add)
	}
	w.ofNewAssignments(u, add)
	return changes
}

// adder adds a change of a user's record.
type adder func(c Change, change func(*facts.UserRecord))

// ofAssignment returns the changes of one assignment. A member of a practice group has one role, that of the group.
func (w *World) ofAssignment(u *facts.User, a facts.Assignment, add adder) {
	group := a.At.Model() == facts.ModelPracticeGroup
	if !group || a.At.Parent() == nil {
		for _, role := range w.Terms.Roles[a.At.Kind()] {
			if role != a.Role {
				add(Change{Fact: Assignment, At: a.Location, From: a.Role, To: role, cost: costRole}, func(r *facts.UserRecord) {
					for i := range r.Assignments {
						if goesWith(u, a, r.Assignments[i].Location) {
							r.Assignments[i].Role = role
						}
					}
				})
			}
		}
	}
	if a.Location != u.Record().DefaultLocation {
		add(Change{Fact: Assignment, At: a.Location, From: a.Role, cost: costRemoved}, func(r *facts.UserRecord) {
			r.Assignments = slices.DeleteFunc(r.Assignments, func(other facts.AssignmentRecord) bool {
				return goesWith(u, a, other.Location)
			})
		})
	}
	if !group {
		return
	}
	for _, status := range []string{facts.StatusActive, facts.StatusInvited, facts.StatusDeactivated} {
		if status != a.Status {
			add(Change{Fact: AssignmentStatus, At: a.Location, From: a.Status, To: status, cost: costStatus}, one(a, func(r *facts.AssignmentRecord) { r.Status = status }))
		}
	}
	if a.At.Parent() == nil {
		w.ofAccess(a, add)
	}
}

// ofAccess returns the changes of what a member of a practice group may use.
func (w *World) ofAccess(a facts.Assignment, add adder) {
	access := facts.Access{}
	if a.Access != nil {
		access = *a.Access
	}
	for _, level := range w.Terms.Levels {
		if level != access.Level {
			add(Change{Fact: Level, At: a.Location, From: text(access.Level), To: level, cost: costLevel}, one(a, func(r *facts.AssignmentRecord) {
				r.Access = &facts.Access{Level: level, Areas: access.Areas}
			}))
		}
	}
	for _, area := range w.Terms.Areas {
		for _, open := range []bool{true, false} {
			is, switched := access.Areas[area]
			if switched && is == open {
				continue
			}
			var from any
			if switched {
				from = is
			}
			add(Change{Fact: Area, At: a.Location, Name: area, From: from, To: open, cost: costArea}, one(a, func(r *facts.AssignmentRecord) {
				areas := maps.Clone(access.Areas)
				if areas == nil {
					areas = map[string]bool{}
				}
				areas[area] = open
				r.Access = &facts.Access{Level: access.Level, Areas: areas}
			}))
		}
	}
}

// ofNewAssignments returns the additions of assignments at the places of the question.
func (w *World) ofNewAssignments(u *facts.User, add adder) {
	for _, at := range w.places() {
		if u.AssignmentAt(at.ID()) != nil {
			continue
		}
		roles := w.Terms.Roles[at.Kind()]
		if at.Model() == facts.ModelPracticeGroup && at.Parent() != nil {
			member := u.AssignmentAt(at.Organization())
			if member == nil {
				continue
			}
			roles = []string{member.Role}
		}
		for _, role := range roles {
			add(Change{Fact: Assignment, At: at.ID(), To: role, cost: costAdded}, func(r *facts.UserRecord) {
				r.Assignments = append(r.Assignments, facts.AssignmentRecord{Location: at.ID(), Role: role})
				if at.Model() == facts.ModelRegional && r.DefaultLocation == "" {
					r.DefaultLocation = at.ID()
				}
			})
		}
	}
}

// one changes one assignment of a record.
func one(a facts.Assignment, change func(*facts.AssignmentRecord)) func(*facts.UserRecord) {
	return func(r *facts.UserRecord) {
		for i := range r.Assignments {
			if r.Assignments[i].Location == a.Location {
				change(&r.Assignments[i])
			}
		}
	}
}

// goesWith reports whether what becomes of an assignment becomes of that at another location too: a member of a practice group has
// one role there, and is assigned to practices only as a member.
func goesWith(u *facts.User, a facts.Assignment, location string) bool {
	if location == a.Location {
		return true
	}
	other := u.AssignmentAt(location)
	return a.At.Model() == facts.ModelPracticeGroup && other != nil && other.At.CoveredBy(a.Location)
}

func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}
