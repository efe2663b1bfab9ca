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

// ReplaceableSource is a source under test, the directory of which can be replaced by another document. Replace may return
// before the source shows it: the suite waits for that.
type ReplaceableSource interface {
	facts.Source
	Replace(t *testing.T, document string)
}

// view is how the suite asks a source.
func view(s facts.Source) (facts.View, error) {
	return s.View(context.Background(), facts.Requirement{})
}

func ViewOf(t testing.TB, s facts.Source) facts.View {
	t.Helper()
	v, err := view(s)
	require.NoError(t, err)
	return v
}

// TestSource is what every source must do: it shows what a [directory.Directory] of the same document has.
func TestSource(t *testing.T, open func(t *testing.T, document string) ReplaceableSource) {
	testSource(t, 1, open)
}

// TestCachedSource is the same for a source over an origin. It asks every seventh of the lists, a number that no column of them divides: a
// list is passed on as it is asked for, and testOrigin has the origin asked for all of them.
func TestCachedSource(t *testing.T, open func(t *testing.T, document string) ReplaceableSource) {
	testSource(t, 7, open)
}

func testSource(t *testing.T, nth int, open func(t *testing.T, document string) ReplaceableSource) {
	r := SampleDocument(3, 120)
	d := ParseDirectory(t, r.String())
	s := open(t, r.String())
	shows(t, s, d)
	t.Run("records", func(t *testing.T) { testRecords(t, ViewOf(t, s), d) })
	t.Run("lists", func(t *testing.T) { testLists(t, s, d, nth) })
	t.Run("cursors", func(t *testing.T) { testCursors(t, s, d) })
	t.Run("locations", func(t *testing.T) { testLocations(t, s, d) })
	t.Run("many at once", func(t *testing.T) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				v, err := view(s)
				if assert.NoError(t, err) {
					assert.NoError(t, differs(v, d))
				}
			})
		}
		all.Wait()
	})
	t.Run("changes", func(t *testing.T) { testChanges(t, open) })
	t.Run("one view, one state", func(t *testing.T) { testOneState(t, open) })
	t.Run("readers while it changes", func(t *testing.T) { testReaders(t, open) })
}

// shows waits until a source has all that a directory has, and of others nothing.
func shows(t *testing.T, s facts.Source, d *directory.Directory, gone ...string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		v, err := view(s)
		if err == nil {
			err = differs(v, d, gone...)
		}
		if err == nil {
			return
		}
		require.True(t, time.Now().Before(end), "%v", err)
	}
}

// differs names the first record that a view has otherwise than a directory. Who is gone is neither user nor location.
func differs(v facts.View, d *directory.Directory, gone ...string) error {
	ctx := context.Background()
	for _, want := range d.All {
		switch got, err := v.Location(ctx, want.ID()); {
		case err != nil:
			return err
		case got == nil:
			return fmt.Errorf("location %.50q is unknown", want.ID())
		case described(got) != described(want):
			return fmt.Errorf("location %.50q is %s", want.ID(), described(got))
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

// described is all that can be seen of a location, but for its version.
func described(l *facts.Location) string {
	text := fmt.Sprintf("%+v %s %s %s", l.Record(), l.Organization(), l.Model(), l.Plan())
	for above := l.Parent(); above != nil; above = above.Parent() {
		text += fmt.Sprintf(" < %+v", above.Record())
	}
	return text
}

// SortAssignments sorts assignments, the order of which says nothing.
func SortAssignments(rec facts.UserRecord) facts.UserRecord {
	rec.Assignments = slices.Clone(rec.Assignments)
	slices.SortFunc(rec.Assignments, func(a, b facts.AssignmentRecord) int { return cmp.Compare(a.Location, b.Location) })
	return rec
}

func testRecords(t *testing.T, v facts.View, d *directory.Directory) {
	ctx := context.Background()
	require.NoError(t, differs(v, d))
	for _, u := range d.AllUsers() {
		for _, spelt := range []string{
			u.Username(), strings.ToUpper(u.Username()), strings.ToLower(u.Username()), facts.Fold(u.Username()),
			norm.NFD.String(u.Username()), norm.NFC.String(strings.ToUpper(u.Username())),
			u.Username() + " ", "\u200b" + u.Username(), u.Username() + "\ufe0f",
		} {
			want, err := d.UserByUsername(ctx, spelt)
			require.NoError(t, err)
			got, err := v.UserByUsername(ctx, spelt)
			require.NoError(t, err)
			if want == nil {
				assert.Nil(t, got, spelt)
			} else if assert.NotNil(t, got, spelt) {
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

func testLocations(t *testing.T, s facts.Source, d *directory.Directory) {
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
					assert.Equal(t, described(want[i]), described(got[i]))
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
	assert.Equal(t, []string{"jkl", "metro", "north"}, locationIDs(got), "the cursor need not be a location")
}

func locationIDs(all []*facts.Location) []string {
	out := make([]string, len(all))
	for i, l := range all {
		out[i] = l.ID()
	}
	return out
}
