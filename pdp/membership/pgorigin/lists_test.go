package pgorigin

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// waysOf returns an origin that gathers the users of a list, one that gathers none and walks in the order of the list, and the
// same in small steps, without the column for searches.
func waysOf(p *Origin) map[string]*Origin {
	all := map[string]*Origin{"as it is": p}
	for name, q := range map[string]*queries{
		"walked":                     newQueries(p.tables, present{userVersions: true, locationVersions: true, search: true, trigrams: true, short: true}, 0, walked),
		"in small steps":             newQueries(p.tables, present{userVersions: true, locationVersions: true}, 0, 7),
		"by indexes":                 newQueries(p.tables, present{userVersions: true, locationVersions: true, search: true, trigrams: true, short: true, inactive: true}, 40, 40),
		"by indexes, in small steps": newQueries(p.tables, present{userVersions: true, locationVersions: true, search: true, trigrams: true, short: true, inactive: true}, 4, 7),
	} {
		all[name] = &Origin{pool: p.pool, secrets: p.secrets, tables: p.tables, timeout: p.timeout, listSlots: p.listSlots, breaker: p.breaker}
		all[name].queries.Store(q)
	}
	return all
}

// wholePage asks until there are as many users as asked for, because a query looks at a bounded number.
func wholePage(t testing.TB, o membership.Origin, q facts.UserQuery) (page membership.RawUsers) {
	t.Helper()
	limit := membership.PageLimit(q.Limit)
	for {
		q.Limit = limit - len(page.Users)
		more, err := o.Users(context.Background(), q)
		require.NoError(t, err, "%+v", q)
		page.Users, page.More, page.Next = append(page.Users, more.Users...), more.More, more.Next
		if !more.More || len(page.Users) == limit {
			return page
		}
		require.NotEqual(t, q.After, more.Next, "%+v", q)
		q.After = more.Next
	}
}

// assertPage requires the page of a file with the same directory. A query that ends with the last user cannot know it.
func assertPage(t testing.TB, d *directory.Directory, o membership.Origin, q facts.UserQuery, way string) facts.Users {
	t.Helper()
	want, err := d.Users(context.Background(), q)
	require.NoError(t, err)
	got := wholePage(t, o, q)
	ids := []string{}
	for _, u := range got.Users {
		ids = append(ids, record.IDOf(u))
	}
	require.Equal(t, origintest.UserIDs(want.Users), ids, "%s: %+v", way, q)
	if want.More {
		require.True(t, got.More, "%s: %+v", way, q)
		q.After = got.Next
		next := wholePage(t, o, q)
		q.After = want.Next
		following, err := d.Users(context.Background(), q)
		require.NoError(t, err)
		require.Equal(t, following.Users[0].ID(), record.IDOf(next.Users[0]), "%s: %+v", way, q)
	}
	return want
}

