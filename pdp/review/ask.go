package review

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp"
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

// questions asks some questions and collects the rows that they are part of.
type questions struct {
	*run
	subject *facts.User
	by      *location // where the assignment is held that has to give what is asked; nil for any
	repeated
}

// repeated are questions that may have been asked before, of people and places of other names.
type repeated struct {
	asked    int
	answered []uint16 // by question, one more than the id of its row; 0 for none
	// checks has the rows of the same questions when they were asked before: one in checkedOf is asked again. nil: all are asked.
	checks []uint16
	first  int // the first to be asked again
}

// repeat makes the questions be those of an answer that is known.
func (q *repeated) repeat(known *answer) {
	q.checks, q.first = known.rows, int(known.checked.Add(1)-1)%checkedOf
}

// next reports whether the next question is to be asked, and which row it had before, if any: noRow if there was no such question.
func (q *repeated) next() (due bool, expected uint16) {
	i := q.asked
	q.asked++
	switch {
	case q.checks == nil:
		return true, noRow
	case i >= len(q.checks):
		return i%checkedOf == q.first, noRow
	}
	return i%checkedOf == q.first, q.checks[i]
}

// noRow is the row of a question that was not asked before.
const noRow = math.MaxUint16 - 1

// checkedOf is how many questions of those that were asked before one is asked again for. The next time it is another one.
const checkedOf = 4

// kinds returns the ids of the rows that were found, each once.
func (q *questions) kinds() []uint16 {
	var found []uint16
	for _, row := range q.answered {
		if row != 0 && !slices.Contains(found, row-1) {
			found = append(found, row-1)
		}
	}
	slices.Sort(found)
	return found
}

// askUser returns the rows that a user counts in for somebody who holds a role at a location. Asked is about the user at the location
// and at those beneath it where the user is assigned or above that, from there; about the places where the user is assigned, and one
// place of each kind, beneath the location and in the whole organization, where the user is not.
func (r *run) askUser(subject, user *facts.User, at *location) []uint16 {
	if r.comparing() {
		return r.changesOnHolder(subject, user, at)
	}
	r.holds(subject, at)
	r.count(aboutUser)
	r.flag(subject == user)
	r.user(user, at.Organization())
	others := r.unassignedAt(user, at)
	r.count(len(others))
	for _, l := range others {
		r.number(l)
	}
	return r.answer(subject, func(q *questions) {
		froms := []*facts.Location{at.Location}
		places := others
		for _, a := range user.Assignments() {
			if a.At.Organization() != at.Organization() {
				continue
			}
			places = append(places, a.At)
			for from := a.At; from != nil && from.CoveredBy(at.ID()); from = from.Parent() {
				if !slices.Contains(froms, from) {
					froms = append(froms, from)
				}
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
					q.ask(authzen.Action{Name: action}, resource, standing, OverUsers)
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

// answer returns the answer to the questions of the key. It is known if the same ones were asked before.
func (r *run) answer(subject *facts.User, ask func(*questions)) []uint16 {
	if r.err != nil {
		return nil
	}
	if r.err = r.ctx.Err(); r.err != nil {
		return nil
	}
	q := questions{run: r, subject: subject}
	if r.Each {
		ask(&q)
		return q.kinds()
	}
	known, seen := r.find(r.key)
	if known != nil {
		if !isChecked(seen) {
			return known.kinds
		}
		q.repeat(known)
		if ask(&q); r.err == nil && q.asked != len(known.rows) {
			r.err = tellsApart(q.subject)
		}
		return known.kinds
	}
	key := string(r.key) // what is asked changes the key
	ask(&q)
	if r.err != nil {
		return nil
	}
	kinds := q.kinds()
	r.add(key, &answer{kinds: kinds, rows: q.answered})
	return kinds
}

// ask asks one question.
func (q *questions) ask(action authzen.Action, resource authzen.Entity, standing map[string]any, over string) {
	due, expected := q.next()
	if !due || q.err != nil {
		return
	}
	asked := pdp.Request{Subject: authzen.Entity{Type: "user", ID: q.subject.ID()}, Action: action, Resource: resource, Context: standing}
	rule, ok := q.may(asked)
	again := func() bool {
		_, ok := q.may(asked)
		return ok
	}
	ok = ok && (q.by == nil || q.givenBy(q.subject, q.by, again))
	if q.err != nil {
		return
	}
	row := uint16(0)
	if ok {
		row = 1 + q.idOf(kindOfRow{action: action.Name, over: over, rule: rule, changes: !q.reviewer.Policy().ReadOnly(action.Name)})
	}
	if q.checks == nil {
		q.answered = append(q.answered, row)
	} else if row != expected {
		q.err = tellsApart(q.subject)
	}
}

// may asks the policy, and returns the rule that allows the question.
func (q *questions) may(asked pdp.Request) (rule string, ok bool) {
	q.made++
	rule, ok, err := q.reviewer.May(q.ctx, asked)
	if err != nil {
		q.err = fmt.Errorf("%s, %s on %s %q: %w", q.subject.ID(), asked.Action.Name, asked.Resource.Type, asked.Resource.ID, err)
	}
	return rule, ok && err == nil
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
