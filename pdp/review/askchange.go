package review

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// reviewChanges counts what becomes otherwise for those who hold a role at a location: with everybody else of the organization, and
// with its locations.
func (r *run) reviewChanges(all []*holders, at *location) {
	users := r.Directory.AllUsers()
	root := r.at[at.Organization()]
	for _, h := range all {
		if h.powerless = len(r.forms[OverUsers]) == 0; h.powerless {
			continue
		}
		r.holds(users[h.members[0]], at)
		h.key, h.order = slices.Clone(r.key), slices.Clone(r.order)
	}
	if len(r.forms[OverUsers]) > 0 {
		others := r.targetsIn(root)
		for _, t := range others {
			t.beneath = r.unassignedBeneath(users[t.members[0]], at)
		}
		for _, h := range all {
			for _, t := range others {
				r.changesBetween(h, t, at)
			}
		}
	}
	for _, h := range all {
		subject := users[h.members[0]]
		role := subject.AssignmentAt(at.ID()).Role
		root.walk(func(place *location) bool {
			if len(r.forms[OverLocations])+len(r.forms[OverNewUsers])+len(r.forms[OverPatients]) == 0 {
				return false
			}
			for _, kind := range r.changesAt(subject, at, place) {
				h.add(int(kind), 1)
				r.touch(kind, role, at, place.ID())
			}
			return r.err == nil
		})
		r.changesAcross(subject, at, func(kind uint16, id string) {
			h.add(int(kind), 1)
			r.touch(kind, role, at, id)
		})
	}
}

// changesBetween counts what becomes otherwise for holders with users who are alike.
func (r *run) changesBetween(h *holders, t *targets, at *location) {
	users := r.Directory.AllUsers()
	subject, target, n := h.members[0], t.members[0], len(t.members)
	itself := -1
	if _, ok := slices.BinarySearch(t.members, subject); ok {
		switch {
		case len(h.members) > 1: // what a holder may do on another one
			target, subject = subject, h.members[1]
		case n == 1:
			return
		default:
			itself = subject
			n--
			if target == subject {
				target = t.members[1]
			}
		}
	}
	r.key, r.order = append(r.key[:0], h.key...), append(r.order[:0], h.order...)
	r.holder, r.holdsAt = nil, nil
	for _, kind := range r.changesOn(users[subject], users[target], at, t.places, t.beneath) {
		h.add(int(kind), n)
		role := users[subject].AssignmentAt(at.ID()).Role
		for _, i := range t.members {
			if i != itself {
				r.touch(kind, role, at, users[i].ID())
			}
		}
	}
}

// changesOnHolder returns the rows of what becomes otherwise for somebody who holds a role at a location, with a user who does, too.
func (r *run) changesOnHolder(subject, user *facts.User, at *location) []uint16 {
	r.holds(subject, at)
	return r.changesOn(subject, user, at, r.placesFor(user, r.at[at.Organization()]), r.unassignedBeneath(user, at))
}

// changesOn returns the rows of what becomes otherwise for a subject, whose key has been begun, with a user. Asked is about each of
// the places, the further ones, and the location where the role is held.
func (r *run) changesOn(subject, user *facts.User, at *location, places, further []*facts.Location) []uint16 {
	r.count(aboutUser)
	r.flag(subject == user)
	r.user(user, r.seenBy(at.Organization()))
	r.numberAll(places)
	r.numberAll(further)
	return r.compared(subject, func(q *comparison) {
		here := standing{places: adding(adding(slices.Clip(places), further...), at.Location)}
		froms := stands(subject, at, here.places)
		for _, f := range r.forms[OverUsers] {
			for _, from := range f.from(froms) {
				here.from = from
				for _, place := range here.places {
					if from != nil && !r.Unscoped && !r.reachable(subject, at, from, place, f.Action.Name) {
						continue
					}
					resource := authzen.Entity{Type: "user", ID: user.ID(), Properties: map[string]any{"location": place.ID()}}
					q.ask(&f, resource, here, OverUsers)
				}
			}
		}
	})
}

