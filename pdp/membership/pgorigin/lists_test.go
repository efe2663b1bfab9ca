package pgorigin

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

// fetchedPage is a page of a list, from an origin or from a directory.
type fetchedPage struct {
	IDs     []string
	Offsets []int
	More    bool
}

func originPage(t testing.TB, o membership.Origin, q facts.UserQuery) (s fetchedPage) {
	t.Helper()
	page, err := o.Users(context.Background(), q)
	require.NoError(t, err, "%+v", q)
	for i, u := range page.Users {
		var record struct{ ID string }
		require.NoError(t, json.Unmarshal(u.Record, &record))
		s.IDs, s.Offsets = append(s.IDs, record.ID), append(s.Offsets, page.Offsets[i])
	}
	s.More = page.More
	return s
}

func directoryPage(t testing.TB, d *directory.Directory, q facts.UserQuery) (s fetchedPage) {
	t.Helper()
	page, err := d.Users(context.Background(), q)
	require.NoError(t, err)
	for i, u := range page.Users {
		s.IDs, s.Offsets = append(s.IDs, u.ID()), append(s.Offsets, page.Cursors[i].Offset)
	}
	s.More = page.More
	return s
}

// withSmallAndLargeLocations returns an origin that gathers the users of a list, and one that walks through all users.
func withSmallAndLargeLocations(p *Origin) map[string]*Origin {
	walk := &Origin{pool: p.pool, secrets: p.secrets, tables: p.tables, timeout: p.timeout, listSlots: p.listSlots, breaker: p.breaker}
	walk.queries.Store(newQueries(p.tables, true, true, 0))
	return map[string]*Origin{"gathered": p, "walked": walk}
}

// The pages must be those of a file with the same directory, for every order, filter and page size.
func postgresPages(t *testing.T, server *servertest.Postgres) {
	d := origintest.MixedDirectory(t, 7, 150)
	p, _ := filledOrigin(t, server, d)
	for way, p := range withSmallAndLargeLocations(p) {
		pages := 0
		for _, beneath := range []string{"", "metro", "north", "ghi", "grp", "p1", "p2", "hs", "alone", "nowhere"} {
			for _, sort := range append(membership.SortKeys[:], "") {
				for _, descending := range []bool{false, true} {
					for _, text := range []string{"", "SMITH", "ann", "straSSe1", "éa å", "@example.org", "no such", "%", `\`} {
						q := facts.UserQuery{Beneath: beneath, Sort: sort, Descending: descending, Text: text}
						for _, q.Limit = range []int{0, 17} {
							q.After = facts.Cursor{}
							for {
								want := directoryPage(t, d, q)
								require.Equal(t, want, originPage(t, p, q), "%s: %+v", way, q)
								pages++
								if !want.More {
									break
								}
								q.After = facts.Cursor{ID: want.IDs[len(want.IDs)-1], Offset: want.Offsets[len(want.Offsets)-1]}
							}
						}
					}
				}
			}
		}
		assert.Greater(t, pages, 2000)
	}
}

func postgresCursors(t *testing.T, server *servertest.Postgres) {
	d := origintest.MixedDirectory(t, 8, 100)
	p, _ := filledOrigin(t, server, d)
	elsewhere := userBeneath(t, d, "grp")
	for way, p := range withSmallAndLargeLocations(p) {
		for _, sort := range membership.SortKeys {
			for _, text := range []string{"", "a"} {
				q := facts.UserQuery{Beneath: "metro", Sort: sort, Text: text, Limit: 5}
				whole := directoryPage(t, d, facts.UserQuery{Beneath: "metro", Sort: sort}).IDs
				for _, q.After = range []facts.Cursor{
					{ID: "left", Offset: 4}, {ID: elsewhere, Offset: 4}, {ID: "left"}, {ID: "left", Offset: -4},
					{ID: "left", Offset: len(whole)}, {ID: "left", Offset: len(whole) - 1}, {ID: "left", Offset: 1 << 40}, {Offset: 7},
				} {
					require.Equal(t, directoryPage(t, d, q), originPage(t, p, q), "%s: %+v", way, q)
				}
				// The cursor's user is in the list and determines the position. Offsets continue from the offset of the cursor.
				q.After = facts.Cursor{ID: whole[3], Offset: 1}
				require.Equal(t, directoryPage(t, d, q).IDs, originPage(t, p, q).IDs, way)
			}
		}
	}
}

// Slow lists must leave connections for the records that decisions need.
func postgresListsWait(t *testing.T, server *servertest.Postgres) {
	ctx := context.Background()
	filledOne, conn := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(`{"id": "a"}`)))
	p := openOrigin(t, Config{URL: filledOne.listenAt.url, MaxConnections: 4})
	_, err := p.User(ctx, "a")
	require.NoError(t, err)
	lock := servertest.Connect(t, filledOne.listenAt.url)
	slow := p.queries.Load()
	for shape := range slow.lists {
		slow.lists[shape] = "SELECT pg_advisory_lock_shared(1)::text, 0::bigint, 0::bigint, $1::text, $2::bigint, $3::bigint"
	}
	servertest.Exec(t, lock, "SELECT pg_advisory_lock(1)")
	var lists sync.WaitGroup
	for range 8 {
		lists.Go(func() { _, _ = p.Users(ctx, facts.UserQuery{Limit: 1}) })
	}
	require.Eventually(t, func() bool {
		var waiting int
		err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").Scan(&waiting)
		return err == nil && waiting == 2
	}, fixture.Timeout, 5*time.Millisecond)
	_, err = p.User(ctx, "a")
	require.NoError(t, err)
	servertest.Exec(t, lock, "SELECT pg_advisory_unlock(1)")
	lists.Wait()
}

func userBeneath(t *testing.T, d *directory.Directory, location string) string {
	t.Helper()
	page, err := d.Users(context.Background(), facts.UserQuery{Beneath: location, Limit: 1})
	require.NoError(t, err)
	return page.Users[0].ID()
}
