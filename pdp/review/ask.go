package review

import (
	"cmp"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// What a key is about.
const (
	aboutUser = iota
	aboutLocation
	aboutCrossing
	aboutReach
	aboutUse
)

// askUser returns the rows that a user counts in for somebody who holds a role at a location. Asked is about the places where the user is
// assigned, and one of each kind, beneath the location and in the whole organization, where the user is not; from each of those that is
// the location or beneath it, and from those between it and where the user is assigned.
func (r *run) askUser(subject, user *facts.User, at *location) []uint16 {
	if r.comparing() {
		return r.changesOnHolder(subject, user, at)
	}
	r.holds(subject, at)
	r.count(aboutUser)
	r.flag(subject == user)
	r.user(user, r.seenBy(at.Organization()))
	others := r.unassignedAt(user, at)
	r.count(len(others))
	for _, l := range others {
		r.number(l)
	}
	return r.answer(subject, func(q *questions) {
		froms, over := []*facts.Location{at.Location}, OverElsewhere
		for _, l := range others {
			if l.CoveredBy(at.ID()) {
				froms = adding(froms, l)
			}
		}
		if isBeneath(user, at) {
			over = OverUsers
		}
		places := others
		for _, a := range user.Assignments() {
			if a.At.Organization() != at.Organization() {
				continue
			}
			places = append(places, a.At)
			for from := a.At; from != nil && from.CoveredBy(at.ID()); from = from.Parent() {
				froms = adding(froms, from)
			}
		}
		r.sortByNumber(froms)
		r.sortByNumber(places)
		for _, from := range froms {
			here := places
			if !slices.Contains(here, from) {
				here = append(slices.Clip(here), from)
			}
			standing := map[string]any{"current_location": from.ID()}
			for _, place := range here {
				resource := authzen.Entity{Type: "user", ID: user.ID(), Properties: map[string]any{"location": place.ID()}}
				reaches := r.reachesOf(subject, at, from, place)
				for i, action := range r.onUsers {
					if reaches == nil || reaches[i] == nil || !reaches[i].Admits(user) {
						continue
					}
					q.ask(authzen.Action{Name: action}, resource, standing, over)
				}
			}
		}
	})
}

// sortByNumber sorts locations by their numbers in the key, so that the questions of one key are in one order.
func (r *run) sortByNumber(locations []*facts.Location) {
	if len(locations) > 1 {
		slices.SortStableFunc(locations, func(a, b *facts.Location) int { return cmp.Compare(slices.Index(r.order, a), slices.Index(r.order, b)) })
	}
}

// unassignedAt returns one location of each kind, at or beneath a location and in its organization, at which a user has no assignment.
func (r *run) unassignedAt(user *facts.User, at *location) []*facts.Location {
	var found []*facts.Location
	for _, within := range []*location{at, r.at[at.Organization()]} {
		for _, same := range within.kinds() {
			i := slices.IndexFunc(same, func(l *location) bool { return user.AssignmentAt(l.ID()) == nil })
			if i >= 0 && !slices.Contains(found, same[i].Location) {
				found = append(found, same[i].Location)
			}
		}
		if within.Parent() == nil {
			break
		}
	}
	return found
}

// kinds returns the locations at or beneath a location, by their kinds.
func (l *location) kinds() [][]*location {
	if l.byKind != nil {
		return l.byKind
	}
	l.byKind = [][]*location{}
	l.walk(func(at *location) bool {
		i := slices.IndexFunc(l.byKind, func(same []*location) bool { return same[0].Kind() == at.Kind() })
		if i < 0 {
			l.byKind = append(l.byKind, nil)
			i = len(l.byKind) - 1
		}
		l.byKind[i] = append(l.byKind[i], at)
		return true
	})
	return l.byKind
}

// askLocation returns the rows that a place counts in for somebody who holds a role at it or above: what may be done at it, and
// whether a new user may be invited to it, from there or from where the role is held.
func (r *run) askLocation(subject *facts.User, at, place *location) []uint16 {
	r.holds(subject, at)
	r.count(aboutLocation)
	r.number(place.Location)
	return r.answer(subject, func(q *questions) {
		froms := []*location{at, place}
		if place == at {
			froms = froms[:1]
		}
		for _, from := range froms {
			standing := map[string]any{"current_location": from.ID()}
			for _, action := range r.onLocations {
				q.ask(authzen.Action{Name: action}, authzen.Entity{Type: "location", ID: place.ID()}, standing, OverLocations)
			}
			for _, action := range r.onNewUsers {
				q.ask(authzen.Action{Name: action, Properties: map[string]any{"new": true}},
					authzen.Entity{Type: "user", ID: r.unknownUser, Properties: map[string]any{"location": place.ID()}}, standing, OverNewUsers)
			}
		}
	})
}

// askCrossing reports the rows of what may be done to locations of any organization.
func (r *run) askCrossing(subject *facts.User, at *location, row func(kind uint16)) {
	var actions []string
	for _, action := range r.crossing {
		roles := r.reviewer.Policy().Roles(action)
		if len(roles) == 0 || slices.Contains(roles, subject.AssignmentAt(at.ID()).Role) {
			actions = append(actions, action)
		}
	}
	if len(actions) == 0 {
		return
	}
	standing := map[string]any{"current_location": at.ID()}
	for _, place := range r.locations {
		r.holdsAnywhere(subject, at)
		r.count(aboutCrossing)
		r.number(place.Location)
		for _, kind := range r.answer(subject, func(q *questions) {
			for _, action := range actions {
				q.ask(authzen.Action{Name: action}, authzen.Entity{Type: "location", ID: place.ID()}, standing, OverLocations)
			}
		}) {
			row(kind)
		}
	}
	q := questions{run: r, subject: subject}
	for _, action := range actions {
		q.ask(authzen.Action{Name: action}, authzen.Entity{Type: "location", ID: r.unknownLocation}, standing, OverNewLocations)
	}
	for _, kind := range q.kinds() {
		row(kind)
	}
}

// kind returns a kind of row by its id.
func (r *run) kind(id uint16) kindOfRow {
	if int(id) >= len(r.kinds) {
		r.kinds = r.allKinds()
	}
	return r.kinds[id]
}

// idOf returns the id of a kind of row.
func (r *run) idOf(k kindOfRow) uint16 {
	if i := slices.Index(r.kinds, k); i >= 0 {
		return uint16(i)
	}
	return r.kindID(k)
}