// reachable reports whether one of the policies can allow an action on some user, as far as its scope tells. That is known by keys.
func (r *run) reachable(subject *facts.User, at *location, from, place *facts.Location, action string) bool {
	r.holds(subject, at)
	r.count(aboutReach)
	r.text(action)
	r.number(from)
	r.number(place)
	known, seen := r.find(r.key)
	if r.err != nil || known != nil && !isChecked(seen) && !r.Each {
		return known != nil && len(known.kinds) > 0
	}
	key := string(r.key)
	var some []uint16 // which it is does not matter
	for _, reviewer := range []*pdp.Reviewer{r.was, r.reviewer} {
		r.made++
		_, ok, err := reviewer.Reach(r.ctx, pdp.Request{
			Subject: authzen.Entity{Type: "user", ID: subject.ID()}, Action: authzen.Action{Name: action},
			Resource: authzen.Entity{Type: "user", Properties: map[string]any{"location": place.ID()}},
			Context:  map[string]any{"current_location": from.ID()},
		})
		if err != nil {
			r.err = fmt.Errorf("%s, %s: %w", subject.ID(), action, err)
			return false
		}
		if ok {
			some = []uint16{0}
			break
		}
	}
	switch {
	case r.Each:
	case known == nil:
		r.add(key, &answer{kinds: some})
	case len(known.kinds) != len(some):
		r.err = fmt.Errorf("%w: found at %s", ErrTellsApart, subject.ID())
	}
	return some != nil
}

// from returns where the subject may stand: nowhere, which is nil, if the action needs no current location.
func (f *form) from(froms []*facts.Location) []*facts.Location {
	if f.standsNowhere {
		return []*facts.Location{nil}
	}
	return froms
}

// changesAt returns the rows of what becomes otherwise for somebody who holds a role at a location, with a place.
func (r *run) changesAt(subject *facts.User, at, place *location) []uint16 {
	every := func(*location) bool { return true }
	named := []*facts.Location{at.Location}
	for above := place.Location; above != nil; above = above.Parent() {
		named = adding(named, above)
	}
	for _, l := range []*location{place, at, r.at[at.Organization()]} {
		named = adding(named, firstOfEachKind(l, every)...)
	}
	r.holdsAnywhere(subject, at)
	r.count(aboutLocation)
	r.number(place.Location)
	r.numberAll(named)
	return r.compared(subject, func(q *comparison) {
		q.by = at
		froms := stands(subject, at, named)
		for _, f := range r.forms[OverPatients] {
			q.ask(&f, r.patientAt(place), standing{nil, named}, OverPatients)
		}
		for _, f := range r.forms[OverLocations] {
			for _, from := range f.from(froms) {
				q.ask(&f, authzen.Entity{Type: "location", ID: place.ID()}, standing{from, named}, OverLocations)
			}
		}
		for _, f := range r.forms[OverNewUsers] {
			for _, from := range f.from(froms) {
				resource := authzen.Entity{Type: "user", ID: r.unknownUser, Properties: map[string]any{"location": place.ID()}}
				q.ask(&f, resource, standing{from, named}, OverNewUsers)
			}
		}
	})
}

