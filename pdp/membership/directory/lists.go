package directory

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

const rankings = 2 * len(membership.SortKeys)

// ranking puts users in one order. Then the list of any location is a sorted list of numbers, and the place of a user in
// it is found by the user's own.
//
// Mostly it is one of all users of the directory. Where organizations differ in what they see of a user, each has its own.
type ranking struct {
	once   sync.Once
	all    bool    // users of the directory
	ranked []int32 // else those, ascending
	users  []int32 // by rank
	ranks  []int32 // by user, or by index in ranked
}

// rankingKey names the ranking of one organization.
type rankingKey struct {
	organization string
	ranking      int
}

// rank is false for a user of another organization.
func (r *ranking) rank(user int32) (int32, bool) {
	if r.all {
		return r.ranks[user], true
	}
	at, ok := slices.BinarySearch(r.ranked, user)
	if !ok {
		return 0, false
	}
	return r.ranks[at], true
}

// build ranks users by what sortedBy gives for each.
func (r *ranking) build(users []int32, sortedBy func(user int32) (first, second string), descending bool) {
	type entry struct {
		first, second string
		user, at      int32
	}
	entries := make([]entry, len(users))
	for i, user := range users {
		entries[i].user, entries[i].at = user, int32(i)
		entries[i].first, entries[i].second = sortedBy(user)
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(
			absentLast(a.first, b.first, descending),
			absentLast(a.second, b.second, descending),
			cmp.Compare(a.user, b.user), // ordinals are in the order of ids
		)
	})
	r.users = make([]int32, len(users))
	r.ranks = make([]int32, len(users))
	for rank, e := range entries {
		r.users[rank] = e.user
		r.ranks[e.at] = int32(rank)
	}
}

func absentLast(a, b string, descending bool) int {
	switch {
	case a == "" || b == "":
		return cmp.Compare(len(b), len(a))
	case descending:
		return strings.Compare(b, a)
	}
	return strings.Compare(a, b)
}

// sortedBy gives what a user is sorted by, and what then; empty where it is absent.
func sortedBy(u *facts.User, key facts.SortKey) (first, second string) {
	rec := u.Record()
	switch key {
	case facts.SortUsername:
		return facts.Fold(rec.Username), ""
	case facts.SortDefaultLocation:
		return facts.Fold(rec.DefaultLocation), ""
	case facts.SortLastLogin:
		return sortableTime(rec.LastLogin), ""
	}
	return facts.Fold(rec.Name.Family), facts.Fold(rec.Name.Given)
}

// sortableTime compares like the time.
func sortableTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(t.Unix())^1<<63) // negative before positive
	return string(binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond())))
}

type listKey struct {
	location string
	ranking  int
}

// ranks is the list of a location: the ranks of its users, ascending.
type ranks struct {
	once sync.Once
	all  []int32
}

// ranking is the one that the list of a location goes by. It is false for an unknown location, of which nothing is kept:
// what callers ask for is without bounds.
func (d *Directory) ranking(key listKey) (*ranking, bool) {
	at, ok := d.Ordinal[key.location]
	if !ok && key.location != "" {
		return nil, false
	}
	by, descending := membership.SortKeys[key.ranking/2], key.ranking%2 == 1
	if by != facts.SortDefaultLocation || key.location == "" {
		r := &d.rankings[key.ranking]
		r.once.Do(func() {
			everyone := make([]int32, len(d.users))
			for i := range everyone {
				everyone[i] = int32(i)
			}
			r.all = true
			r.build(everyone, func(user int32) (string, string) { return sortedBy(d.users[user], by) }, descending)
		})
		return r, true
	}
	// An organization does not see a default location in another one, so that it must not show in the order either.
	organization := d.All[at].Organization()
	kept, _ := d.byOrganization.LoadOrStore(rankingKey{organization, key.ranking}, &ranking{})
	r := kept.(*ranking)
	r.once.Do(func() {
		r.ranked = d.usersBeneath(d.Ordinal[organization])
		r.build(r.ranked, func(user int32) (first, second string) {
			u := d.users[user]
			if l := d.ByID(u.Record().DefaultLocation); l == nil || l.Organization() != organization {
				return "", ""
			}
			return sortedBy(u, by)
		}, descending)
	})
	return r, true
}

