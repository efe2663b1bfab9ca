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

// versionsOf are those of every user and location that a directory has.
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
	gone   []string
	// What must have another version then; and what may have, as it lies in an organization that has changed. Everything
	// else keeps its own.
	users, locations       []string
	mayUsers, mayLocations func(d *directory.Directory, id string) bool
}

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

func nothing(*directory.Directory, string) bool { return false }

// without drops a user.
func (r *Document) without(id string) {
	r.Users = slices.DeleteFunc(r.Users, func(u User) bool { return u.ID == id })
}

func steps() []step {
	inMetro, inGroup := belongsTo("metro"), belongsTo("grp")
	return []step{
		{name: "nothing", change: func(*Document) {}},
		{name: "a user is renamed", change: func(r *Document) { r.user("anna").Username = "ÄNNA@example.org" }, users: []string{"anna"}},
		{name: "only the case of a username", change: func(r *Document) { r.user("anna").Username = "änna@example.org" }, users: []string{"anna"}},
		{name: "a role is revoked", change: func(r *Document) { r.user("sys").Assignments = r.user("sys").Assignments[1:] }, users: []string{"sys"}},
		{name: "a role is given", change: func(r *Document) {
			r.user("..").Assignments = append(r.user("..").Assignments, Assignment{Location: "a/b", Role: "owner"})
		}, users: []string{".."}},
		{name: "an account is deactivated", change: func(r *Document) { r.user("%2F").Status = "deactivated" }, users: []string{"%2F"}},
		{name: "somebody is new", change: func(r *Document) { r.Users = append(r.Users, User{ID: "nadia", Username: "nadia@example.org"}) }, users: []string{"nadia"}},
		{name: "somebody leaves", change: func(r *Document) { r.without("nadia") }, gone: []string{"nadia"}},
		{name: "and is there again, with another role", change: func(r *Document) {
			r.Users = append(r.Users, User{ID: "nadia", Username: "nadia@example.org", Assignments: []Assignment{{Location: "e1", Role: "user"}}})
		}, users: []string{"nadia"}},
		{name: "two swap their usernames", change: func(r *Document) {
			r.user("nadia").Username, r.user("anna").Username = r.user("anna").Username, r.user("nadia").Username
		}, users: []string{"anna", "nadia"}},
		{name: "a username goes to somebody else", change: func(r *Document) {
			r.without("nadia")
			r.Users = append(r.Users, User{ID: "nadine", Username: "ÄNNA@EXAMPLE.org"})
		}, gone: []string{"nadia"}, users: []string{"nadine"}},
		{name: "a location is renamed", change: func(r *Document) { r.location("ghi").Name = "GHI" }, locations: []string{"ghi"}, mayUsers: inMetro, mayLocations: inMetro},
		{name: "a location is new", change: func(r *Document) {
			r.Locations = append(r.Locations, Location{ID: "south", Kind: "division", Parent: "metro"})
		}, locations: []string{"south"}, mayUsers: inMetro, mayLocations: inMetro},
		{name: "a location is moved", change: func(r *Document) { r.location("ghi").Parent = "south" }, locations: []string{"ghi"}, mayUsers: inMetro, mayLocations: inMetro},
		{name: "a location leaves", change: func(r *Document) {
			r.Locations = slices.DeleteFunc(r.Locations, func(l Location) bool { return l.ID == "jkl" })
		}, gone: []string{"jkl"}, mayUsers: inMetro, mayLocations: inMetro},
		{name: "a location is moved to another organization", change: func(r *Document) {
			r.Locations = append(r.Locations, Location{ID: "grp2", Kind: "group", Model: "practice_group"})
			r.location("p2").Parent = "grp2"
			r.user("otto").Assignments = []Assignment{{Location: "p2", Role: "owner"}, {Location: "grp2", Role: "owner"}}
		}, users: []string{"otto"}, locations: []string{"p2", "grp2"}, mayUsers: inGroup, mayLocations: inGroup},
		{name: "an organization is on another plan", change: func(r *Document) { r.location("hs").Plan = "free" },
			locations: []string{"hs"}, mayUsers: belongsTo("hs"), mayLocations: belongsTo("hs")},
		{name: "an organization leaves", change: func(r *Document) {
			r.Locations = slices.DeleteFunc(r.Locations, func(l Location) bool { return l.ID == "acme" })
			r.without("vera")
		}, gone: []string{"acme", "vera"}},
		{name: "everybody leaves", change: func(r *Document) { r.Users = []User{} }, gone: []string{"anna", "nobody", "sys"}},
	}
}

