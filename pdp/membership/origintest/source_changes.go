package origintest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// versionsOf returns the versions of the users and locations of a directory in a source.
func versionsOf(t *testing.T, s facts.Source, d *directory.Directory) (users, locations map[string]uint64) {
	t.Helper()
	v := ViewOf(t, s)
	users, locations = map[string]uint64{}, map[string]uint64{}
	for _, u := range d.AllUsers() {
		users[u.ID()] = fixture.UserOf(t, v, u.ID()).Version()
	}
	for _, l := range d.All {
		got, err := v.Location(context.Background(), l.ID())
		require.NoError(t, err)
		locations[l.ID()] = got.Version()
	}
	return users, locations
}

// step is a change of the directory.
type step struct {
	name   string
	change func(*Document)
	gone   []string // ids that the step removes
	// These must get a greater version.
	users, locations []string
	// These may get a greater version, because their organization has changed. All others must keep their version.
	mayUsers, mayLocations func(d *directory.Directory, id string) bool
}

// belongsTo returns a predicate for the locations of an organization and the users with an assignment there.
func belongsTo(organization string) func(d *directory.Directory, id string) bool {
	return func(d *directory.Directory, id string) bool {
		if l := d.ByID(id); l != nil && l.Organization() == organization {
			return true
		}
		u, _ := d.User(context.Background(), id)
		return u != nil && slices.ContainsFunc(u.Record().Assignments, func(a facts.AssignmentRecord) bool {
			return d.ByID(a.Location).Organization() == organization
		})
	}
}

func none(*directory.Directory, string) bool { return false }

// removeUser removes a user.
func (doc *Document) removeUser(id string) {
	doc.Users = slices.DeleteFunc(doc.Users, func(u User) bool { return u.ID == id })
}

func steps() []step {
	inMetro, inGroup := belongsTo("metro"), belongsTo("grp")
	return []step{
		{name: "nothing", change: func(*Document) {}},
		{name: "a user is renamed", change: func(doc *Document) { doc.user("anna").Username = "ÄNNA@example.org" }, users: []string{"anna"}},
		{name: "only the case of a username changes", change: func(doc *Document) { doc.user("anna").Username = "änna@example.org" }, users: []string{"anna"}},
		{name: "a role is revoked", change: func(doc *Document) { doc.user("sys").Assignments = doc.user("sys").Assignments[1:] }, users: []string{"sys"}},
		{name: "a role is assigned", change: func(doc *Document) {
			doc.user("..").Assignments = append(doc.user("..").Assignments, Assignment{Location: "a/b", Role: "owner"})
		}, users: []string{".."}},
		{name: "an account is deactivated", change: func(doc *Document) { doc.user("%2F").Status = "deactivated" }, users: []string{"%2F"}},
		{name: "a user is added", change: func(doc *Document) { doc.Users = append(doc.Users, User{ID: "nadia", Username: "nadia@example.org"}) }, users: []string{"nadia"}},
		{name: "a user is removed", change: func(doc *Document) { doc.removeUser("nadia") }, gone: []string{"nadia"}},
		{name: "the user is added again, with another role", change: func(doc *Document) {
			doc.Users = append(doc.Users, User{ID: "nadia", Username: "nadia@example.org", Assignments: []Assignment{{Location: "e1", Role: "user"}}})
		}, users: []string{"nadia"}},
		{name: "two users swap their usernames", change: func(doc *Document) {
			doc.user("nadia").Username, doc.user("anna").Username = doc.user("anna").Username, doc.user("nadia").Username
		}, users: []string{"anna", "nadia"}},
		{name: "a username passes to another user", change: func(doc *Document) {
			doc.removeUser("nadia")
			doc.Users = append(doc.Users, User{ID: "nadine", Username: "ÄNNA@EXAMPLE.org"})
		}, gone: []string{"nadia"}, users: []string{"nadine"}},
		{name: "a location is renamed", change: func(doc *Document) { doc.location("ghi").Name = "GHI" }, locations: []string{"ghi"}, mayUsers: inMetro, mayLocations: inMetro},
		{name: "a location is added", change: func(doc *Document) {
			doc.Locations = append(doc.Locations, Location{ID: "south", Kind: "division", Parent: "metro"})
		}, locations: []string{"south"}, mayUsers: inMetro, mayLocations: inMetro},
		{name: "a location is moved", change: func(doc *Document) { doc.location("ghi").Parent = "south" }, locations: []string{"ghi"}, mayUsers: inMetro, mayLocations: inMetro},
		{name: "a location is removed", change: func(doc *Document) {
			doc.Locations = slices.DeleteFunc(doc.Locations, func(l Location) bool { return l.ID == "jkl" })
		}, gone: []string{"jkl"}, mayUsers: inMetro, mayLocations: inMetro},
		{name: "a location is moved to another organization", change: func(doc *Document) {
			doc.Locations = append(doc.Locations, Location{ID: "grp2", Kind: "group", Model: "practice_group"})
			doc.location("p2").Parent = "grp2"
			doc.user("otto").Assignments = []Assignment{{Location: "p2", Role: "owner"}, {Location: "grp2", Role: "owner"}}
		}, users: []string{"otto"}, locations: []string{"p2", "grp2"}, mayUsers: inGroup, mayLocations: inGroup},
		{name: "the plan of an organization changes", change: func(doc *Document) { doc.location("hs").Plan = "free" },
			locations: []string{"hs"}, mayUsers: belongsTo("hs"), mayLocations: belongsTo("hs")},
		{name: "an organization is removed", change: func(doc *Document) {
			doc.Locations = slices.DeleteFunc(doc.Locations, func(l Location) bool { return l.ID == "acme" })
			doc.removeUser("vera")
		}, gone: []string{"acme", "vera"}},
		{name: "all users are removed", change: func(doc *Document) { doc.Users = []User{} }, gone: []string{"anna", "nobody", "sys"}},
	}
}

