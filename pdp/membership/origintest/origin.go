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

// TestOrigin tests a [membership.Origin]: it must deliver the records of a [directory.Directory] of the same document.
// open returns an origin with the directory of a document, which is JSON and valid under [fixture.Vocabulary], and a
// function that replaces that directory. After replace has returned, the origin must deliver the new one.
func TestOrigin(t *testing.T, open func(t *testing.T, document string) (origin membership.Origin, replace func(document string))) {
	doc := SampleDocument(1, 120)
	d := ParseDirectory(t, doc.String())
	o, _ := open(t, doc.String())
	t.Run("check", func(t *testing.T) { assert.NoError(t, o.Check(context.Background())) })
	t.Run("users", func(t *testing.T) { TestUsers(t, o, d) })
	t.Run("usernames", func(t *testing.T) { TestUsernames(t, o, d) })
	t.Run("organizations", func(t *testing.T) { TestOrganizations(t, o, d) })
	t.Run("location ids", func(t *testing.T) { TestLocationIDs(t, o, d) })
	t.Run("lists", func(t *testing.T) { testOriginLists(t, o, d) })
	t.Run("cursors", func(t *testing.T) { TestCursors(t, o, d) })
	t.Run("contexts", func(t *testing.T) { testContexts(t, o) })
	t.Run("concurrent reads", func(t *testing.T) {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for j := range d.AllUsers() {
					u := d.AllUsers()[(i*31+j)%len(d.AllUsers())]
					raw, err := o.User(context.Background(), u.ID())
					if assert.NoError(t, err) && assert.NotNil(t, raw) {
						assert.Equal(t, u.ID(), record.IDOf(*raw))
					}
				}
			})
		}
		all.Wait()
	})
	t.Run("changes", func(t *testing.T) { testOriginChanges(t, open) })
}

// unknownIDs are not in a [SampleDocument], but resemble ids that are.
var unknownIDs = []string{
	"", "nobody else", "GHI", "ghi ", "ghi/", "ghi%20", "Nobody", "a%2Fb", "a/b/", "a/b?", "...", "\x00", "ghi\x00", "\n", "é\u0301", "\xff", "ghi\xff",
	strings.Repeat("x", 1023), strings.Repeat("x", 1025), strings.Repeat("x", 1<<20), "*%", "_____", "users",
}

// ReadUser decodes the record of a user that an origin delivered. It fails the test if the record has faults.
func ReadUser(t *testing.T, raw *membership.RawRecord) facts.UserRecord {
	t.Helper()
	require.NotNil(t, raw)
	v := record.NewValidator(fixture.Vocabulary())
	u, faults, err := v.User(v.Tokens(raw.Record))
	require.NoError(t, err)
	require.Empty(t, faults.All())
	return u.UserRecord
}

// ReadLocations decodes the locations of an organization that an origin delivered. It fails the test if they have faults.
func ReadLocations(t *testing.T, raw *membership.RawRecord) (all []facts.LocationRecord) {
	t.Helper()
	require.NotNil(t, raw)
	v := record.NewValidator(fixture.Vocabulary())
	locations, faults, err := v.Locations(v.Tokens(raw.Record))
	require.NoError(t, err)
	require.Empty(t, faults.All())
	for _, l := range locations {
		all = append(all, l.LocationRecord)
	}
	return all
}

// assertSameUser compares two records, ignoring the order of assignments.
func assertSameUser(t *testing.T, want, got facts.UserRecord) bool {
	t.Helper()
	want, got = SortAssignments(want), SortAssignments(got)
	return record.SameUser(want, got) || assert.Equal(t, want, got)
}

