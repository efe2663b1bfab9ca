package review

import (
	"slices"

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
	r.holdsAnywhere(subject, at)
	r.count(aboutUse)
	r.number(place.Location)
	return r.answer(subject, func(q *questions) {
		q.by = at
		for _, u := range r.uses {
			resource := authzen.Entity{Type: u.resource, ID: place.ID()}
			if u.over == OverPatients {
				resource = r.patientAt(place)
			}
			q.ask(authzen.Action{Name: u.action}, resource, nil, u.over)
		}
	})
}

// patientAt returns a patient of one location, who is nobody of the directory.
func (r *shared) patientAt(place *location) authzen.Entity {
	return authzen.Entity{Type: "patient", ID: r.unknownUser, Properties: map[string]any{"locations": []any{place.ID()}}}
}

// givenBy reports whether it is the assignment at a location that makes something so for a subject: it does so alone, or none of
// theirs does.
func (r *run) givenBy(subject *facts.User, at *location, so func() bool) bool {
	all := subject.Assignments()
	if len(all) == 1 {
		return true
	}
	defer r.suppose(nil)
	alone := func(a facts.Assignment) bool {
		u := withOnly(subject, a)
		if u == nil {
			return false
		}
		r.suppose(u)
		return so()
	}
	return alone(*subject.AssignmentAt(at.ID())) || !slices.ContainsFunc(all, alone)
}

// suppose makes the policies see a user as the one given; nil ends that.
func (r *run) suppose(u *facts.User) {
	r.reviewer.Suppose(u)
	if r.was != nil {
		r.was.Suppose(u)
	}
}

// withOnly returns a user with one of their assignments; nil if it is none by itself.
func withOnly(u *facts.User, a facts.Assignment) *facts.User {
	rec := u.Record()
	rec.Assignments = []facts.AssignmentRecord{a.AssignmentRecord}
	if rec.DefaultLocation != "" {
		rec.DefaultLocation = a.Location
	}
	only, err := facts.NewUser(rec, u.Version(), func(string) *facts.Location { return a.At })
	if err != nil {
		return nil
	}
	return only
}
