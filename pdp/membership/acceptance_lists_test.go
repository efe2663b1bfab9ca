package membership

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
)

func assertList(t *testing.T, want, got pdp.Users, q pdp.UserQuery) {
	t.Helper()
	require.Equal(t, ids(want.Users), ids(got.Users), "%+v", q)
	require.Equal(t, want.Cursors, got.Cursors, "%+v", q)
	require.Equal(t, want.More, got.More, "%+v", q)
	for i, u := range want.Users {
		require.True(t, sameUser(inOrder(u.Record()), inOrder(got.Users[i].Record())), "%.50q", u.ID())
	}
}

func acceptLists(t *testing.T, s pdp.Source, d *Directory) {
	ctx := context.Background()
	everyQuery(func(q pdp.UserQuery) {
		want, err := d.Users(ctx, q)
		require.NoError(t, err)
		got, err := viewOf(t, s).Users(ctx, q)
		require.NoError(t, err)
		assertList(t, want, got, q)
	})
	for _, q := range []pdp.UserQuery{{}, {Beneath: "metro", Sort: pdp.SortLastLogin, Descending: true}, {Beneath: "grp", Sort: pdp.SortUsername, Text: "an"}} {
		for _, q.Limit = range []int{1, 2, 7, 50, 2000} {
			q.After = pdp.Cursor{}
			v := viewOf(t, s)
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
	_, err := viewOf(t, s).Users(ctx, pdp.UserQuery{Sort: "age"})
	assert.Equal(t, pdp.Invalid, pdp.KindOf(err))
}

func acceptCursors(t *testing.T, s pdp.Source, d *Directory) {
	ctx := context.Background()
	inside := d.usersBeneath(d.locationAt["metro"])
	var elsewhere []int32
	for _, user := range d.usersBeneath(d.locationAt["grp"]) {
		if !slices.Contains(inside, user) {
			elsewhere = append(elsewhere, user)
		}
	}
	require.NotEmpty(t, elsewhere)
	known := d.users[inside[5]].ID()
	for _, after := range []pdp.Cursor{
		{ID: known}, {ID: known, Offset: 1}, {ID: known, Offset: 1 << 40}, {ID: "left", Offset: 4}, {ID: "left"}, {ID: "left", Offset: -4},
		{ID: "left", Offset: 1 << 40}, {ID: d.users[elsewhere[0]].ID(), Offset: 4}, {Offset: 3}, {ID: "\x00", Offset: 3}, {ID: "../%", Offset: 3},
	} {
		for _, text := range []string{"", "an"} {
			for _, descending := range []bool{false, true} {
				q := pdp.UserQuery{Beneath: "metro", Sort: pdp.SortUsername, Descending: descending, Text: text, After: after, Limit: 5}
				want, err := d.Users(ctx, q)
				require.NoError(t, err)
				got, err := viewOf(t, s).Users(ctx, q)
				require.NoError(t, err)
				assertList(t, want, got, q)
			}
		}
	}
}