// changesAcross reports the rows of what becomes otherwise with locations of any organization.
func (r *run) changesAcross(subject *facts.User, at *location, row func(kind uint16, id string)) {
	for _, place := range r.locations {
		if len(r.forms[OverNewLocations]) == 0 {
			return
		}
		r.holdsAnywhere(subject, at)
		r.count(aboutCrossing)
		r.number(place.Location)
		for _, kind := range r.compared(subject, func(q *comparison) {
			for _, f := range r.forms[OverNewLocations] {
				there := standing{f.from([]*facts.Location{at.Location})[0], []*facts.Location{place.Location, at.Location}}
				q.ask(&f, authzen.Entity{Type: "location", ID: place.ID()}, there, OverLocations)
			}
		}) {
			row(kind, place.ID())
		}
	}
	q := comparison{questions: &questions{run: r, subject: subject}}
	for _, f := range r.forms[OverNewLocations] {
		there := standing{f.from([]*facts.Location{at.Location})[0], []*facts.Location{at.Location}}
		q.ask(&f, authzen.Entity{Type: "location", ID: r.unknownLocation}, there, OverNewLocations)
	}
	for _, kind := range q.kinds() {
		row(kind, r.unknownLocation)
	}
}

// comparison asks both policies some questions and collects the rows of what becomes otherwise.
type comparison struct {
	*questions
	found []uint16
}

// notAsked stands for a question that needed no answer, because another one had given the row.
const notAsked = math.MaxUint16

// compared returns the rows of the questions of the key.
func (r *run) compared(subject *facts.User, ask func(*comparison)) []uint16 {
	return r.answer(subject, func(q *questions) { ask(&comparison{questions: q}) })
}

// ask asks both policies a question of a form, once for each of the locations that the action may name.
func (q *comparison) ask(f *form, resource authzen.Entity, at standing, over string) {
	resource.Properties = joined(f.Resource, resource.Properties)
	standing := f.Context
	if at.from != nil {
		standing = joined(f.Context, map[string]any{"current_location": at.from.ID()})
	}
	if len(f.Location)+len(f.Locations) == 0 {
		q.both(f, f.Action, resource, standing, over)
		return
	}
	for _, l := range at.places {
		names := map[string]any{}
		for _, property := range f.Location {
			names[property] = l.ID()
		}
		for _, property := range f.Locations {
			names[property] = []any{l.ID()}
		}
		q.both(f, authzen.Action{Name: f.Action.Name, Properties: joined(f.Action.Properties, names)}, resource, standing, over)
	}
}

func (q *comparison) both(f *form, action authzen.Action, resource authzen.Entity, standing map[string]any, over string) {
	due, expected := q.next()
	if !due || q.err != nil || expected == notAsked {
		return
	}
	gained, lost := q.idOf(kindOfRow{action.Name, over, "", f.changes, Gained}), q.idOf(kindOfRow{action.Name, over, "", f.changes, Lost})
	wanted := gained
	if f.Change == Lost {
		wanted = lost
	}
	if slices.Contains(q.found, wanted) {
		q.answered = append(q.answered, notAsked)
		return
	}
	asked := pdp.Request{Subject: authzen.Entity{Type: "user", ID: q.subject.ID(), Properties: f.Subject}, Action: action, Resource: resource, Context: standing}
	was, is := q.allow(asked)
	row, id := uint16(0), gained
	if was {
		id = lost
	}
	differ := func() bool {
		alsoWas, alsoIs := q.allow(asked)
		return alsoWas == was && alsoIs == is
	}
	if was != is && (!f.standsNowhere || q.by == nil || q.givenBy(q.subject, q.by, differ)) {
		row = 1 + id
	}
	switch {
	case q.err != nil:
		return
	case q.checks != nil:
		if row != expected {
			q.err = tellsApart(q.subject)
		}
		return
	case row != 0 && !slices.Contains(q.found, id):
		q.found = append(q.found, id)
	}
	q.answered = append(q.answered, row)
}

// allow asks both policies.
func (q *comparison) allow(asked pdp.Request) (was, is bool) {
	var allowed [2]bool
	for i, reviewer := range []*pdp.Reviewer{q.was, q.reviewer} {
		if q.err != nil {
			return false, false
		}
		q.made++
		allowed[i], q.err = reviewer.Allows(q.ctx, asked)
	}
	return allowed[0], allowed[1]
}

// joined returns the members of two objects.
func joined(a, b map[string]any) map[string]any {
	if len(a) == 0 {
		return b
	}
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}