// testSourceChanges applies the steps. After each step, the source must serve the new directory, and versions must
// increase as the step says.
func testSourceChanges(t *testing.T, open func(t *testing.T, document string) ReplaceableSource) {
	ctx := context.Background()
	doc := SampleDocument(4, 0)
	s := open(t, doc.String())
	before := ParseDirectory(t, doc.String())
	waitUntilServes(t, s, before)
	highest := map[string]uint64{} // version of each user so far, including removed users
	for _, c := range steps() {
		users, locations := versionsOf(t, s, before)
		for id, v := range users {
			highest[id] = max(highest[id], v)
		}
		c.change(doc)
		d := ParseDirectory(t, doc.String())
		s.Replace(t, doc.String())
		waitUntilServes(t, s, d, c.gone...)
		usersNow, locationsNow := versionsOf(t, s, d)
		for _, kind := range []struct {
			name          string
			before, after map[string]uint64
			must          []string
			may           func(*directory.Directory, string) bool
			highest       map[string]uint64
		}{{"user", users, usersNow, c.users, c.mayUsers, highest}, {"location", locations, locationsNow, c.locations, c.mayLocations, locations}} {
			if kind.may == nil {
				kind.may = none
			}
			for id, now := range kind.after {
				was, known := kind.before[id]
				name := fmt.Sprintf("%s: version of %s %.50q", c.name, kind.name, id)
				switch must := slices.Contains(kind.must, id); {
				case must:
					assert.Greater(t, now, kind.highest[id], name)
				case known && (kind.may(before, id) || kind.may(d, id)):
					assert.GreaterOrEqual(t, now, was, name)
				default:
					assert.Equal(t, was, now, name)
				}
			}
		}
		v := ViewOf(t, s)
		for _, u := range before.AllUsers() {
			want, err := d.UserByUsername(ctx, u.Username())
			require.NoError(t, err)
			got, err := v.UserByUsername(ctx, u.Username())
			require.NoError(t, err)
			require.Equal(t, want == nil, got == nil, "%s: %q", c.name, u.Username())
			if want != nil {
				assert.Equal(t, want.ID(), got.ID(), c.name)
			}
		}
		v = ViewOf(t, s)
		for _, beneath := range []string{"", "metro", "south", "grp", "acme"} {
			q := facts.UserQuery{Beneath: beneath, Sort: facts.SortUsername}
			want, err := d.Users(ctx, q)
			require.NoError(t, err)
			got, err := v.Users(ctx, q)
			require.NoError(t, err)
			assertList(t, want, got, q)
		}
		before = d
	}
}

// testStableView requires a view to repeat a result after the directory has changed.
func testStableView(t *testing.T, open func(t *testing.T, document string) ReplaceableSource) {
	ctx := context.Background()
	doc := SampleDocument(5, 0)
	s := open(t, doc.String())
	waitUntilServes(t, s, ParseDirectory(t, doc.String()))
	v := ViewOf(t, s)
	anna := fixture.UserOf(t, v, "anna")
	ghi, err := v.Location(ctx, "ghi")
	require.NoError(t, err)
	require.Nil(t, fixture.UserOf(t, v, "nadia"))

	doc.user("anna").Status = "deactivated"
	doc.location("ghi").Name = "another"
	doc.Users = append(doc.Users, User{ID: "nadia"})
	d := ParseDirectory(t, doc.String())
	s.Replace(t, doc.String())
	waitUntilServes(t, s, d)
	assert.Equal(t, anna.Record(), fixture.UserOf(t, v, "anna").Record())
	again, err := v.Location(ctx, "ghi")
	require.NoError(t, err)
	assert.Equal(t, describe(ghi), describe(again))
	assert.Nil(t, fixture.UserOf(t, v, "nadia"))
}

// testConcurrentChanges replaces the directory back and forth. Readers must see each record as in one of the two
// directories, and never an older version after a newer one.
func testConcurrentChanges(t *testing.T, open func(t *testing.T, document string) ReplaceableSource) {
	doc := SampleDocument(6, 0)
	first := doc.String()
	doc.user("anna").Username, doc.user("anna").Status = "two@example.org", "deactivated"
	doc.user("ghi").Assignments = doc.user("ghi").Assignments[1:]
	doc.location("ghi").Name = "two"
	second := doc.String()
	s := open(t, first)
	a, b := ParseDirectory(t, first), ParseDirectory(t, second)
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			var newest uint64
			for {
				select {
				case <-stop:
					return
				default:
				}
				v, err := view(s)
				if !assert.NoError(t, err) {
					return
				}
				for _, id := range []string{"anna", "ghi"} {
					u, err := v.User(context.Background(), id)
					if !assert.NoError(t, err) || !assert.NotNil(t, u) {
						return
					}
					equals := func(d *directory.Directory) bool {
						return record.SameUser(SortAssignments(u.Record()), SortAssignments(fixture.UserOf(t, d, id).Record()))
					}
					assert.True(t, equals(a) || equals(b), "%+v", u.Record())
					if id == "anna" {
						assert.GreaterOrEqual(t, u.Version(), newest, "versions seen by one reader never decrease")
						newest = u.Version()
					}
				}
				_, err = v.Users(context.Background(), facts.UserQuery{Beneath: "metro"})
				assert.NoError(t, err)
			}
		})
	}
	for i := range 6 {
		document, d := second, b
		if i%2 == 1 {
			document, d = first, a
		}
		s.Replace(t, document)
		waitUntilServes(t, s, d)
	}
	close(stop)
	all.Wait()
}