// The pages must be those of a file with the same directory, for every order, filter and page size, however they are found.
func postgresPages(t *testing.T, server *servertest.Postgres) {
	d := origintest.MixedDirectory(t, 7, 150)
	p, _ := filledOrigin(t, server, d)
	for way, p := range waysOf(p) {
		pages := 0
		for _, beneath := range []string{"", "metro", "ghi", "grp", "p2", "hs", "nowhere"} {
			for _, sort := range membership.SortKeys {
				for _, descending := range []bool{false, true} {
					for _, text := range []string{"", "SMITH", "straSSe1", "éa å", "@example.org", "no such", "%", "a\nb", `\`, "S", "é", "tH", "\x1f"} {
						q := facts.UserQuery{Beneath: beneath, Sort: sort, Descending: descending, Text: text, Limit: 17}
						for more := true; more; pages++ {
							want := assertPage(t, d, p, q, way)
							q.After, more = want.Next, want.More
						}
					}
				}
			}
		}
		assert.Greater(t, pages, 700)
	}
}

// Whoever cannot be a hit must not be returned, and everybody else must be, however they are found.
func postgresOnly(t *testing.T, server *servertest.Postgres) {
	d := origintest.MixedDirectory(t, 9, 150)
	p, conn := filledOrigin(t, server, d)
	found := 0
	for way, p := range waysOf(p) {
		for _, status := range []string{"", facts.StatusActive, facts.StatusDeactivated} {
			for _, held := range []*facts.Assigned{
				nil, {Active: true}, {Locations: []string{"metro"}}, {Locations: []string{"ghi", "grp"}}, {Roles: []string{"owner", "ed_admin", "user"}},
				{Locations: []string{"grp", "hs"}, Roles: []string{"practitioner", "user"}, Active: true}, {Locations: []string{"nowhere"}}, {Roles: []string{}},
				{Locations: []string{"metro"}, Beneath: "ghi", Active: true}, {Locations: []string{}, Beneath: "metro"}, {Locations: []string{"grp"}, Beneath: "nowhere"},
			} {
				for _, beneath := range []string{"", "metro", "grp"} {
					for i, text := range []string{"", "an"} {
						q := facts.UserQuery{Beneath: beneath, Sort: membership.SortKeys[(found+i)%len(membership.SortKeys)], Descending: i == 1, Text: text,
							Only: facts.Only{Status: status, Assigned: held}, Limit: 30}
						for more := true; more; {
							want := assertPage(t, d, p, q, way)
							found += len(want.Users)
							q.After, more = want.Next, want.More
						}
					}
				}
			}
		}
	}
	assert.Greater(t, found, 2000)

	// A status that is none is a fault, which a list reports.
	servertest.Exec(t, conn, `ALTER TABLE users DROP CONSTRAINT users_status_check, ALTER COLUMN status DROP NOT NULL;
		UPDATE users SET status = CASE id WHEN 'a' THEN NULL ELSE 'away' END WHERE id IN (SELECT min(id) FROM users UNION SELECT max(id) FROM users)`)
	for way, p := range waysOf(p) {
		for _, status := range []string{facts.StatusActive, facts.StatusDeactivated} {
			page := wholePage(t, p, facts.UserQuery{Only: facts.Only{Status: status}})
			faulty := 0
			for _, u := range page.Users {
				v := record.NewValidator(fixture.Vocabulary())
				if _, faults, err := v.User(v.Tokens(u.Record)); err != nil || faults.Err() != nil {
					faulty++
				}
			}
			assert.Equal(t, 2, faulty, "%s: %s", way, status)
		}
	}
}

// Each order is read from the index that directory schema makes for it, from the beginning and from a cursor, and that of users who are
// not active from an index without the others. Texts are found by indexes too.
func postgresListPlans(t *testing.T, server *servertest.Postgres) {
	p, conn := filledOrigin(t, server, origintest.MixedDirectory(t, 9, 150))
	_, err := p.User(t.Context(), "a") // learns what the tables have
	require.NoError(t, err)
	servertest.Exec(t, conn, "SET enable_sort = off; SET enable_seqscan = off; SET enable_bitmapscan = off") // few users, whom it would rather sort
	parameter := regexp.MustCompile(`\$\d+`)
	explain := func(sql string) string {
		rows, err := conn.Query(t.Context(), "EXPLAIN "+parameter.ReplaceAllString(sql, "'2020-01-01'"))
		require.NoError(t, err, sql)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		return strings.Join(lines, "\n")
	}
	scan := regexp.MustCompile(`Scan using (users_\w+) on users`)
	for _, sort := range membership.SortKeys {
		for _, descending := range []bool{false, true} {
			for _, status := range []string{"", facts.StatusActive, facts.StatusDeactivated} {
				for _, continued := range []bool{false, true} {
					s := listShape{sort: sort, descending: descending, continued: continued, everywhere: true, status: status}
					plan := explain(strings.Replace(p.queries.Load().list(s), "LIMIT $1", "LIMIT 10", 1))
					direction := map[bool]string{false: "ascending", true: "descending"}[descending]
					want := fmt.Sprintf("users_in_order_of_%s_%s", sort, direction)
					if status == facts.StatusDeactivated {
						want = fmt.Sprintf("users_inactive_by_%s_%s", sort, direction)
					}
					used := map[string]bool{}
					for _, found := range scan.FindAllStringSubmatch(plan, -1) {
						used[found[1]] = true
					}
					delete(used, "users_pkey")     // the records of the page, and those without a default location
					delete(used, "users_inactive") // the latter again
					require.Equal(t, map[string]bool{want: true}, used, plan)
					require.NotContains(t, plan, "Sort Key: (COALESCE", plan)
					if continued { // not by what comes before
						begun := regexp.MustCompile(`Scan using `+want+` on users[^\n]*\n +Index Cond: `).FindAllString(plan, -1)
						require.Len(t, begun, strings.Count(plan, "Scan using "+want+" "), plan)
					}
				}
			}
		}
	}
	servertest.Exec(t, conn, "SET enable_bitmapscan = on")
	q := p.queries.Load()
	require.True(t, q.trigrams && q.short)
	for short, index := range map[bool]string{false: "users_search", true: "users_short_texts"} {
		plan := explain(strings.Replace(q.list(listShape{way: gatherText, sort: facts.SortName, everywhere: true, filtered: true, short: short}), "LIMIT $1", "LIMIT 10", 1))
		require.Contains(t, plan, "Bitmap Index Scan on "+index, plan)
	}
}

func postgresCursors(t *testing.T, server *servertest.Postgres) {
	d := origintest.MixedDirectory(t, 8, 100)
	p, _ := filledOrigin(t, server, d)
	origintest.TestCursors(t, p, d)
	for way, p := range waysOf(p) {
		for _, sort := range membership.SortKeys {
			for _, descending := range []bool{false, true} {
				q := facts.UserQuery{Beneath: "metro", Sort: sort, Descending: descending, Limit: 5}
				whole := assertPage(t, d, p, facts.UserQuery{Beneath: "metro", Sort: sort, Descending: descending}, way)
				for _, c := range []facts.Cursor{whole.Cursors[3], whole.Cursors[len(whole.Cursors)-3]} {
					for _, q.After = range []facts.Cursor{c, {ID: c.ID}, {ID: "left", First: c.First, Second: c.Second}, {ID: "\U0010ffff"}} {
						assertPage(t, d, p, q, way)
					}
				}
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
	p.queries.Load().list = func(listShape) string { return "SELECT pg_advisory_lock_shared(1)::text, $1::bigint" }
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
