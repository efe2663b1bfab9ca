package origintest

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"golang.org/x/text/unicode/norm"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// TestOrigin is what every origin must do: it delivers what a [directory.Directory] of the same document has. Open makes one with
// a document, and gives a way to put another document in its place.
func TestOrigin(t *testing.T, open func(t *testing.T, document string) (origin membership.Origin, replace func(document string))) {
	r := SampleDocument(1, 120)
	d := ParseDirectory(t, r.String())
	o, _ := open(t, r.String())
	t.Run("check", func(t *testing.T) { assert.NoError(t, o.Check(context.Background())) })
	t.Run("users", func(t *testing.T) { TestUsers(t, o, d) })
	t.Run("usernames", func(t *testing.T) { TestUsernames(t, o, d) })
	t.Run("organizations", func(t *testing.T) { TestOrganizations(t, o, d) })
	t.Run("locations", func(t *testing.T) { TestLocationIDs(t, o, d) })
	t.Run("lists", func(t *testing.T) { testRawLists(t, o, d) })
	t.Run("cursors", func(t *testing.T) { TestCursors(t, o, d) })
	t.Run("contexts", func(t *testing.T) { testContexts(t, o) })
	t.Run("many at once", func(t *testing.T) {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for j := range d.AllUsers() {
					u := d.AllUsers()[(i*31+j)%len(d.AllUsers())]
					sent, err := o.User(context.Background(), u.ID())
					if assert.NoError(t, err) && assert.NotNil(t, sent) {
						assert.Equal(t, u.ID(), record.IDOf(sent.Record))
					}
				}
			})
		}
		all.Wait()
	})
	t.Run("changes", func(t *testing.T) { testRawChanges(t, open) })
}

// unknownIDs are of nobody in a sample roster.
var unknownIDs = []string{
	"", "nobody else", "GHI", "ghi ", "ghi/", "ghi%20", "Nobody", "a%2Fb", "a/b/", "a/b?", "...", "\x00", "ghi\x00", "\n", "é\u0301", "\xff", "ghi\xff",
	strings.Repeat("x", 1023), strings.Repeat("x", 1025), strings.Repeat("x", 1<<20), "*%", "_____", "users",
}

// ReadUser reads a user that an origin delivered, and requires that its record has no fault.
func ReadUser(t *testing.T, s *membership.RawRecord) facts.UserRecord {
	t.Helper()
	require.NotNil(t, s)
	v := record.NewValidator(fixture.Vocabulary())
	u, faults, err := v.User(v.Tokens(s.Record))
	require.NoError(t, err)
	require.Empty(t, faults.All())
	return u.UserRecord
}

// ReadLocations reads an organization that an origin delivered, and requires that its records have no faults.
func ReadLocations(t *testing.T, s *membership.RawRecord) (all []facts.LocationRecord) {
	t.Helper()
	require.NotNil(t, s)
	v := record.NewValidator(fixture.Vocabulary())
	locations, faults, err := v.Locations(v.Tokens(s.Record))
	require.NoError(t, err)
	require.Empty(t, faults.All())
	for _, l := range locations {
		all = append(all, l.LocationRecord)
	}
	return all
}

// assertSameUser compares records.
func assertSameUser(t *testing.T, want, got facts.UserRecord) bool {
	t.Helper()
	want, got = SortAssignments(want), SortAssignments(got)
	return record.SameUser(want, got) || assert.Equal(t, want, got)
}

func TestUsers(t *testing.T, o membership.Origin, d *directory.Directory) {
	for _, u := range d.AllUsers() {
		sent, err := o.User(context.Background(), u.ID())
		require.NoError(t, err)
		assertSameUser(t, u.Record(), ReadUser(t, sent))
		assert.LessOrEqual(t, sent.Version, uint64(pdp.MaxVersion))
	}
	for _, id := range unknownIDs {
		sent, err := o.User(context.Background(), id)
		assert.NoError(t, err, "%.50q", id)
		assert.Nil(t, sent, "%.50q", id)
	}
}

