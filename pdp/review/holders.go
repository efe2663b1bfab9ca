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
	powerless bool  // none of them may change or see anything of a user
	marked    bool  // all of them are known to administer somebody

	// The key of the first of them, where policies are compared.
	key   []byte
	order []*facts.Location
}

// holdersAt reviews those who hold a role at a location.
func (r *run) holdersAt(at *location, governed, administers map[int]bool) {
	var all []*holders
	groups, groupOf := map[string]*holders{}, map[int]*holders{}
	users := r.Directory.AllUsers()
	for _, i := range at.users {
		u := users[i]
		a := u.AssignmentAt(at.ID())
		empowered := r.empowering[a.Role] || r.empowering[""]
		if !empowered && len(r.uses) == 0 || !r.comparing() && (!a.Active || u.Record().Status != facts.StatusActive) {
			continue
		}
		key := r.groupKey(u, at)
		if groups[key] == nil || r.Each {
			groups[key] = &holders{powerless: !empowered}
			all = append(all, groups[key])
		}
		groups[key].members, groupOf[i] = append(groups[key].members, i), groups[key]
	}
	if len(all) == 0 {
		return
	}
	if r.comparing() {
		r.reviewChanges(all, at)
	} else {
		var beneath []*alike
		for _, h := range all {
			if !h.powerless {
				if beneath == nil {
					beneath = r.alikeAmong(at.usersBeneath())
				}
				r.review(h, at, beneath, governed, administers)
			}
			r.reviewUse(h, at)
		}
	}
	for _, i := range slices.Sorted(maps.Keys(groupOf)) {
		if counts := r.own(groupOf[i], at, i); len(counts) > 0 {
			r.held = append(r.held, held{users[i], at, counts})
		}
	}
	if at.Parent() != nil {
		at.byKind = nil
	}
}

// review counts what one of the holders may do: on everybody else, and on locations.
func (r *run) review(h *holders, at *location, beneath []*alike, governed, administers map[int]bool) {
	users := r.Directory.AllUsers()
	if h.powerless = r.reachesNobody(users[h.members[0]], at); h.powerless {
		beneath = nil
	} else if r.reachesElsewhere(users[h.members[0]], at) {
		beneath = slices.Concat(beneath, r.elsewhere(at))
	}
	for _, same := range beneath {
		others := same.members
		if i := slices.Index(others, h.members[0]); i >= 0 {
			others = slices.Delete(slices.Clone(others), i, i+1)
			if len(h.members) > 1 { // what a holder may do on another one
				h.count(r, r.askUser(users[h.members[1]], users[h.members[0]], at), h.members[:1], governed, administers)
			}
		}
		r.reviewAlike(h, at, same, others, governed, administers)
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

// elsewhere returns the users of the organization who have no assignment at a location or beneath.
func (r *run) elsewhere(at *location) []*alike {
	if r.everybody == nil {
		r.everybody = r.alikeAmong(r.at[at.Organization()].usersBeneath())
	}
	users := r.Directory.AllUsers()
	return slices.DeleteFunc(slices.Clone(r.everybody), func(same *alike) bool { return isBeneath(users[same.members[0]], at) })
}

// isBeneath reports whether a user has an assignment at a location or beneath.
func isBeneath(u *facts.User, at *location) bool {
	return slices.ContainsFunc(u.Assignments(), func(a facts.Assignment) bool { return a.At.CoveredBy(at.ID()) })
}

// reviewAlike counts what one of the holders may do on users who are alike. Not all of them are asked about.
func (r *run) reviewAlike(h *holders, at *location, same *alike, others []int, governed, administers map[int]bool) {
	users := r.Directory.AllUsers()
	if r.Each {
		for i := range others {
			h.count(r, r.askUser(users[h.members[0]], users[others[i]], at), others[i:i+1], governed, administers)
		}
		return
	}
	if len(others) == 0 {
		return
	}
	kinds := r.askUser(users[h.members[0]], users[others[0]], at)
	for n := 2; n <= len(others); n *= 4 { // that they are alike is checked
		r.askUser(users[h.members[0]], users[others[n-1]], at)
	}
	if same.governed { // and each of them is known to be
		governed = nil
	}
	changes := h.count(r, kinds, others, governed, administers)
	same.governed = same.governed || changes && len(others) == len(same.members)
}

// count counts what one of the holders may do on some users. It reports whether that changes something.
func (h *holders) count(r *run, kinds []uint16, of []int, governed, administers map[int]bool) (changes bool) {
	for _, kind := range kinds {
		h.add(int(kind), len(of))
		changes = changes || r.kind(kind).changes
	}
	if !changes {
		return false
	}
	for _, i := range of {
		if governed != nil {
			governed[i] = true
		}
		h.mark(i, administers)
		if governed == nil && h.marked {
			break
		}
	}
	return true
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
		r.touch(kind, u.AssignmentAt(at.ID()).Role, at, u.ID())
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
