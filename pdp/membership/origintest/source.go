package origintest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"golang.org/x/text/unicode/norm"

	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// ReplaceableSource is a source under test whose directory can be replaced.
type ReplaceableSource interface {
	facts.Source
	// Replace replaces the directory with that of another document, in JSON. It may return before the source serves the new
	// directory: the suite waits.
	Replace(t *testing.T, document string)
}

// view returns a view that needs no announced change.
func view(s facts.Source) (facts.View, error) {
	return s.View(context.Background(), facts.Requirement{})
}

// ViewOf returns a view of a source that needs no announced change. It fails the test on an error.
func ViewOf(t testing.TB, s facts.Source) facts.View {
	t.Helper()
	v, err := view(s)
	require.NoError(t, err)
	return v
}

// TestSource tests a [facts.Source]: its results must be those of a [directory.Directory] of the same document. open
// returns a source with the directory of a document, which must be valid under [fixture.Vocabulary].
func TestSource(t *testing.T, open func(t *testing.T, document string) ReplaceableSource) {
	testSource(t, 1, open)
}

// TestCachedSource is like [TestSource] for a cache over an origin. A cache passes list queries on to the origin, for
// which [TestOrigin] tests all of them, so this suite tests only every seventh. The number of values of each parameter
// is not a multiple of seven, so every value still occurs.
func TestCachedSource(t *testing.T, open func(t *testing.T, document string) ReplaceableSource) {
	testSource(t, 7, open)
}

func testSource(t *testing.T, nth int, open func(t *testing.T, document string) ReplaceableSource) {
	doc := SampleDocument(3, 120)
	d := ParseDirectory(t, doc.String())
	s := open(t, doc.String())
	waitUntilServes(t, s, d)
	t.Run("records", func(t *testing.T) { testSourceRecords(t, ViewOf(t, s), d) })
	t.Run("lists", func(t *testing.T) { testSourceLists(t, s, d, nth) })
	t.Run("cursors", func(t *testing.T) { testSourceCursors(t, s, d) })
	t.Run("locations", func(t *testing.T) { testSourceLocations(t, s, d) })
	t.Run("concurrent reads", func(t *testing.T) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				v, err := view(s)
				if assert.NoError(t, err) {
					assert.NoError(t, compare(v, d))
				}
			})
		}
		all.Wait()
	})
	t.Run("changes", func(t *testing.T) { testSourceChanges(t, open) })
	t.Run("a view does not change", func(t *testing.T) { testStableView(t, open) })
	t.Run("concurrent changes", func(t *testing.T) { testConcurrentChanges(t, open) })
}

// waitUntilServes waits until a source serves all records of a directory, and none of those in gone.
func waitUntilServes(t *testing.T, s facts.Source, d *directory.Directory, gone ...string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		v, err := view(s)
		if err == nil {
			err = compare(v, d, gone...)
		}
		if err == nil {
			return
		}
		require.True(t, time.Now().Before(deadline), "%v", err)
	}
}

// compare returns an error that names the first difference between a view and a directory. Ids in gone must be unknown.
func compare(v facts.View, d *directory.Directory, gone ...string) error {
	ctx := context.Background()
	for _, want := range d.All {
		switch got, err := v.Location(ctx, want.ID()); {
		case err != nil:
			return err
		case got == nil:
			return fmt.Errorf("location %.50q is unknown", want.ID())
		case describe(got) != describe(want):
			return fmt.Errorf("location %.50q is %s", want.ID(), describe(got))
		}
	}
	for _, want := range d.AllUsers() {
		switch got, err := v.User(ctx, want.ID()); {
		case err != nil:
			return err
		case got == nil:
			return fmt.Errorf("user %.50q is unknown", want.ID())
		case !record.SameUser(SortAssignments(got.Record()), SortAssignments(want.Record())):
			return fmt.Errorf("user %.50q is %+v", want.ID(), got.Record())
		}
	}
	for _, id := range gone {
		if u, err := v.User(ctx, id); err != nil || u != nil {
			return fmt.Errorf("user %q: %v, %v", id, u, err)
		}
		if l, err := v.Location(ctx, id); err != nil || l != nil {
			return fmt.Errorf("location %q: %v, %v", id, l, err)
		}
	}
	return nil
}

