package pgorigin

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

// recordSet contains all records of an origin at one time.
type recordSet struct {
	users, trees map[string]membership.RawRecord // by id, and by root
}

func snapshot(t testing.TB, o membership.Origin) recordSet {
	t.Helper()
	ctx := context.Background()
	s := recordSet{map[string]membership.RawRecord{}, map[string]membership.RawRecord{}}
	page, err := o.Users(ctx, facts.UserQuery{Limit: 1 << 20})
	require.NoError(t, err)
	for _, u := range page.Users {
		var record struct{ ID string }
		require.NoError(t, json.Unmarshal(u.Record, &record))
		s.users[record.ID] = u
	}
	ids, err := o.Locations(ctx, "", 1<<20)
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id] {
			continue
		}
		tree, err := o.Organization(ctx, id)
		require.NoError(t, err)
		var all []struct{ ID, Parent string }
		require.NoError(t, json.Unmarshal(tree.Record, &all))
		for _, l := range all {
			seen[l.ID] = true
			if l.Parent == "" {
				s.trees[l.ID] = *tree
			}
		}
	}
	return s
}

// changedIDs returns the ids of the records that differ. It requires that their versions have increased.
func changedIDs(t *testing.T, before, after map[string]membership.RawRecord) (ids []string) {
	t.Helper()
	for id, now := range after {
		was, known := before[id]
		if same := string(was.Record) == string(now.Record); known && same {
			continue
		}
		assert.Greater(t, now.Version, was.Version, id)
		ids = append(ids, id)
	}
	for id := range before {
		if _, still := after[id]; !still {
			ids = append(ids, id)
		}
	}
	return ids
}

// writes are executed one after the other. users and trees are the users and organizations whose records each changes;
// "*" means all.
var writes = []struct {
	sql          string
	users, trees []string
}{
	{`UPDATE users SET family = 'Other' WHERE id = 'a'`, []string{"a"}, nil},
	{`UPDATE users SET status = 'deactivated' WHERE id IN ('a', 'b')`, []string{"a", "b"}, nil},
	{`UPDATE users SET username = 'A2@example.org', last_login = now(), default_location = 'ghi' WHERE id = 'a'`, []string{"a"}, nil},
	{`INSERT INTO users (id, username) VALUES ('e', 'e@example.org'), ('f', NULL)`, []string{"e", "f"}, nil},
	{`INSERT INTO users (id, username) VALUES ('e', 'x') ON CONFLICT (id) DO UPDATE SET given = 'E'`, []string{"e"}, nil},
	{`INSERT INTO assignments (user_id, location, role) VALUES ('e', 'e1', 'user'), ('f', 'e1', 'user')`, []string{"e", "f"}, nil},
	{`UPDATE assignments SET role = 'entity_admin' WHERE user_id = 'e'`, []string{"e"}, nil},
	{`UPDATE assignments SET user_id = 'e', location = 'alone' WHERE user_id = 'f'`, []string{"e", "f"}, nil},
	{`DELETE FROM assignments WHERE user_id = 'b' AND location = 'jkl'`, []string{"b"}, nil},
	{`DELETE FROM users WHERE id = 'e'`, []string{"e"}, nil},
	{`INSERT INTO users (id) VALUES ('e')`, []string{"e"}, nil},
	{`UPDATE users SET id = 'g' WHERE id = 'e'`, []string{"e", "g"}, nil},
	{`DELETE FROM users`, []string{"*"}, nil},
	{`UPDATE locations SET name = 'New' WHERE id = 'ghi'`, nil, []string{"metro"}},
	{`UPDATE locations SET name = 'New' WHERE id IN ('metro', 'p1')`, nil, []string{"metro", "grp"}},
	{`UPDATE locations SET plan = 'free' WHERE id = 'hs'`, nil, []string{"hs"}},
	{`INSERT INTO locations (id, kind, parent) VALUES ('new', 'facility', 'north')`, nil, []string{"metro"}},
	{`INSERT INTO locations (id, kind, parent, model) VALUES ('far', 'region', NULL, 'regional'), ('farther', 'division', 'far', NULL), ('farthest', 'facility', 'farther', NULL)`, nil, []string{"far"}},
	{`DELETE FROM locations WHERE id = 'new'`, nil, []string{"metro"}},
	{`UPDATE locations SET parent = 'far' WHERE id = 'north'`, nil, []string{"metro", "far"}},
	{`UPDATE locations SET parent = CASE id WHEN 'north' THEN 'metro' ELSE 'north' END WHERE id IN ('north', 'farthest')`, nil, []string{"metro", "far"}},
	{`UPDATE locations SET parent = 'e1', kind = 'entity' WHERE id = 'e1'`, nil, nil}, // refused
	{`UPDATE locations SET parent = NULL, kind = 'entity', model = 'health_system', plan = 'free' WHERE id = 'e1'`, nil, []string{"hs", "e1"}},
	{`SET CONSTRAINTS ALL DEFERRED; UPDATE locations SET id = 'far2' WHERE id = 'far'; UPDATE locations SET parent = 'far2' WHERE parent = 'far'`, nil, []string{"far", "far2"}},
	{`DELETE FROM locations WHERE id IN ('far2', 'farther')`, nil, []string{"far2"}},
	{`INSERT INTO users (id) SELECT 'many' || i FROM generate_series(1, 1200) i`, []string{"*"}, nil},
	{`UPDATE users SET title = 'Dr.'`, []string{"*"}, nil},
	{`INSERT INTO assignments (user_id, location, role) SELECT id, 'alone', 'user' FROM users`, []string{"*"}, nil},
	{`DELETE FROM users WHERE id <> 'many1'`, []string{"*"}, nil},
	{`INSERT INTO locations (id, kind, parent) SELECT 'p' || i, 'practice', 'grp' FROM generate_series(10, 1200) i`, nil, []string{"grp"}},
	{`TRUNCATE assignments, users`, []string{"*"}, nil},
	{`INSERT INTO users (id) VALUES ('last'); INSERT INTO assignments (user_id, location, role) VALUES ('last', 'alone', 'user')`, []string{"last"}, nil},
	{`ALTER TABLE users DROP CONSTRAINT users_default_location_assigned; TRUNCATE assignments`, []string{"last"}, nil},
	{`TRUNCATE locations CASCADE`, nil, []string{"*"}},
}