// TestUsers tests Origin.User for the users of a directory and for unknown ids.
func TestUsers(t *testing.T, o membership.Origin, d *directory.Directory) {
	for _, u := range d.AllUsers() {
		raw, err := o.User(context.Background(), u.ID())
		require.NoError(t, err)
		assertSameUser(t, u.Record(), ReadUser(t, raw))
		assert.LessOrEqual(t, raw.Version, uint64(pdp.MaxVersion))
	}
	for _, id := range unknownIDs {
		raw, err := o.User(context.Background(), id)
		assert.NoError(t, err, "%.50q", id)
		assert.Nil(t, raw, "%.50q", id)
	}
}

// TestUsernames tests Origin.UserByUsername for spellings of usernames that are equal according to
// policies/DOMAIN.md section 1, and for unknown usernames.
func TestUsernames(t *testing.T, o membership.Origin, d *directory.Directory) {
	lookUp := func(username string) (found []facts.UserRecord) {
		raw, err := o.UserByUsername(context.Background(), username)
		require.NoError(t, err)
		require.LessOrEqual(t, len(raw), 2)
		for _, s := range raw {
			rec := ReadUser(t, &s)
			if facts.FoldCanonical(rec.Username) == facts.FoldCanonical(username) {
				found = append(found, rec)
			}
		}
		return found
	}
	for _, u := range d.AllUsers() {
		for _, spelling := range []string{
			u.Username(), strings.ToUpper(u.Username()), strings.ToLower(u.Username()), facts.Fold(u.Username()),
			norm.NFD.String(u.Username()), norm.NFC.String(strings.ToUpper(u.Username())),
		} {
			want, err := d.UserByUsername(context.Background(), spelling)
			require.NoError(t, err)
			found := lookUp(spelling)
			if want == nil {
				assert.Empty(t, found, spelling)
			} else if assert.Len(t, found, 1, spelling) {
				assertSameUser(t, want.Record(), found[0])
			}
		}
	}
	for _, username := range append([]string{"%", "_", "jané", "ghi", "anna%"}, unknownIDs...) {
		assert.Empty(t, lookUp(username), "%.50q", username)
	}
}

// TestOrganizations tests Origin.Organization for the locations of a directory and for unknown ids.
func TestOrganizations(t *testing.T, o membership.Origin, d *directory.Directory) {
	for _, l := range d.All {
		raw, err := o.Organization(context.Background(), l.ID())
		require.NoError(t, err)
		var want []facts.LocationRecord
		for _, other := range d.All {
			if other.Organization() == l.Organization() {
				want = append(want, other.Record())
			}
		}
		assert.Equal(t, want, ReadLocations(t, raw), "%.50q", l.ID())
	}
	for _, id := range unknownIDs {
		if d.ByID(id) != nil {
			continue
		}
		raw, err := o.Organization(context.Background(), id)
		assert.NoError(t, err, "%.50q", id)
		assert.Nil(t, raw, "%.50q", id)
	}
}

// TestLocationIDs tests Origin.Locations: its pages, in the order of the ids.
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
	assert.Equal(t, []string{"metro"}, page, "the cursor need not be the id of a location")
	page, err = o.Locations(context.Background(), "\U0010ffff", 1)
	require.NoError(t, err)
	assert.Empty(t, page)
}

// testContexts requires every call with a canceled context to fail, and later calls to succeed.
func testContexts(t *testing.T, o membership.Origin) {
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	for name, call := range map[string]func() error{
		"user":         func() error { _, err := o.User(canceled, "ghi"); return err },
		"username":     func() error { _, err := o.UserByUsername(canceled, "ghi"); return err },
		"organization": func() error { _, err := o.Organization(canceled, "ghi"); return err },
		"users":        func() error { _, err := o.Users(canceled, facts.UserQuery{}); return err },
		"locations":    func() error { _, err := o.Locations(canceled, "", 1); return err },
		"check":        func() error { return o.Check(canceled) },
	} {
		err := call()
		assert.Equal(t, pdp.Timeout, pdp.KindOf(err), name)
		assert.ErrorIs(t, err, context.Canceled, name)
	}
	_, err := o.User(context.Background(), "ghi")
	assert.NoError(t, err, "a canceled call does not affect other calls")
}
