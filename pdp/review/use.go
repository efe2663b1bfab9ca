package review

import (
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// use is an action that needs no current location: what somebody may see and where they may go, rather than whom they administer.
type use struct{ action, resource, over string }

// overUse are what a use is counted over, by the type of the resource.
var overUse = map[string]string{"location": OverLocations, "patient": OverPatients}

// reviewUse counts what holders may see and where they may go: at the location where the role is held, beneath it, and above it.
func (r *run) reviewUse(h *holders, at *location) {
	if len(r.uses) == 0 {
		return
	}
	subject := r.Directory.AllUsers()[h.members[0]]
	count := func(place *location) bool {
		for _, kind := range r.askUse(subject, at, place) {
			h.add(int(kind), 1)
		}
		return r.err == nil
	}
	at.walk(count)
	for above := at.Parent(); above != nil; above = above.Parent() {
		count(r.at[above.ID()])
	}
}

// askUse returns the rows that a place counts in for somebody who holds a role at a location.
func (r *run) askUse(subject *facts.User, at, place *location) []uint16 {
	if isElsewhere(subject, at.Organization()) {
		r.numberPath(at)
		r.user(subject, facts.AnyOrganization)
		r.holdsAt = nil
	} else {
		r.holds(subject, at)
	}
	r.count(aboutUse)
	r.number(place.Location)
	return r.answer(subject, func(q *questions) {
		q.by = at
		for _, u := range r.uses {
			resource := authzen.Entity{Type: u.resource, ID: place.ID()}
			if u.resource == "patient" {
				resource.Properties = map[string]any{"locations": []any{place.ID()}}
			}
			q.ask(authzen.Action{Name: u.action}, resource, nil, u.over)
		}
	})
}

// isElsewhere reports whether a user has an assignment in another organization.
func isElsewhere(u *facts.User, organization string) bool {
	return slices.ContainsFunc(u.Assignments(), func(a facts.Assignment) bool { return a.At.Organization() != organization })
}

// givenBy reports whether the assignment at a location gives the subject what is allowed: it does so alone, or none of theirs does.
func (q *questions) givenBy(at *location, allowed pdp.Request) bool {
	all := q.subject.Assignments()
	if len(all) == 1 {
		return true
	}
	defer q.reviewer.Suppose(nil)
	gives := func(a facts.Assignment) bool {
		alone := q.withOnly(a)
		if alone == nil {
			return false
		}
		q.reviewer.Suppose(alone)
		_, ok := q.may(allowed)
		return ok
	}
	return gives(*q.subject.AssignmentAt(at.ID())) || !slices.ContainsFunc(all, gives)
}

// withOnly returns the subject with one of their assignments; nil if it has no effect alone.
func (q *questions) withOnly(a facts.Assignment) *facts.User {
	rec := q.subject.Record()
	rec.Assignments = []facts.AssignmentRecord{a.AssignmentRecord}
	if rec.DefaultLocation != "" {
		rec.DefaultLocation = a.Location
	}
	u, err := facts.NewUser(rec, q.subject.Version(), func(string) *facts.Location { return a.At })
	if err != nil {
		return nil
	}
	return u
}