// Every kind of write must increase the versions of the records that it changes, and be received before a heartbeat sent
// after it.
func postgresWrites(t *testing.T, server *servertest.Postgres) {
	user := func(id string) string {
		return fmt.Sprintf(`{"id": %q, "username": "%[1]s@example.org", "default_location": "metro", "assignments": [{"location": "metro", "role": "regional_admin"},
			{"location": "ghi", "role": "ed_admin"}, {"location": "jkl", "role": "ed_admin"}]}`, id)
	}
	d := origintest.ParseDirectory(t, fixture.WithUsers(user("a")+","+user("b")+","+user("c")))
	p, conn := filledOrigin(t, server, d)
	h := watch(t, p)
	h.heartbeatSince(time.Now())
	greatest := map[string]uint64{}
	for _, w := range writes {
		before := snapshot(t, p)
		h.forget()
		err := conn.PgConn().Exec(context.Background(), w.sql).Close()
		if w.users == nil && w.trees == nil {
			require.Error(t, err, w.sql)
			continue
		}
		require.NoError(t, err, w.sql)
		h.heartbeatSince(time.Now())
		after := snapshot(t, p)
		users, trees := changedIDs(t, before.users, after.users), changedIDs(t, before.trees, after.trees)
		for _, c := range []struct{ want, got []string }{{w.users, users}, {w.trees, trees}} {
			if len(c.want) == 1 && c.want[0] == "*" {
				assert.NotEmpty(t, c.got, w.sql)
			} else {
				assert.ElementsMatch(t, c.want, c.got, w.sql)
			}
		}
		told := h.changes()
		for _, id := range users {
			assert.True(t, containsChange(told, pdp.UserChanged, id, after.users[id].Version), "%s: %s in %v", w.sql, id, told)
			// A record that is added again must have a greater version than ever before.
			if v := after.users[id].Version; v > 0 {
				assert.Greater(t, v, greatest[id], "%s: %s", w.sql, id)
				greatest[id] = v
			}
		}
		for _, root := range trees {
			assert.True(t, containsChange(told, pdp.LocationChanged, root, after.trees[root].Version), "%s: %s in %v", w.sql, root, told)
		}
	}
}

// containsChange reports whether changes include one of a user or an organization. Version 0 is for a deleted record,
// whose change is announced with a version nevertheless.
func containsChange(all []pdp.Change, kind pdp.ChangeKind, id string, version uint64) bool {
	var last *pdp.Change
	for i, c := range all {
		switch {
		case c.Kind == pdp.AnythingChanged:
			return true
		case c.Kind == kind && (kind == pdp.UserChanged && c.ID == id || kind == pdp.LocationChanged && c.Organization == id):
			last = &all[i]
		}
	}
	return last != nil && (last.Version == version || version == 0 && last.Version > 0)
}

