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

// reachesOf returns for each action on users on whom it can be allowed; nil if none is.
func (r *run) reachesOf(subject *facts.User, at *location, from, place *facts.Location) []*pdp.Reach {
	if r.subject != subject || len(r.of) > maxKnown {
		r.subject, r.of = subject, map[way][]*pdp.Reach{}
	}
	on := way{from, place}
	if found, known := r.of[on]; known || r.err != nil {
		return found
	}
	r.holds(subject, at)
	r.count(aboutReach)
	r.number(from)
	r.number(place)
	// Most people have no power: that is known by keys.
	var none *answer
	if !r.Each {
		again := false
		if none, again = r.find(r.key); none != nil && !again {
			return nil
		}
	}
	key := string(r.key)
	found := make([]*pdp.Reach, len(r.onUsers))
	some := false
	for i, action := range r.onUsers {
		reach, ok, err := r.reviewer.Reach(r.ctx, pdp.Request{
			Subject: authzen.Entity{Type: "user", ID: subject.ID()}, Action: authzen.Action{Name: action},
			Resource: authzen.Entity{Type: "user", Properties: map[string]any{"location": place.ID()}},
			Context:  map[string]any{"current_location": from.ID()},
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
	if some && none != nil {
		r.err = fmt.Errorf("%w: found at %s", ErrTellsApart, subject.ID())
		return nil
	}
	if !some {
		found = nil
		if none == nil && !r.Each {
			r.add(key, nil)
		}
	}
	r.of[on] = found
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