// list is built when first asked for, and kept.
func (d *Directory) list(key listKey, r *ranking) []int32 {
	kept, _ := d.lists.LoadOrStore(key, &ranks{})
	l := kept.(*ranks)
	l.once.Do(func() {
		if key.location == "" {
			l.all = slices.Sorted(slices.Values(r.ranks))
			return
		}
		l.all = d.usersBeneath(d.Ordinal[key.location])
		for i, user := range l.all {
			l.all[i], _ = r.rank(user) // all are of the organization
		}
		slices.Sort(l.all)
	})
	return l.all
}

// usersBeneath gives the users with an assignment at a location or beneath it, ascending.
func (d *Directory) usersBeneath(at int32) []int32 {
	var all []int32
	for _, beneath := range d.Covered(at) {
		all = append(all, d.assigned[beneath]...)
	}
	slices.Sort(all)
	return slices.Clip(slices.Compact(all))
}

// Users implements [facts.View]. The whole directory includes the users without any assignment.
func (d *Directory) Users(ctx context.Context, q facts.UserQuery) (facts.Users, error) {
	sort := 0
	if q.Sort != "" {
		if sort = slices.Index(membership.SortKeys[:], q.Sort); sort < 0 {
			return facts.Users{}, &pdp.Error{Kind: pdp.Invalid, Message: "There is no such order."}
		}
	}
	sort *= 2
	if q.Descending {
		sort++
	}
	key := listKey{location: q.Beneath, ranking: sort}
	r, ok := d.ranking(key)
	if !ok {
		return facts.Users{}, nil
	}
	in := d.list(key, r)
	wanted := d.search.matching(q.Text)
	size := membership.PageLimit(q.Limit)
	var page facts.Users
	for i := d.place(in, r, q.After); i < len(in); i++ {
		if i%4096 == 0 && ctx.Err() != nil {
			return facts.Users{}, &pdp.Error{Kind: pdp.Timeout, Message: "It took too long to decide this.", Err: ctx.Err()}
		}
		user := r.users[in[i]]
		if wanted != nil && !wanted(user) {
			continue
		}
		if len(page.Users) == size {
			page.More = true
			break
		}
		u := d.users[user]
		page.Users = append(page.Users, u)
		page.Cursors = append(page.Cursors, facts.Cursor{ID: u.ID(), Offset: i + 1})
	}
	return page, nil
}

// place is the index in a list right behind a cursor.
func (d *Directory) place(in []int32, r *ranking, after facts.Cursor) int {
	if user, ok := d.userAt[after.ID]; ok {
		if rank, ok := r.rank(user); ok {
			if i, ok := slices.BinarySearch(in, rank); ok {
				return i + 1
			}
		}
	}
	return min(max(after.Offset, 0), len(in))
}

// searchTexts is what a text filter looks through, built when first asked for.
type searchTexts struct {
	users     []*facts.User
	once      sync.Once
	names     []string // folded "given family", by user, in NFC
	usernames []string // folded, by user, in NFC
}

// matching gives the filter for a text, nil for one that matches all.
func (s *searchTexts) matching(text string) func(user int32) bool {
	if text == "" {
		return nil
	}
	s.once.Do(func() {
		s.names = make([]string, len(s.users))
		s.usernames = make([]string, len(s.users))
		for i, u := range s.users {
			rec := u.Record()
			s.names[i] = facts.FoldCanonical(givenFamily(rec.Name))
			s.usernames[i] = facts.FoldCanonical(rec.Username)
		}
	})
	part := facts.FoldCanonical(text)
	return func(user int32) bool {
		return strings.Contains(s.names[user], part) || strings.Contains(s.usernames[user], part)
	}
}

// givenFamily is "given family", or the one of them that is there.
func givenFamily(n facts.Name) string {
	if n.Given == "" || n.Family == "" {
		return n.Given + n.Family
	}
	return n.Given + " " + n.Family
}
