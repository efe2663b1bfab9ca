package review

import (
	"maps"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// holders are those who hold alike at one location: the same facts but for the ids.
type holders struct {
	members   []int
	counts    []int // by kind of row
	powerless bool  // none of them may do anything to a user
	marked    bool  // all of them are known to administer somebody
}

// holdersAt reviews those who hold a role at a location that can give power.
func (r *run) holdersAt(at *location, governed, administers map[int]bool) {
	var all []*holders
	groups, groupOf := map[string]*holders{}, map[int]*holders{}
	users := r.Directory.AllUsers()
	for _, i := range at.users {
		u := users[i]
		a := u.AssignmentAt(at.ID())
		if !a.Active || !r.empowering[a.Role] && !r.empowering[""] || u.Record().Status != facts.StatusActive {
			continue
		}
		key := r.groupKey(u, at)
		if groups[key] == nil || r.Each {
			groups[key] = &holders{}
			all = append(all, groups[key])
		}
		groups[key].members, groupOf[i] = append(groups[key].members, i), groups[key]
	}
	if len(all) == 0 {
		return
	}
	beneath := at.usersBeneath()
	for _, h := range all {
		r.review(h, at, beneath, governed, administers)
	}
	for _, i := range slices.Sorted(maps.Keys(groupOf)) {
		r.rowsOf(users[i], at, r.own(groupOf[i], at, i))
	}
	if at.Parent() != nil {
		at.byKind = nil
	}
}

// review counts what one of the holders may do: on everybody else, and on locations.
func (r *run) review(h *holders, at *location, beneath []int, governed, administers map[int]bool) {
	users := r.Directory.AllUsers()
	if h.powerless = r.reachesNobody(users[h.members[0]], at); h.powerless {
		beneath = nil
	}
	for _, i := range beneath {
		subject := h.members[0]
		if i == subject {
			if len(h.members) == 1 {
				continue
			}
			subject = h.members[1] // what a holder may do on another one
		}
		changes := false
		for _, kind := range r.askUser(users[subject], users[i], at) {
			h.add(int(kind), 1)
			changes = changes || r.kind(kind).changes
		}
		if !changes {
			continue
		}
		governed[i] = true
		h.mark(i, administers)
	}
	subject := users[h.members[0]]
	at.walk(func(place *location) bool {
		for _, kind := range r.askLocation(subject, at, place) {
			h.add(int(kind), 1)
		}
		return r.err == nil
	})
	r.askCrossing(subject, at, func(kind uint16) { h.add(int(kind), 1) })
}

// mark notes that the holders may change a user, and so administer somebody unless they are that user.
func (h *holders) mark(user int, administers map[int]bool) {
	if h.marked {
		return
	}
	h.marked = true
	for _, member := range h.members {
		if member == user {
			h.marked = false
			continue
		}
		administers[member] = true
	}
}

func (h *holders) add(kind, n int) {
	for len(h.counts) <= kind {
		h.counts = append(h.counts, 0)
	}
	h.counts[kind] += n
}

// own returns what one holder may do, where they are one of those beneath the location.
func (r *run) own(h *holders, at *location, i int) []int {
	u := r.Directory.AllUsers()[i]
	if h.powerless {
		return h.counts
	}
	own := &holders{counts: slices.Clone(h.counts)}
	for _, kind := range r.askUser(u, u, at) {
		own.add(int(kind), 1)
	}
	if len(h.members) == 1 {
		return own.counts
	}
	other := h.members[0]
	if other == i {
		other = h.members[1]
	}
	for _, kind := range r.askUser(r.Directory.AllUsers()[other], u, at) {
		own.add(int(kind), -1)
	}
	return own.counts
}
