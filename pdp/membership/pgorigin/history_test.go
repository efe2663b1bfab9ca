package pgorigin

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

// historyOf returns the history of an origin. All records must have the same one.
func historyOf(t *testing.T, p *Origin) string {
	t.Helper()
	s := snapshot(t, p)
	require.NotEmpty(t, s.users)
	require.NotEmpty(t, s.trees)
	var history string
	for _, all := range []map[string]membership.RawRecord{s.users, s.trees} {
		for id, one := range all {
			if history == "" {
				history = one.History
			}
			require.Equal(t, history, one.History, id)
		}
	}
	require.NotEmpty(t, history)
	require.LessOrEqual(t, len(history), membership.MaxHistory)
	named, err := p.UserByUsername(context.Background(), "A@example.org")
	require.NoError(t, err)
	if len(named) > 0 {
		require.Equal(t, history, named[0].History)
	}
	return history
}

func TestReplacedRecordsHaveAnotherHistory(t *testing.T) {
	server := servertest.StartPostgres(t)
	p, conn := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(administrator)))
	history := historyOf(t, p)
	h := watch(t, p)
	h.heartbeatSince(time.Now())
	assert.Equal(t, history, h.lastHistory(), "what is listened to is what is read")
	servertest.Exec(t, conn, deactivate)
	assert.Equal(t, history, historyOf(t, p), "a write goes on in it")
	limited := openOrigin(t, Config{URL: server.Login(p.listenAt.url, "reader", "GRANT SELECT ON users, assignments, locations TO reader"), Listen: DefaultChannel})
	assert.Equal(t, history, historyOf(t, limited), "without special rights")
	limitedWatch := watch(t, limited)
	limitedWatch.heartbeatSince(time.Now())
	assert.Equal(t, history, limitedWatch.lastHistory())
	limitedWatch.stop()

	another := func(what string) {
		t.Helper()
		now := historyOf(t, p)
		assert.NotEqual(t, history, now, what)
		history = now
		require.Eventually(t, func() bool {
			return h.lastHistory() == now
		}, fixture.Timeout, time.Millisecond, what)
	}
	dump := server.Dump(p.listenAt.url)
	servertest.Exec(t, conn, `UPDATE users SET title = 'Dr.'`)
	server.Restore(p.listenAt.url, dump, "--clean")
	another("restored")
	servertest.Exec(t, conn, `CREATE TEMP TABLE kept AS SELECT * FROM assignments; TRUNCATE assignments CASCADE; INSERT INTO users VALUES ('a', 'A@example.org')`)
	another("emptied")
	servertest.Exec(t, conn, `DROP SEQUENCE wardkeeper_versions; CREATE SEQUENCE wardkeeper_versions`)
	another("versions from the beginning")
	server.Stop()
	server.Start()
	another("restarted")
	h.stop()

	copied := server.Copy(p.listenAt.url)
	assert.NotEqual(t, history, historyOf(t, openOrigin(t, Config{URL: copied})), "a copy")
}

// A query was prepared before a table of the same name came first in the search path. It still reads the other table.
func TestPreparedQueryGivesTheHistoryOfTheTableItReads(t *testing.T) {
	server := servertest.StartPostgres(t)
	p, conn := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(administrator)))
	p = openOrigin(t, Config{URL: p.listenAt.url, MaxConnections: 1, Listen: DefaultChannel})
	before, err := p.User(context.Background(), "a")
	require.NoError(t, err)
	servertest.Exec(t, conn, `CREATE SCHEMA wardkeeper; SET search_path = wardkeeper; `+Schema+`;
		INSERT INTO wardkeeper.users (id, status) VALUES ('a', 'deactivated')`)
	h := watch(t, p)
	h.heartbeatSince(time.Now())
	after, err := p.User(context.Background(), "a")
	require.NoError(t, err)
	if string(after.Record) == string(before.Record) {
		assert.Equal(t, before.History, after.History)
		assert.NotEqual(t, after.History, h.lastHistory())
	} else {
		assert.Equal(t, after.History, h.lastHistory())
	}
}

func TestStandbyIsReadButNeverConfirmed(t *testing.T) {
	primary := servertest.StartPostgres(t)
	p, conn := filledOrigin(t, primary, origintest.ParseDirectory(t, fixture.WithUsers(administrator)))
	standby := primary.Standby()
	at := openOrigin(t, Config{URL: standby.Of(p.listenAt.url), Listen: DefaultChannel})
	assert.NotEqual(t, historyOf(t, p), historyOf(t, at))
	told := openOrigin(t, Config{URL: standby.Of(p.listenAt.url), Listen: "told_otherwise", Announced: true})
	for _, p := range []*Origin{at, told} {
		h := watch(t, p)
		require.Eventually(t, func() bool { return len(h.errs()) > 0 }, fixture.Timeout, time.Millisecond)
		var missing *membership.Unproven
		require.ErrorAs(t, h.errs()[0], &missing)
		assert.Equal(t, "standby", missing.Missing[0])
		assert.Zero(t, h.count("began"))
		h.stop()
	}
	before := historyOf(t, at)
	h := watch(t, at)
	servertest.Exec(t, conn, `UPDATE users SET title = 'Dr.'`)
	standby.Promote()
	h.heartbeatSince(time.Now())
	assert.NotEqual(t, before, historyOf(t, at))
	_, err := at.Users(context.Background(), facts.UserQuery{Limit: 1})
	require.NoError(t, err)
}
