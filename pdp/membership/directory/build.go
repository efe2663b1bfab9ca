package directory

import (
	"cmp"
	"slices"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// build connects checked records to a directory. Records refer to each other by ordinals, which are smaller than
// pointers and have the same order as the ids. Records that have changed since the previous state get the given version.
func build(in *record.Document, digest [32]byte, version uint64, previous *Directory) *Directory {
	if previous == nil {
		previous = &Directory{}
	}
	d := &Directory{
		Forest:   record.NewForest(in.Locations, version, previous.Forest),
		digest:   digest,
		version:  version,
		users:    make([]*facts.User, len(in.Users)),
		userAt:   make(map[string]int32, len(in.Users)),
		signIn:   make(map[string]int32, len(in.Users)),
		assigned: make([][]int32, len(in.Locations)),
	}
	d.confirmed.Store(time.Now().UnixNano())
	slices.SortFunc(in.Users, func(a, b record.User) int { return cmp.Compare(a.ID, b.ID) })
	for i := range in.Users {
		d.addUser(&in.Users[i], int32(i), previous)
	}
	d.search.users = d.users
	return d
}

func (d *Directory) addUser(in *record.User, i int32, previous *Directory) {
	rec := in.UserRecord
	same := false
	if at, ok := previous.userAt[rec.ID]; ok {
		d.users[i] = previous.users[at]
		same = record.SameUser(d.users[i].Record(), rec)
	}
	for j := range rec.Assignments {
		at := d.Ordinal[rec.Assignments[j].Location]
		l := d.All[at]
		rec.Assignments[j].Location = l.ID() // shares one copy of the id
		d.assigned[at] = append(d.assigned[at], i)
		same = same && l == previous.ByID(l.ID())
	}
	if !same {
		// NewUser cannot fail, because the document has been checked.
		d.users[i], _ = facts.NewUser(rec, d.version, d.ByID)
	}
	d.userAt[d.users[i].ID()] = i
	if rec.Username != "" {
		d.signIn[facts.FoldCanonical(rec.Username)] = i
	}
}
