package membership

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// build joins the records of a checked draft. Ordinals, not pointers, connect them: they are ids in order, and small.
// The version is that of what has changed since the previous one.
func build(in *draft, digest [32]byte, version uint64, previous *Directory) *Directory {
	d := &Directory{
		digest:     digest,
		version:    version,
		locations:  make([]*pdp.Location, len(in.locations)),
		users:      make([]*pdp.User, len(in.users)),
		locationAt: make(map[string]int32, len(in.locations)),
		userAt:     make(map[string]int32, len(in.users)),
		signIn:     make(map[string]int32, len(in.users)),
		children:   make([][]int32, len(in.locations)),
		assigned:   make([][]int32, len(in.locations)),
	}
	d.confirmed.Store(time.Now().UnixNano())
	if previous == nil {
		previous = &Directory{}
	}
	slices.SortFunc(in.locations, func(a, b locationDraft) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(in.users, func(a, b userDraft) int { return cmp.Compare(a.ID, b.ID) })
	for i, l := range in.locations {
		d.locationAt[l.ID] = int32(i)
	}
	for i := range in.locations {
		d.joinLocation(in.locations, int32(i), previous)
	}
	for i := range in.users {
		d.joinUser(&in.users[i], int32(i), previous)
	}
	d.search.users = d.users
	return d
}

// joinLocation makes the parents first.
func (d *Directory) joinLocation(in []locationDraft, i int32, previous *Directory) *pdp.Location {
	if d.locations[i] != nil {
		return d.locations[i]
	}
	rec := in[i].LocationRecord
	var parent *pdp.Location
	if rec.Parent != "" {
		above := d.locationAt[rec.Parent]
		parent = d.joinLocation(in, above, previous)
		d.children[above] = append(d.children[above], i)
	}
	l := previous.location(rec.ID)
	if l == nil || l.Parent() != parent || l.Record() != rec {
		l = pdp.NewLocation(rec, parent, d.version)
	}
	d.locations[i] = l
	return l
}

func (d *Directory) joinUser(in *userDraft, i int32, previous *Directory) {
	rec := in.UserRecord
	same := false
	if at, ok := previous.userAt[rec.ID]; ok {
		d.users[i] = previous.users[at]
		same = sameUser(d.users[i].Record(), rec)
	}
	for j := range rec.Assignments {
		at := d.locationAt[rec.Assignments[j].Location]
		l := d.locations[at]
		rec.Assignments[j].Location = l.ID() // one copy of the id for all
		d.assigned[at] = append(d.assigned[at], i)
		same = same && l == previous.location(l.ID())
	}
	if !same {
		// The draft has been checked: each location is there.
		d.users[i], _ = pdp.NewUser(rec, d.version, d.location)
	}
	d.userAt[d.users[i].ID()] = i
	if rec.Username != "" {
		d.signIn[pdp.FoldCanonical(rec.Username)] = i
	}
}

func sameUser(a, b pdp.UserRecord) bool {
	return a.ID == b.ID && a.Username == b.Username && a.Name == b.Name && a.Status == b.Status &&
		a.DefaultLocation == b.DefaultLocation && a.LastLogin.Equal(b.LastLogin) &&
		slices.EqualFunc(a.Assignments, b.Assignments, sameAssignment)
}

func sameAssignment(a, b pdp.AssignmentRecord) bool {
	if (a.Access == nil) != (b.Access == nil) {
		return false
	}
	if a.Access != nil && (a.Access.Level != b.Access.Level || !maps.Equal(a.Access.Areas, b.Access.Areas)) {
		return false
	}
	a.Access, b.Access = nil, nil
	return a == b
}
