package pgorigin

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