// The transaction that commits last gets the greater version, whichever began first.
func postgresLateWriter(t *testing.T, server *servertest.Postgres) {
	ctx := context.Background()
	p, first := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(`{"id": "a", "assignments": [{"location": "e1", "role": "user"}]}`)))
	second := servertest.Connect(t, p.listenAt.url)
	for _, c := range []struct{ one, other, location string }{
		{`UPDATE users SET given = 'One' WHERE id = 'a'`, `UPDATE users SET family = 'Other' WHERE id = 'a'`, ""},
		{`UPDATE assignments SET role = 'entity_admin'`, `UPDATE users SET title = 'Dr.' WHERE id = 'a'`, ""},
		{`UPDATE assignments SET role = 'user'`, `INSERT INTO assignments (user_id, location, role) VALUES ('a', 'alone', 'user')`, ""},
		{`DELETE FROM users WHERE id = 'a'`, `INSERT INTO users (id) VALUES ('a')`, ""},
		{`UPDATE locations SET name = 'G' WHERE id = 'ghi'`, `UPDATE locations SET name = 'J' WHERE id = 'jkl'`, "metro"},
		{`UPDATE locations SET name = 'M' WHERE id = 'metro'`, `DELETE FROM locations WHERE id = 'jkl'`, "metro"},
		// The second transaction writes beneath a location that is moved at the same time.
		{`INSERT INTO locations (id, kind, model) VALUES ('far', 'region', 'regional'); UPDATE locations SET parent = 'far' WHERE id = 'north'`,
			`UPDATE locations SET name = 'Late' WHERE id = 'ghi'`, "far"},
	} {
		servertest.Exec(t, first, "BEGIN; "+c.one)
		done := make(chan error, 1)
		go func() { done <- second.PgConn().Exec(ctx, c.other).Close() }()
		waiting(t, p)
		servertest.Exec(t, first, "COMMIT")
		between := version(t, p, c.location)
		require.NoError(t, <-done, c.other)
		// If the second transaction was done before the first read, both reads return the same version; otherwise the later
		// one is greater.
		after := version(t, p, c.location)
		assert.GreaterOrEqual(t, after, between, c.other)
		var last uint64
		require.NoError(t, first.QueryRow(ctx, "SELECT last_value FROM wardkeeper_versions").Scan(&last))
		assert.Equal(t, last, after, "the last to commit took the last number: %s", c.other)
	}
}

func version(t *testing.T, p *Origin, location string) uint64 {
	t.Helper()
	ask := func() (*membership.RawRecord, error) { return p.User(context.Background(), "a") }
	if location != "" {
		ask = func() (*membership.RawRecord, error) { return p.Organization(context.Background(), location) }
	}
	s, err := ask()
	require.NoError(t, err)
	if s == nil {
		return 0
	}
	return s.Version
}

