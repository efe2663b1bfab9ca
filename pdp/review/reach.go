package review

import (
	"fmt"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// way is where somebody stands and which place is asked about.
type way struct{ from, place *facts.Location }

// reaches are what the policy says of whom the actions on users can be allowed on, whoever is asked about.
type reaches struct {
	// of has those of the subject asked about last; nil values for ways without any.
	of      map[way][]*pdp.Reach
	subject *facts.User
}

// maxWaysOfAll bounds the ways that are tried to learn that somebody has no power over anybody.
const maxWaysOfAll = 4096

// knownReach is on whom a subject's actions on users can be allowed, and what has which number in its key.
type knownReach struct {
	of      []*pdp.Reach // by action; nil for none
	subject string
	order   []*facts.Location
}

// renamed returns the reaches of a subject with the same key; nil if they name what has no number in it.
func (k *knownReach) renamed(subject *facts.User, order []*facts.Location) []*pdp.Reach {
	user := func(id string) (string, bool) { return subject.ID(), id == k.subject }
	location := func(id string) (string, bool) {
		i := slices.IndexFunc(k.order, func(l *facts.Location) bool { return l.ID() == id })
		if i < 0 {
			return "", false
		}
		return order[i].ID(), true
	}
	renamed := make([]*pdp.Reach, len(k.of))
	for i, reach := range k.of {
		if reach == nil {
			continue
		}
		other, ok := reach.Renamed(user, location)
		if !ok {
			return nil
		}
		renamed[i] = &other
	}
	return renamed
}

// reachesOf returns for each action on users on whom it can be allowed; nil if none is.
func (r *run) reachesOf(subject *facts.User, at *location, from, place *facts.Location) []*pdp.Reach {
	if r.subject != subject || len(r.of) > maxKnown {
		r.subject, r.of = subject, map[way][]*pdp.Reach{}
	}
	on := way{from, place}
	if found, known := r.of[on]; known || r.err != nil {
		return found
	}
	found := r.findReaches(subject, at, on)
	r.of[on] = found
	return found
}

// findReaches asks the policy, unless it was asked about the same way of people and places of other names.
func (r *run) findReaches(subject *facts.User, at *location, on way) []*pdp.Reach {
	if r.Each {
		return r.askReaches(subject, on)
	}
	r.holds(subject, at)
	r.count(aboutReach)
	r.number(on.from)
	r.number(on.place)
	known, seen := r.find(r.key)
	if known == nil {
		key := string(r.key)
		order := slices.Clone(r.order)
		found := r.askReaches(subject, on)
		known = &answer{}
		if found != nil {
			known.reach = &knownReach{found, subject.ID(), order}
		}
		r.add(key, known)
		return found
	}
	var expected []*pdp.Reach
	if known.reach != nil {
		if expected = known.reach.renamed(subject, r.order); expected == nil {
			return r.askReaches(subject, on)
		}
	}
	if !isChecked(seen) {
		return expected
	}
	found := r.askReaches(subject, on)
	if r.err == nil && !slices.EqualFunc(found, expected, equalReaches) {
		r.err = fmt.Errorf("%w: found at %s", ErrTellsApart, subject.ID())
	}
	return found
}

func equalReaches(a, b *pdp.Reach) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

// askReaches asks the policy for each action on users; nil if none can be allowed.
func (r *run) askReaches(subject *facts.User, on way) []*pdp.Reach {
	found := make([]*pdp.Reach, len(r.onUsers))
	some := false
	for i, action := range r.onUsers {
		reach, ok, err := r.reviewer.Reach(r.ctx, pdp.Request{
			Subject: authzen.Entity{Type: "user", ID: subject.ID()}, Action: authzen.Action{Name: action},
			Resource: authzen.Entity{Type: "user", Properties: map[string]any{"location": on.place.ID()}},
			Context:  map[string]any{"current_location": on.from.ID()},
		})
		if err != nil {
			r.err = fmt.Errorf("%s, %s: %w", subject.ID(), action, err)
			return nil
		}
		r.made++
		if ok {
			found[i], some = &reach, true
		}
	}
	if !some {
		return nil
	}
	return found
}

// reachesNobody reports whether somebody who holds a role at a location has no power over any user, as far as that is cheap to tell.
func (r *run) reachesNobody(subject *facts.User, at *location) bool {
	beneath, all := slices.Concat(at.kinds()...), slices.Concat(r.at[at.Organization()].kinds()...)
	if len(beneath)*len(all) > maxWaysOfAll {
		return false
	}
	for _, from := range beneath {
		for _, place := range all {
			if r.reachesOf(subject, at, from.Location, place.Location) != nil {
				return false
			}
		}
	}
	return true
}

// reachesElsewhere reports whether somebody who holds a role at a location can have power over users who have no assignment there or
// beneath, as far as the policy's scope tells.
func (r *run) reachesElsewhere(subject *facts.User, at *location) bool {
	covered := func(id string) bool { return r.at[id] != nil && r.at[id].CoveredBy(at.ID()) }
	every := func(*location) bool { return true }
	froms := firstOfEachKind(at, every)
	outside := firstOfEachKind(r.at[at.Organization()], func(l *location) bool { return !l.CoveredBy(at.ID()) })
	places := adding(slices.Clone(froms), outside...)
	for _, from := range froms {
		for _, place := range places {
			if slices.ContainsFunc(r.reachesOf(subject, at, from, place), func(reach *pdp.Reach) bool { return reach != nil && reach.Beyond(covered) }) {
				return true
			}
		}
	}
	return false
}