// describe returns all properties of a location except its version.
func describe(l *facts.Location) string {
	text := fmt.Sprintf("%+v %s %s %s", l.Record(), l.Organization(), l.Model(), l.Plan())
	for above := l.Parent(); above != nil; above = above.Parent() {
		text += fmt.Sprintf(" < %+v", above.Record())
	}
	return text
}

// SortAssignments returns a record with its assignments in the order of their locations, because a source may return
// them in any order.
func SortAssignments(rec facts.UserRecord) facts.UserRecord {
	rec.Assignments = slices.Clone(rec.Assignments)
	slices.SortFunc(rec.Assignments, func(a, b facts.AssignmentRecord) int { return cmp.Compare(a.Location, b.Location) })
	return rec
}

// testSourceRecords tests users by id and by username, and locations by id, known and unknown.
func testSourceRecords(t *testing.T, v facts.View, d *directory.Directory) {
	ctx := context.Background()
	require.NoError(t, compare(v, d))
	for _, u := range d.AllUsers() {
		for _, spelling := range []string{
			u.Username(), strings.ToUpper(u.Username()), strings.ToLower(u.Username()), facts.Fold(u.Username()),
			norm.NFD.String(u.Username()), norm.NFC.String(strings.ToUpper(u.Username())),
			u.Username() + " ", "\u200b" + u.Username(), u.Username() + "\ufe0f",
		} {
			want, err := d.UserByUsername(ctx, spelling)
			require.NoError(t, err)
			got, err := v.UserByUsername(ctx, spelling)
			require.NoError(t, err)
			if want == nil {
				assert.Nil(t, got, spelling)
			} else if assert.NotNil(t, got, spelling) {
				assert.Equal(t, want.ID(), got.ID())
				assert.True(t, record.SameUser(SortAssignments(want.Record()), SortAssignments(got.Record())))
			}
		}
	}
	for _, id := range unknownIDs {
		u, err := v.User(ctx, id)
		assert.NoError(t, err, "%.50q", id)
		assert.Nil(t, u, "%.50q", id)
		u, err = v.UserByUsername(ctx, id)
		assert.NoError(t, err, "%.50q", id)
		assert.Nil(t, u, "%.50q", id)
		l, err := v.Location(ctx, id)
		assert.NoError(t, err, "%.50q", id)
		assert.Nil(t, l, "%.50q", id)
	}
}

// testSourceLocations pages through the locations of the directory and beneath some locations.
func testSourceLocations(t *testing.T, s facts.Source, d *directory.Directory) {
	ctx := context.Background()
	for _, beneath := range []string{"", "metro", "north", "ghi", "odd {group}/%2e", "..", "nowhere"} {
		for _, size := range []int{0, 1, 7, 5000} {
			v := ViewOf(t, s)
			q := facts.LocationQuery{Beneath: beneath, Limit: size}
			for {
				want, err := d.Locations(ctx, q)
				require.NoError(t, err)
				got, err := v.Locations(ctx, q)
				require.NoError(t, err)
				require.Equal(t, locationIDs(want), locationIDs(got), "%+v", q)
				for i := range want {
					assert.Equal(t, describe(want[i]), describe(got[i]))
				}
				if len(want) == 0 {
					break
				}
				q.After = want[len(want)-1].ID()
			}
		}
	}
	got, err := ViewOf(t, s).Locations(ctx, facts.LocationQuery{Beneath: "metro", After: "i"})
	require.NoError(t, err)
	assert.Equal(t, []string{"jkl", "metro", "north"}, locationIDs(got), "the cursor need not be the id of a location")
}

func locationIDs(all []*facts.Location) []string {
	out := make([]string, len(all))
	for i, l := range all {
		out[i] = l.ID()
	}
	return out
}
