package membership

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// historyOf is the history of all records of an origin, which is one.
func historyOf(t *testing.T, p *Postgres) string {
	t.Helper()
	s := snapshot(t, p)
	require.NotEmpty(t, s.users)
	require.NotEmpty(t, s.trees)
	var history string
	for _, all := range []map[string]Sent{s.users, s.trees} {
		for id, one := range all {
			if history == "" {
				history = one.History
			}
			require.Equal(t, history, one.History, id)
		}
	}
	require.NotEmpty(t, history)
	require.LessOrEqual(t, len(history), MaxHistory)
	named, err := p.UserByUsername(context.Background(), "A@example.org")
	require.NoError(t, err)
	if len(named) > 0 {
		require.Equal(t, history, named[0].History)
	}
	return history
}

// Versions of two histories are not compared: whatever replaces the records at once begins another.
func TestPostgresHistory(t *testing.T) {
	server := servertest.StartPostgres(t)
	p, conn := filled(t, server, parsed(t, withUsers(administrator)))
	history := historyOf(t, p)
	h := hearing(t, p)
	h.beatSince(time.Now())
	assert.Equal(t, history, h.history, "what is listened to is what is read")
	do(t, conn, deactivate)
	assert.Equal(t, history, historyOf(t, p), "a write goes on in it")
	limited := postgresAt(t, PostgresConfig{URL: server.Login(p.connect.url, "reader", "GRANT SELECT ON users, assignments, locations TO reader"), Listen: DefaultPostgresChannel})
	assert.Equal(t, history, historyOf(t, limited), "without special rights")
	limitedHears := hearing(t, limited)
	limitedHears.beatSince(time.Now())
	assert.Equal(t, history, limitedHears.history)
	limitedHears.stop()

	another := func(what string) {
		t.Helper()
		now := historyOf(t, p)
		assert.NotEqual(t, history, now, what)
		history = now
		require.Eventually(t, func() bool {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.history == now
		}, patient, time.Millisecond, what)
	}
	dump := server.Dump(p.connect.url)
	do(t, conn, `UPDATE users SET title = 'Dr.'`)
	server.Restore(p.connect.url, dump, "--clean")
	another("restored")
	do(t, conn, `CREATE TEMP TABLE kept AS SELECT * FROM assignments; TRUNCATE assignments CASCADE; INSERT INTO users VALUES ('a', 'A@example.org')`)
	another("emptied")
	do(t, conn, `DROP SEQUENCE wardkeeper_versions; CREATE SEQUENCE wardkeeper_versions`)
	another("versions from the beginning")
	server.Stop()
	server.Start()
	another("restarted")
	h.stop()

	copied := server.Copy(p.connect.url)
	assert.NotEqual(t, history, historyOf(t, postgresAt(t, PostgresConfig{URL: copied})), "a copy")
}

// A query that was prepared before a table of the same name came first in the path still reads the other table, and says so.
func TestPostgresHistoryOfPrepared(t *testing.T) {
	server := servertest.StartPostgres(t)
	p, conn := filled(t, server, parsed(t, withUsers(administrator)))
	p = postgresAt(t, PostgresConfig{URL: p.connect.url, MaxConnections: 1, Listen: DefaultPostgresChannel})
	before, err := p.User(context.Background(), "a")
	require.NoError(t, err)
	do(t, conn, `CREATE SCHEMA wardkeeper; SET search_path = wardkeeper; `+PostgresSchema+`;
		INSERT INTO wardkeeper.users (id, status) VALUES ('a', 'deactivated')`)
	h := hearing(t, p)
	h.beatSince(time.Now())
	after, err := p.User(context.Background(), "a")
	require.NoError(t, err)
	if string(after.Record) == string(before.Record) {
		assert.Equal(t, before.History, after.History)
		assert.NotEqual(t, after.History, h.history)
	} else {
		assert.Equal(t, after.History, h.history)
	}
}

// A standby is read, and never taken for confirmed.
func TestPostgresStandby(t *testing.T) {
	primary := servertest.StartPostgres(t)
	p, conn := filled(t, primary, parsed(t, withUsers(administrator)))
	standby := primary.Standby()
	at := postgresAt(t, PostgresConfig{URL: standby.Of(p.connect.url), Listen: DefaultPostgresChannel})
	assert.NotEqual(t, historyOf(t, p), historyOf(t, at))
	told := postgresAt(t, PostgresConfig{URL: standby.Of(p.connect.url), Listen: "told_otherwise", Told: true})
	for _, p := range []*Postgres{at, told} {
		h := hearing(t, p)
		require.Eventually(t, func() bool { return len(h.errs()) > 0 }, patient, time.Millisecond)
		var missing *Unproven
		require.ErrorAs(t, h.errs()[0], &missing)
		assert.Equal(t, "standby", missing.Missing[0])
		assert.Zero(t, h.count("began"))
		h.stop()
	}
	before := historyOf(t, at)
	h := hearing(t, at)
	do(t, conn, `UPDATE users SET title = 'Dr.'`)
	standby.Promote()
	h.beatSince(time.Now())
	assert.NotEqual(t, before, historyOf(t, at))
	_, err := at.Users(context.Background(), pdp.UserQuery{Limit: 1})
	require.NoError(t, err)
}
