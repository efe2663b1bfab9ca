package origintest

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
)

// everyQuery calls visit with each combination of the parameters of a list, without limit and cursor.
func everyQuery(visit func(facts.UserQuery)) {
	for _, beneath := range []string{"", "metro", "north", "ghi", "grp", "p2", "hs", "alone", "odd {group}/%2e", "a/b", "%2F", "..", "nowhere"} {
		for _, sort := range append(membership.SortKeys[:], "") {
			for _, descending := range []bool{false, true} {
				for _, text := range []string{"", "SMITH", "ann smi", "straSSe", "éa å", "kelvin", "%", "_", "100%", `\`, "no such"} {
					visit(facts.UserQuery{Beneath: beneath, Sort: sort, Descending: descending, Text: text})
				}
			}
		}
	}
}

// AssertRawUsers compares a page of a list from an origin with the expected page.
func AssertRawUsers(t *testing.T, want facts.Users, got membership.RawUsers, q facts.UserQuery) {
	t.Helper()
	require.Len(t, got.Users, len(want.Users), "%+v", q)
	for i, u := range want.Users {
		assertSameUser(t, u.Record(), ReadUser(t, &got.Users[i]))
	}
	require.Equal(t, want.More, got.More, "%+v", q)
}

// testOriginLists requests every combination of the parameters of a list, and pages through some lists.
func testOriginLists(t *testing.T, o membership.Origin, d *directory.Directory) {
	ctx := context.Background()
	everyQuery(func(q facts.UserQuery) {
		want, err := d.Users(ctx, q)
		require.NoError(t, err)
		got, err := o.Users(ctx, q)
		require.NoError(t, err)
		AssertRawUsers(t, want, got, q)
	})
	for _, q := range []facts.UserQuery{{}, {Beneath: "metro", Sort: facts.SortLastLogin, Descending: true}, {Beneath: "grp", Sort: facts.SortUsername, Text: "an"}} {
		for _, q.Limit = range []int{1, 2, 7, 50, 2000} {
			q.After = facts.Cursor{}
			for more := true; more; {
				want, err := d.Users(ctx, q)
				require.NoError(t, err)
				got, err := o.Users(ctx, q)
				require.NoError(t, err)
				AssertRawUsers(t, want, got, q)
				if more = want.More; more {
					q.After = want.Cursors[len(want.Cursors)-1]
				}
			}
		}
	}
	_, err := o.Users(ctx, facts.UserQuery{Sort: "age"})
	assert.Equal(t, pdp.Invalid, pdp.KindOf(err))
}

// everyCursor calls visit with queries for pages of one list, after cursors of all kinds: of users in the list, of users who
// were renamed, moved or deleted since, and of none.
func everyCursor(t *testing.T, d *directory.Directory, visit func(q facts.UserQuery)) {
	inside := usersBeneath(t, d, "metro")
	elsewhere := slices.DeleteFunc(usersBeneath(t, d, "grp"), func(id string) bool { return slices.Contains(inside, id) })
	require.NotEmpty(t, elsewhere)
	for _, sort := range membership.SortKeys {
		for _, text := range []string{"", "an"} {
			for _, descending := range []bool{false, true} {
				q := facts.UserQuery{Beneath: "metro", Sort: sort, Descending: descending}
				whole, err := d.Users(context.Background(), q)
				require.NoError(t, err)
				q.Text, q.Limit = text, 5
				known := whole.Cursors[len(whole.Cursors)/2]
				for _, q.After = range []facts.Cursor{
					known, whole.Cursors[0], whole.Next, {}, {ID: "left", First: known.First, Second: known.Second},
					{ID: "0", First: known.First, Second: known.Second}, {ID: "\U0010ffff", First: known.First, Second: known.Second},
					{ID: elsewhere[0], First: known.First, Second: known.Second}, {ID: known.ID}, {ID: "left"}, {ID: "\U0010ffff"},
				} {
					visit(q)
				}
				if sort != facts.SortLastLogin {
					for _, q.After = range []facts.Cursor{
						{ID: "left", First: "M", Second: "m"}, {ID: "left", First: "\U0010ffff"}, {ID: "left", First: "%_\\"}, {ID: "left", First: "ẞ"},
					} {
						visit(q)
					}
				}
			}
		}
	}
}

// usersBeneath returns the ids of the users with an assignment at or beneath a location, ascending.
func usersBeneath(t *testing.T, d *directory.Directory, location string) []string {
	all, err := d.Users(context.Background(), facts.UserQuery{Beneath: location, Limit: d.UserCount()})
	require.NoError(t, err)
	return slices.Sorted(slices.Values(UserIDs(all.Users)))
}

// TestCursors tests that Origin.Users continues a list where the user of the cursor would be.
func TestCursors(t *testing.T, o membership.Origin, d *directory.Directory) {
	ctx := context.Background()
	everyCursor(t, d, func(q facts.UserQuery) {
		want, err := d.Users(ctx, q)
		require.NoError(t, err)
		got, err := o.Users(ctx, q)
		require.NoError(t, err)
		AssertRawUsers(t, want, got, q)
	})
}

// testOriginChanges requires every call to deliver the current directory, and versions to increase when records change.
func testOriginChanges(t *testing.T, open func(t *testing.T, document string) (membership.Origin, func(document string))) {
	ctx := context.Background()
	doc := SampleDocument(2, 0)
	o, replace := open(t, doc.String())
	user := func(id string) *membership.RawRecord {
		s, err := o.User(ctx, id)
		require.NoError(t, err)
		return s
	}
	organization := func(id string) *membership.RawRecord {
		s, err := o.Organization(ctx, id)
		require.NoError(t, err)
		return s
	}
	// assertNewer requires a greater version, unless the origin has no versions at all.
	assertNewer := func(before, after *membership.RawRecord) {
		t.Helper()
		require.NotNil(t, after)
		assert.True(t, after.Version > before.Version || after.Version == 0 && before.Version == 0, "%d, then %d", before.Version, after.Version)
	}
	anna, otto, metro, group, odd := user("anna"), user("otto"), organization("ghi"), organization("p1"), user("a/b")

	doc.user("anna").Username = "Änna@example.org"
	doc.user("otto").Assignments = append(doc.user("otto").Assignments, Assignment{Location: "vendor/2", Role: "vendor_staff"})
	doc.Locations = append(doc.Locations, Location{ID: "vendor/2", Kind: "vendor", Model: "vendor"})
	doc.location("ghi").Name = "GHI"
	replace(doc.String())
	assert.Equal(t, "Änna@example.org", ReadUser(t, user("anna")).Username)
	assert.Len(t, ReadUser(t, user("otto")).Assignments, 3)
	assert.Equal(t, "GHI", ReadLocations(t, organization("metro"))[0].Name)
	assert.Len(t, ReadLocations(t, organization("vendor/2")), 1)
	assertNewer(anna, user("anna"))
	assertNewer(otto, user("otto"))
	assertNewer(metro, organization("north"))
	assert.Equal(t, odd.Version, user("a/b").Version, "unchanged records keep their version")
	assert.Equal(t, group.Version, organization("grp").Version)
	found, err := o.UserByUsername(ctx, "ÄNNA@example.org")
	require.NoError(t, err)
	assert.Len(t, found, 1)

	// A user and a location are removed.
	anna, metro = user("anna"), organization("ghi")
	was := *doc.user("anna")
	doc.Users = slices.DeleteFunc(doc.Users, func(u User) bool { return u.ID == "anna" })
	doc.Locations = slices.DeleteFunc(doc.Locations, func(l Location) bool { return l.ID == "jkl" })
	replace(doc.String())
	assert.Nil(t, user("anna"))
	assert.Nil(t, organization("jkl"))
	assertNewer(metro, organization("ghi"))
	found, err = o.UserByUsername(ctx, "ÄNNA@example.org")
	require.NoError(t, err)
	assert.Empty(t, found)

	// The user is added again.
	was.Status = "deactivated"
	doc.Users = append(doc.Users, was)
	replace(doc.String())
	assertNewer(anna, user("anna"))
	assert.Equal(t, "deactivated", ReadUser(t, user("anna")).Status)
}
