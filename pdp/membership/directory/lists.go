package directory

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// ranking is an order of users. It gives each user a rank, so that the list of a location is a sorted list of ranks, in
// which a user can be found by binary search.
//
// One ranking of all users serves every location, unless organizations see different values of a sort key. Then each
// organization has its own.
type ranking struct {
	once       sync.Once
	built      atomic.Bool
	all        bool    // includes all users of the directory
	members    []int32 // if not all: the users, ascending
	users      []int32 // by rank
	ranks      []int32 // by user; by index in members if not all
	sortedBy   func(user int32) sortValues
	descending bool
}

// sortValues are what a user is sorted by, then the id. Each is empty if absent.
type sortValues struct{ first, second string }

// compare compares two users by their sort values and ids.
func (r *ranking) compare(a, b sortValues, aID, bID string) int {
	return cmp.Or(absentLast(a.first, b.first, r.descending), absentLast(a.second, b.second, r.descending), strings.Compare(aID, bID))
}

// rankingKey identifies the ranking of one organization.
type rankingKey struct {
	organization string
	order        int
}

// rank returns the rank of a user. It returns false for a user of another organization.
func (r *ranking) rank(user int32) (int32, bool) {
	if r.all {
		return r.ranks[user], true
	}
	at, ok := slices.BinarySearch(r.members, user)
	if !ok {
		return 0, false
	}
	return r.ranks[at], true
}

// build ranks users by the values that sortedBy returns for each user.
func (r *ranking) build(users []int32, sortedBy func(user int32) sortValues, descending bool) {
	r.sortedBy, r.descending = sortedBy, descending
	type entry struct {
		sortValues
		user, at int32
	}
	entries := make([]entry, len(users))
	for i, user := range users {
		entries[i] = entry{sortedBy(user), user, int32(i)}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		// User numbers are in the order of the ids.
		return cmp.Or(r.compare(a.sortValues, b.sortValues, "", ""), cmp.Compare(a.user, b.user))
	})
	r.users = make([]int32, len(users))
	r.ranks = make([]int32, len(users))
	for rank, e := range entries {
		r.users[rank] = e.user
		r.ranks[e.at] = int32(rank)
	}
	r.built.Store(true)
}

// absentLast compares two sort values. An absent value is empty and comes last in both directions.
func absentLast(a, b string, descending bool) int {
	switch {
	case a == "" || b == "":
		return cmp.Compare(len(b), len(a))
	case descending:
		return strings.Compare(b, a)
	}
	return strings.Compare(a, b)
}

// valuesAt returns the values of a position in a list.
func valuesAt(c facts.Cursor, key facts.SortKey) sortValues {
	if key == facts.SortLastLogin {
		at, _ := time.Parse(time.RFC3339Nano, c.First)
		return sortValues{first: sortableTime(at)}
	}
	return sortValues{facts.Fold(c.First), facts.Fold(c.Second)}
}

// sortableTime encodes a time so that the strings have the order of the times. The zero time is empty.
func sortableTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(t.Unix())^1<<63) // sorts negative before positive
	return string(binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond())))
}

// listKey identifies the list of a location, or of the whole directory if the location is empty.
type listKey struct {
	location string
	order    int
}

// list contains the ranks of the users of a location, ascending.
type list struct {
	once  sync.Once
	built atomic.Bool
	ranks []int32
}

// ranking returns the ranking for the list of a location, which it builds on first use. For an unknown location it
// returns false and stores nothing, because callers can name any number of unknown locations.
func (d *Directory) ranking(key listKey) (*ranking, bool) {
	at, ok := d.Ordinal[key.location]
	if !ok && key.location != "" {
		return nil, false
	}
	by, descending := membership.SortKeys[key.order/2], key.order%2 == 1
	if by != facts.SortDefaultLocation || key.location == "" {
		r := &d.rankings[key.order]
		r.once.Do(func() {
			all := make([]int32, len(d.users))
			for i := range all {
				all[i] = int32(i)
			}
			r.all = true
			r.build(all, func(user int32) sortValues { return valuesAt(d.cursorAfter(user, by, ""), by) }, descending)
		})
		return r, true
	}
	// ALL-4: an organization must not see a default location in another one, so the order must not reveal it.
	organization := d.All[at].Organization()
	kept, _ := d.byOrganization.LoadOrStore(rankingKey{organization, key.order}, &ranking{})
	r := kept.(*ranking)
	r.once.Do(func() {
		r.members = d.usersBeneath(d.Ordinal[organization])
		r.build(r.members, func(user int32) sortValues { return valuesAt(d.cursorAfter(user, by, organization), by) }, descending)
	})
	return r, true
}