// testChanges: what changes is seen, and nothing else has another version.
func testChanges(t *testing.T, open func(t *testing.T, document string) ReplaceableSource) {
	ctx := context.Background()
	r := SampleDocument(4, 0)
	s := open(t, r.String())
	before := ParseDirectory(t, r.String())
	shows(t, s, before)
	highest := map[string]uint64{} // of whoever ever was
	for _, c := range steps() {
		users, locations := versionsOf(t, s, before)
		for id, v := range users {
			highest[id] = max(highest[id], v)
		}
		c.change(r)
		d := ParseDirectory(t, r.String())
		s.Replace(t, r.String())
		shows(t, s, d, c.gone...)
		usersNow, locationsNow := versionsOf(t, s, d)
		for _, of := range []struct {
			what     string
			was, now map[string]uint64
			must     []string
			may      func(*directory.Directory, string) bool
			ever     map[string]uint64
		}{{"user", users, usersNow, c.users, c.mayUsers, highest}, {"location", locations, locationsNow, c.locations, c.mayLocations, locations}} {
			if of.may == nil {
				of.may = nothing
			}
			for id, now := range of.now {
				was, known := of.was[id]
				name := fmt.Sprintf("%s: version of %s %.50q", c.name, of.what, id)
				switch must := slices.Contains(of.must, id); {
				case must:
					assert.Greater(t, now, of.ever[id], name)
				case known && (of.may(before, id) || of.may(d, id)):
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

// testOneState: what a view has told once it does not tell otherwise.
func testOneState(t *testing.T, open func(t *testing.T, document string) ReplaceableSource) {
	ctx := context.Background()
	r := SampleDocument(5, 0)
	s := open(t, r.String())
	shows(t, s, ParseDirectory(t, r.String()))
	v := ViewOf(t, s)
	anna := fixture.UserOf(t, v, "anna")
	ghi, err := v.Location(ctx, "ghi")
	require.NoError(t, err)
	nobody := fixture.UserOf(t, v, "nadia")
	require.Nil(t, nobody)

	r.user("anna").Status = "deactivated"
	r.location("ghi").Name = "another"
	r.Users = append(r.Users, User{ID: "nadia"})
	d := ParseDirectory(t, r.String())
	s.Replace(t, r.String())
	shows(t, s, d)
	assert.Equal(t, anna.Record(), fixture.UserOf(t, v, "anna").Record())
	again, err := v.Location(ctx, "ghi")
	require.NoError(t, err)
	assert.Equal(t, described(ghi), described(again))
	assert.Nil(t, fixture.UserOf(t, v, "nadia"))
}

// testReaders: while the directory changes back and forth, each reader sees either, never a mixture in one record.
func testReaders(t *testing.T, open func(t *testing.T, document string) ReplaceableSource) {
	r := SampleDocument(6, 0)
	one := r.String()
	r.user("anna").Username, r.user("anna").Status = "two@example.org", "deactivated"
	r.user("ghi").Assignments = r.user("ghi").Assignments[1:]
	r.location("ghi").Name = "two"
	two := r.String()
	s := open(t, one)
	a, b := ParseDirectory(t, one), ParseDirectory(t, two)
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
					is := func(d *directory.Directory) bool {
						return record.SameUser(SortAssignments(u.Record()), SortAssignments(fixture.UserOf(t, d, id).Record()))
					}
					assert.True(t, is(a) || is(b), "%+v", u.Record())
					if id == "anna" {
						assert.GreaterOrEqual(t, u.Version(), newest, "no reader goes back")
						newest = u.Version()
					}
				}
				_, err = v.Users(context.Background(), facts.UserQuery{Beneath: "metro"})
				assert.NoError(t, err)
			}
		})
	}
	for i := range 6 {
		document, d := two, b
		if i%2 == 1 {
			document, d = one, a
		}
		s.Replace(t, document)
		shows(t, s, d)
	}
	close(stop)
	all.Wait()
}