func TestUsernames(t *testing.T, o membership.Origin, d *directory.Directory) {
	named := func(username string) (found []facts.UserRecord) {
		sent, err := o.UserByUsername(context.Background(), username)
		require.NoError(t, err)
		require.LessOrEqual(t, len(sent), 2)
		for _, s := range sent {
			rec := ReadUser(t, &s)
			if facts.FoldCanonical(rec.Username) == facts.FoldCanonical(username) {
				found = append(found, rec)
			}
		}
		return found
	}
	for _, u := range d.AllUsers() {
		for _, spelt := range []string{
			u.Username(), strings.ToUpper(u.Username()), strings.ToLower(u.Username()), facts.Fold(u.Username()),
			norm.NFD.String(u.Username()), norm.NFC.String(strings.ToUpper(u.Username())),
		} {
			want, err := d.UserByUsername(context.Background(), spelt)
			require.NoError(t, err)
			found := named(spelt)
			if want == nil {
				assert.Empty(t, found, spelt)
			} else if assert.Len(t, found, 1, spelt) {
				assertSameUser(t, want.Record(), found[0])
			}
		}
	}
	for _, username := range append([]string{"%", "_", "jané", "ghi", "anna%"}, unknownIDs...) {
		assert.Empty(t, named(username), "%.50q", username)
	}
}

func TestOrganizations(t *testing.T, o membership.Origin, d *directory.Directory) {
	for _, l := range d.All {
		sent, err := o.Organization(context.Background(), l.ID())
		require.NoError(t, err)
		var want []facts.LocationRecord
		for _, other := range d.All {
			if other.Organization() == l.Organization() {
				want = append(want, other.Record())
			}
		}
		assert.Equal(t, want, ReadLocations(t, sent), "%.50q", l.ID())
	}
	for _, id := range unknownIDs {
		if d.ByID(id) != nil {
			continue
		}
		sent, err := o.Organization(context.Background(), id)
		assert.NoError(t, err, "%.50q", id)
		assert.Nil(t, sent, "%.50q", id)
	}
}

func TestLocationIDs(t *testing.T, o membership.Origin, d *directory.Directory) {
	for _, size := range []int{0, 1, 2, 7, 5000} {
		var got []string
		for after := ""; ; after = got[len(got)-1] {
			page, err := o.Locations(context.Background(), after, size)
			require.NoError(t, err)
			if len(page) == 0 {
				break
			}
			require.LessOrEqual(t, len(page), membership.PageLimit(size))
			got = append(got, page...)
		}
		var want []string
		for _, l := range d.All {
			want = append(want, l.ID())
		}
		assert.Equal(t, want, got, size)
	}
	page, err := o.Locations(context.Background(), "metrn", 1)
	require.NoError(t, err)
	assert.Equal(t, []string{"metro"}, page, "the cursor need not be a location")
	page, err = o.Locations(context.Background(), "\U0010ffff", 1)
	require.NoError(t, err)
	assert.Empty(t, page)
}

func testContexts(t *testing.T, o membership.Origin) {
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for name, ask := range map[string]func() error{
		"user":         func() error { _, err := o.User(gone, "ghi"); return err },
		"username":     func() error { _, err := o.UserByUsername(gone, "ghi"); return err },
		"organization": func() error { _, err := o.Organization(gone, "ghi"); return err },
		"users":        func() error { _, err := o.Users(gone, facts.UserQuery{}); return err },
		"locations":    func() error { _, err := o.Locations(gone, "", 1); return err },
		"check":        func() error { return o.Check(gone) },
	} {
		err := ask()
		assert.Equal(t, pdp.Timeout, pdp.KindOf(err), name)
		assert.ErrorIs(t, err, context.Canceled, name)
	}
	_, err := o.User(context.Background(), "ghi")
	assert.NoError(t, err, "who went away is no reason not to answer others")
}
