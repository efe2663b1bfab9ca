package origintest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// assertList compares a page of a list: users, cursors, and whether there are more.
func assertList(t *testing.T, want, got facts.Users, q facts.UserQuery) {
	t.Helper()
	require.Equal(t, UserIDs(want.Users), UserIDs(got.Users), "%+v", q)
	require.Equal(t, want.Cursors, got.Cursors, "%+v", q)
	require.Equal(t, want.More, got.More, "%+v", q)
	for i, u := range want.Users {
		require.True(t, record.SameUser(SortAssignments(u.Record()), SortAssignments(got.Users[i].Record())), "%.50q", u.ID())
	}
}

// testSourceLists requests every nth combination of the parameters of a list, and pages through some lists.
func testSourceLists(t *testing.T, s facts.Source, d *directory.Directory, nth int) {
	ctx := context.Background()
	n := 0
	everyQuery(func(q facts.UserQuery) {
		if n++; n%nth != 0 {
			return
		}
		want, err := d.Users(ctx, q)
		require.NoError(t, err)
		got, err := ViewOf(t, s).Users(ctx, q)
		require.NoError(t, err)
		assertList(t, want, got, q)
	})
	for _, q := range []facts.UserQuery{{}, {Beneath: "metro", Sort: facts.SortLastLogin, Descending: true}, {Beneath: "grp", Sort: facts.SortUsername, Text: "an"}} {
		for _, q.Limit = range []int{1, 2, 7, 50, 2000} {
			q.After = facts.Cursor{}
			v := ViewOf(t, s)
			for more := true; more; {
				want, err := d.Users(ctx, q)
				require.NoError(t, err)
				got, err := v.Users(ctx, q)
				require.NoError(t, err)
				assertList(t, want, got, q)
				if more = got.More; more {
					q.After = got.Cursors[len(got.Cursors)-1]
				}
			}
		}
	}
	_, err := ViewOf(t, s).Users(ctx, facts.UserQuery{Sort: "age"})
	assert.Equal(t, pdp.Invalid, pdp.KindOf(err))
}

// testSourceCursors tests that a list continues after a cursor as in a directory.
func testSourceCursors(t *testing.T, s facts.Source, d *directory.Directory) {
	ctx := context.Background()
	everyCursor(t, d, func(q facts.UserQuery) {
		want, err := d.Users(ctx, q)
		require.NoError(t, err)
		got, err := ViewOf(t, s).Users(ctx, q)
		require.NoError(t, err)
		assertList(t, want, got, q)
	})
}