// cursorAfter returns the position right after a user in a list of an organization, or of the directory.
func (d *Directory) cursorAfter(user int32, by facts.SortKey, organization string) facts.Cursor {
	rec := d.users[user].Record()
	c := by.CursorAfter(&rec)
	if by == facts.SortDefaultLocation && organization != "" {
		if l := d.ByID(c.First); l == nil || l.Organization() != organization {
			c.First = ""
		}
	}
	return c
}

// listRanks returns the ranks of the users of a list, ascending. It builds a list on first use and keeps it.
func (d *Directory) listRanks(key listKey, r *ranking) []int32 {
	kept, _ := d.lists.LoadOrStore(key, &list{})
	l := kept.(*list)
	l.once.Do(func() {
		defer l.built.Store(true)
		if key.location == "" {
			l.ranks = slices.Sorted(slices.Values(r.ranks))
			return
		}
		l.ranks = d.usersBeneath(d.Ordinal[key.location])
		for i, user := range l.ranks {
			l.ranks[i], _ = r.rank(user) // never false, because the users belong to the organization
		}
		slices.Sort(l.ranks)
	})
	return l.ranks
}

// usersBeneath returns the users with an assignment at or beneath a location, ascending.
func (d *Directory) usersBeneath(at int32) []int32 {
	var all []int32
	for _, beneath := range d.Covered(at) {
		all = append(all, d.assigned[beneath]...)
	}
	slices.Sort(all)
	return slices.Clip(slices.Compact(all))
}

// Users implements [facts.View]. The list of the whole directory includes users without assignments.
func (d *Directory) Users(ctx context.Context, q facts.UserQuery) (facts.Users, error) {
	order := 0
	if q.Sort != "" {
		if order = slices.Index(membership.SortKeys[:], q.Sort); order < 0 {
			return facts.Users{}, &pdp.Error{Kind: pdp.Invalid, Message: "There is no such order."}
		}
	}
	order *= 2
	if q.Descending {
		order++
	}
	key := listKey{location: q.Beneath, order: order}
	r, ok := d.ranking(key)
	if !ok {
		return facts.Users{}, nil
	}
	ranks := d.listRanks(key, r)
	by, organization := membership.SortKeys[order/2], ""
	if q.Beneath != "" {
		organization = d.All[d.Ordinal[q.Beneath]].Organization()
	}
	matches := d.search.matcher(q.Text)
	size := membership.PageLimit(q.Limit)
	var page facts.Users
	for i := d.indexAfter(ranks, r, q.After, by); i < len(ranks); i++ {
		if i%4096 == 0 && ctx.Err() != nil {
			return facts.Users{}, &pdp.Error{Kind: pdp.Timeout, Message: "It took too long to decide this.", Err: ctx.Err()}
		}
		user := r.users[ranks[i]]
		if !q.Only.Admits(d.users[user]) || matches != nil && !matches(user) {
			continue
		}
		if len(page.Users) == size {
			page.More = true
			break
		}
		page.Users = append(page.Users, d.users[user])
		page.Next = d.cursorAfter(user, by, organization)
		page.Cursors = append(page.Cursors, page.Next)
	}
	return page, nil
}

// indexAfter returns the index in a list at which it continues after a cursor.
func (d *Directory) indexAfter(ranks []int32, r *ranking, after facts.Cursor, by facts.SortKey) int {
	if after.ID == "" {
		return 0
	}
	values := valuesAt(after, by)
	i, _ := slices.BinarySearchFunc(ranks, after.ID, func(rank int32, id string) int {
		user := r.users[rank]
		if r.compare(r.sortedBy(user), values, d.users[user].ID(), id) <= 0 {
			return -1
		}
		return 1
	})
	return i
}

// searchTexts contains the texts that a text filter searches. They are built on first use.
type searchTexts struct {
	users     []*facts.User
	once      sync.Once
	built     atomic.Bool
	names     []string // folded "given family", by user, in NFC
	usernames []string // folded, by user, in NFC
}

// matcher returns the filter for a text. It returns nil if the text is empty, which matches all users.
func (s *searchTexts) matcher(text string) func(user int32) bool {
	if text == "" {
		return nil
	}
	s.build()
	part := facts.FoldCanonical(text)
	return func(user int32) bool {
		return strings.Contains(s.names[user], part) || strings.Contains(s.usernames[user], part)
	}
}

func (s *searchTexts) build() {
	s.once.Do(func() {
		s.names = make([]string, len(s.users))
		s.usernames = make([]string, len(s.users))
		for i, u := range s.users {
			rec := u.Record()
			s.names[i] = facts.FoldCanonical(givenFamily(rec.Name))
			s.usernames[i] = facts.FoldCanonical(rec.Username)
		}
		s.built.Store(true)
	})
}

// givenFamily returns "given family", or only the name that is present.
func givenFamily(n facts.Name) string {
	if n.Given == "" || n.Family == "" {
		return n.Given + n.Family
	}
	return n.Given + " " + n.Family
}
