package pgorigin

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// A pool has no connection before the first question, opens them as questions need them, and closes the idle ones.
func TestIdleConnectionsAreClosed(t *testing.T) {
	server := servertest.StartPostgres(t)
	filled, conn := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(administrator)))
	count := func() (n int) {
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()").Scan(&n))
		return n
	}
	p := openOrigin(t, Config{URL: filled.listenAt.url, MaxConnections: 5, Idle: 200 * time.Millisecond})
	require.Eventually(t, func() bool { return count() == 0 }, fixture.Timeout, time.Millisecond, "the import has ended, and nobody has asked")
	locking := servertest.Connect(t, filled.listenAt.url)
	servertest.Exec(t, locking, "BEGIN; LOCK TABLE users") // keeps questions in progress
	var asking sync.WaitGroup
	for range 20 {
		asking.Go(func() {
			_, err := p.User(t.Context(), "a")
			assert.NoError(t, err)
		})
	}
	require.Eventually(t, func() bool { return count() == 6 }, fixture.Timeout, time.Millisecond, "five that ask, and the one that has the lock")
	servertest.Exec(t, locking, "COMMIT")
	require.NoError(t, locking.Close(t.Context()))
	asking.Wait()
	require.Eventually(t, func() bool { return count() == 0 }, fixture.Timeout, time.Millisecond)
	_, err := p.User(t.Context(), "a")
	assert.NoError(t, err)
	assert.Equal(t, 1, count())
}

// Whoever listens for all keeps one connection, of which questions can be asked at once. Who listens for itself alone does not.
func TestOneConnectionIsKeptReady(t *testing.T) {
	server := servertest.StartPostgres(t)
	filled, conn := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(administrator)))
	pids := func() (all []int) {
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT coalesce(array_agg(pid), '{}') FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'kept' AND query !~ '^(LISTEN|NOTIFY|WITH t AS)'`).Scan(&all))
		return all
	}
	open := func() *Origin {
		return openOrigin(t, Config{URL: filled.listenAt.url + "&application_name=kept", Listen: DefaultChannel, Heartbeat: fixture.Timeout, Idle: 2 * time.Second})
	}
	alone := watch(t, open())
	require.Eventually(t, func() bool { return alone.count("began") == 1 }, fixture.Timeout, time.Millisecond)
	time.Sleep(200 * time.Millisecond)
	require.Empty(t, pids())
	alone.stop()

	p := open()
	h := watch(t, watcherFor{p, func(h *recorder) membership.ChangeHandler { return leading{h} }})
	require.Eventually(t, func() bool { return h.count("heartbeat") > 0 }, fixture.Timeout, time.Millisecond)
	var first []int
	require.Eventually(t, func() bool { first = pids(); return len(first) == 1 }, fixture.Timeout, time.Millisecond)
	time.Sleep(4 * time.Second)
	assert.Equal(t, first, pids())
	_, err := p.User(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, first, pids(), "which is asked")
	h.stop()
	require.Eventually(t, func() bool { return len(pids()) == 0 }, fixture.Timeout, time.Millisecond)
}
