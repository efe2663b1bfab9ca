package pgorigin

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// leading is the handler of a sidecar that listens for all.
type leading struct{ *recorder }

func (leading) HeartbeatStarts() {}

type watcherFor struct {
	*Origin
	handler func(*recorder) membership.ChangeHandler
}

func (w watcherFor) Watch(ctx context.Context, h membership.ChangeHandler) {
	w.Origin.Watch(ctx, w.handler(h.(*recorder)))
}

// Where the database has no connection left, who listens for all waits for one, and keeps the one that it has.
func TestListeningInACrowdedDatabase(t *testing.T) {
	server := servertest.StartPostgres(t)
	filler, conn := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(administrator)))
	url := server.Login(filler.listenAt.url, "reader", "GRANT SELECT ON users, assignments, locations TO reader; ALTER ROLE reader CONNECTION LIMIT 1")
	open := func() *Origin {
		return openOrigin(t, Config{URL: url, Listen: DefaultChannel, Heartbeat: 20 * time.Millisecond, life: 100 * time.Millisecond, Silence: fixture.Timeout})
	}
	other := servertest.Connect(t, url)
	alone := watch(t, open())
	require.Eventually(t, func() bool { return len(alone.errs()) > 0 }, fixture.Timeout, time.Millisecond)
	require.ErrorContains(t, alone.errs()[0], "53300")
	alone.stop()

	p := open()
	h := watch(t, watcherFor{p, func(h *recorder) membership.ChangeHandler { return leading{h} }})
	time.Sleep(200 * time.Millisecond)
	assert.Empty(t, h.errs())
	require.NoError(t, other.Close(t.Context()))
	h.heartbeatSince(time.Now())

	listener := func() (pid int) {
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT COALESCE(min(pid), 0) FROM pg_stat_activity WHERE usename = 'reader' AND query ~ '^(LISTEN|NOTIFY|WITH t AS)'").Scan(&pid))
		return pid
	}
	first := listener()
	time.Sleep(500 * time.Millisecond) // it is older than it should be
	h.heartbeatSince(time.Now())
	servertest.Exec(t, conn, "ALTER ROLE reader CONNECTION LIMIT 2")
	require.Eventually(t, func() bool { now := listener(); return now != 0 && now != first }, fixture.Timeout, time.Millisecond)
	assert.Empty(t, h.errs())
	assert.Equal(t, 1, h.count("began"))
}
