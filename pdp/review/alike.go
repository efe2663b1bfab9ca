package review

import (
	"encoding/binary"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// alike are users of whom one organization has the same facts, at the same locations: they differ in what the policy does not know.
// Whatever is asked of one of them is asked of all.
type alike struct {
	members  []int
	governed bool // it is noted that somebody may change something of each of them
}

// alikeAmong groups users of the organization.
func (r *run) alikeAmong(users []int) []*alike {
	all := r.Directory.AllUsers()
	if r.profiles == nil {
		r.profiles, r.profileOf = map[string]int{}, map[int]int{}
	}
	groups := map[int]*alike{}
	var inOrder []*alike
	for _, i := range users {
		profile, known := r.profileOf[i]
		if !known {
			key := r.profile(all[i], r.seenBy(r.root.ID()))
			if profile, known = r.profiles[key]; !known {
				profile = len(r.profiles)
				r.profiles[key] = profile
			}
			r.profileOf[i] = profile
		}
		if groups[profile] == nil {
			groups[profile] = &alike{}
			inOrder = append(inOrder, groups[profile])
		}
		groups[profile].members = append(groups[profile].members, i)
	}
	return inOrder
}

// profile is the key of a user among those of an organization.
func (r *run) profile(u *facts.User, organization string) string {
	r.order, r.key, r.holdsAt = r.order[:0], r.key[:0], nil
	r.user(u, organization)
	var b strings.Builder
	b.Write(r.key)
	for _, l := range r.order { // what has which number in the key
		b.Write(binary.AppendUvarint(nil, uint64(len(l.ID()))))
		b.WriteString(l.ID())
	}
	return b.String()
}