// waiting returns when a session waits for a lock.
func waiting(t *testing.T, p *Origin) {
	t.Helper()
	require.Eventually(t, func() bool {
		var n int
		err := p.pool.QueryRow(context.Background(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&n)
		return err == nil && n > 0
	}, fixture.Timeout, 5*time.Millisecond)
}

// Under any mix of writers, reads never return an older version than before, and each version has one content.
func postgresManyWriters(t *testing.T, server *servertest.Postgres) {
	ctx := context.Background()
	p, conn := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(`{"id": "a"}, {"id": "b"}`)))
	servertest.Exec(t, conn, `INSERT INTO locations (id, kind, model) VALUES ('far', 'region', 'regional')`)
	stop, stopped := context.WithCancel(ctx)
	var reads atomic.Int64
	var all sync.WaitGroup
	for w := range 4 {
		conn := servertest.Connect(t, p.listenAt.url)
		r := rand.New(rand.NewPCG(uint64(w), 3))
		all.Go(func() {
			for i := 0; i < 150 || reads.Load() <= 100 && i < 10_000; i++ { // on a busy machine the reader starts late
				id, at := []string{"a", "b"}[r.IntN(2)], []string{"e1", "alone", "grp"}[r.IntN(3)]
				sql := []string{
					fmt.Sprintf(`UPDATE users SET given = '%d-%d' WHERE id = '%s'`, w, i, id),
					fmt.Sprintf(`INSERT INTO assignments (user_id, location, role) VALUES ('%s', '%s', 'r%d-%d') ON CONFLICT (user_id, location) DO UPDATE SET role = EXCLUDED.role`, id, at, w, i),
					fmt.Sprintf(`DELETE FROM assignments WHERE user_id = '%s' AND location = '%s'`, id, at),
					fmt.Sprintf(`UPDATE locations SET name = '%d-%d' WHERE id = '%s'`, w, i, []string{"ghi", "jkl", "north"}[r.IntN(3)]),
					fmt.Sprintf(`UPDATE locations SET parent = '%s' WHERE id = 'north'`, []string{"metro", "far"}[r.IntN(2)]),
				}[r.IntN(5)]
				err := conn.PgConn().Exec(ctx, sql).Close()
				var refused interface{ SQLState() string }
				if err != nil && assert.ErrorAs(t, err, &refused) {
					assert.Equal(t, "40P01", refused.SQLState(), "only a deadlock may end one: %v", err)
				}
			}
		})
	}
	var readers sync.WaitGroup
	readers.Go(func() {
		last := map[string]membership.RawRecord{}
		for stop.Err() == nil {
			for _, id := range []string{"a", "b", "metro", "far"} {
				ask := p.User
				if id == "metro" || id == "far" {
					ask = p.Organization
				}
				now, err := ask(ctx, id)
				if !assert.NoError(t, err) || !assert.NotNil(t, now) {
					return
				}
				was := last[id]
				assert.GreaterOrEqual(t, now.Version, was.Version, id)
				if now.Version == was.Version {
					assert.Equal(t, string(was.Record), string(now.Record), id)
				}
				last[id] = *now
				reads.Add(1)
			}
		}
	})
	all.Wait()
	stopped()
	readers.Wait()
	assert.Greater(t, reads.Load(), int64(100))
}

// The schema must refuse everything that SQL constraints can refuse.
func postgresConstraints(t *testing.T, server *servertest.Postgres) {
	ctx := context.Background()
	_, conn := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(`{"id": "a", "username": "Straße@example.org", "default_location": "ghi", "assignments": [{"location": "ghi", "role": "ed_admin"}]}`)))
	for sql, state := range map[string]string{
		`INSERT INTO users (id) VALUES ('a')`:                                                 "23505",
		`INSERT INTO users (id, username) VALUES ('b', 'STRASSE@EXAMPLE.ORG')`:                "23505",
		`INSERT INTO users (id) VALUES ('')`:                                                  "23514",
		`INSERT INTO users (id, status) VALUES ('b', 'invited')`:                              "23514",
		`INSERT INTO users (id, username) VALUES ('b', '')`:                                   "23514",
		`INSERT INTO users (id, default_location) VALUES ('b', 'ghi')`:                        "23503",
		`DELETE FROM assignments`:                                                             "23503",
		`INSERT INTO assignments (user_id, location, role) VALUES ('a', 'nowhere', 'x')`:      "23503",
		`INSERT INTO assignments (user_id, location, role) VALUES ('nobody', 'ghi', 'x')`:     "23503",
		`INSERT INTO assignments (user_id, location, role) VALUES ('a', 'ghi', 'x')`:          "23505",
		`UPDATE assignments SET access = '[]'`:                                                "23514",
		`UPDATE assignments SET status = 'gone'`:                                              "23514",
		`DELETE FROM locations WHERE id = 'ghi'`:                                              "23503",
		`INSERT INTO locations (id, kind) VALUES ('x', 'region')`:                             "23514",
		`INSERT INTO locations (id, kind, parent, model) VALUES ('x', 'y', 'metro', NULL)`:    "23514",
		`INSERT INTO locations (id, kind, model) VALUES ('x', 'system', 'health_system')`:     "23514",
		`INSERT INTO locations (id, kind, parent) VALUES ('x', 'facility', 'nowhere')`:        "23503",
		`INSERT INTO locations (id, kind, model, plan) VALUES ('x', 'g', 'regional', 'paid')`: "23514",
	} {
		err := conn.PgConn().Exec(ctx, sql).Close()
		var refused interface{ SQLState() string }
		require.ErrorAs(t, err, &refused, sql)
		assert.Equal(t, state, refused.SQLState(), "%s: %v", sql, err)
	}
	assert.Equal(t, byte('I'), conn.PgConn().TxStatus())
}
