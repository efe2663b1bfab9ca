package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sony/gobreaker/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

func TestInvalidRepliesOpenBreakerAndStreamIsNotFollowed(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"silence":     "",
		"hangs up":    "close",
		"loading":     "-LOADING Redis is loading the dataset in memory\r\n",
		"read only":   "-READONLY You can't write against a read only replica.\r\n",
		"memory":      "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
		"cluster":     "-CLUSTERDOWN The cluster is down\r\n",
		"moved":       "-MOVED 1 127.0.0.1:1\r\n",
		"replicas":    "-NOREPLICAS Not enough good replicas to write.\r\n",
		"master down": "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
		"garbage":     "HTTP/1.1 400 Bad Request\r\n\r\n",
		"huge":        "$9999999999999\r\n",
		"deep":        strings.Repeat("*1\r\n", 10_000),
		"other types": "*2\r\n:1\r\n$-1\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := startFake(t, answer)
			store := openStore(t, Config{URL: fake.url(), Timeout: 20 * time.Millisecond, Lease: 200 * time.Millisecond})
			h := follow(t, store)
			key := membership.Key{Kind: membership.UserRecord, ID: "alice"}
			value := record.Pack(key, membership.Stamp{}, nil)
			ctx := context.Background()
			for range breakerFailures {
				_, err := store.Get(ctx, key)
				require.Error(t, err)
				require.Error(t, store.Put(ctx, key, value, time.Minute))
				require.Error(t, store.Drop(ctx, key))
			}
			require.Eventually(t, func() bool { // after each pause, the breaker lets one call through
				_, err := store.Get(ctx, key)
				return errors.Is(err, gobreaker.ErrOpenState)
			}, servertest.Timeout, time.Millisecond)
			require.Eventually(t, func() bool {
				return errors.Is(store.Drop(ctx, key, membership.Key{Kind: membership.UserRecord, ID: "bob"}), gobreaker.ErrOpenState)
			}, servertest.Timeout, time.Millisecond)
			_, err := store.Announce(ctx, userChange("alice"))
			require.Error(t, err)
			require.Eventually(t, h.locked(func() bool { return len(h.losses) == 1 }), servertest.Timeout, servertest.PollInterval)
			assert.Empty(t, h.begins)
		})
	}
}

func TestEndlessRedirectsFail(t *testing.T) {
	fake := startFake(t, "")
	addr := fake.listener.Addr().(*net.TCPAddr)
	moved := fmt.Sprintf("-MOVED 1 127.0.0.1:%d\r\n", addr.Port)
	fake.answer.Store(&moved)
	store := openStore(t, Config{URL: fake.url() + "?cluster=true"})
	_, err := store.Get(context.Background(), membership.Key{Kind: membership.UserRecord, ID: "alice"})
	require.Error(t, err)
	_, err = store.Announce(context.Background(), userChange("alice"))
	require.Error(t, err)
}

func TestServerStartedLaterIsUsed(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t)
	server.Stop()
	store := openStore(t, Config{URL: server.URL()})
	h := follow(t, store)
	require.Eventually(t, h.locked(func() bool { return len(h.losses) == 1 }), servertest.Timeout, servertest.PollInterval)
	require.Error(t, roundTrip(store, "alice"))
	server.Start()
	h.waitBegan(t, 0)
	require.Eventually(t, func() bool { return roundTrip(store, "alice") == nil }, servertest.Timeout, servertest.PollInterval)
	h.mu.Lock()
	defer h.mu.Unlock()
	assert.Len(t, h.losses, 1, "one outage is reported once")
}

// A server that kept its data starts a new epoch too, because it might have lost some.
func TestRestartedServerStartsNewEpoch(t *testing.T) {
	for name, args := range map[string][]string{
		"empty":          nil,
		"with its files": {"--appendonly", "yes", "--appendfsync", "always"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := servertest.StartRedis(t, args...)
			store := openStore(t, Config{URL: server.URL()})
			h := follow(t, store)
			first := h.waitBegan(t, 0)
			announce(t, store, "before")
			server.Stop()
			require.Eventually(t, h.isLost, servertest.Timeout, servertest.PollInterval)
			_, err := store.Announce(context.Background(), userChange("while down"))
			require.Error(t, err)
			server.Start()
			again := h.waitBegan(t, 1)
			assert.NotEqual(t, first.at.Epoch, again.at.Epoch)
			if args == nil {
				assert.Empty(t, again.tail)
			} else {
				assert.Equal(t, []string{"before"}, h.ids(), "the stream still has the earlier announcement")
			}
			at := announce(t, store, "after")
			assert.Equal(t, again.at.Epoch, at.Epoch)
			require.Eventually(t, func() bool { return roundTrip(store, "alice") == nil }, servertest.Timeout, servertest.PollInterval)
		})
	}
}

// A paused server keeps its connections open and does not reply.
func TestPausedServerIsLostUntilResumed(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t)
	store := openStore(t, Config{URL: server.URL()})
	h := follow(t, store)
	h.waitBegan(t, 0)
	require.Eventually(t, func() bool { return roundTrip(store, "alice") == nil }, servertest.Timeout, servertest.PollInterval)
	server.Pause()
	paused := time.Now()
	require.Eventually(t, h.isLost, servertest.Timeout, servertest.PollInterval)
	h.mu.Lock()
	assert.True(t, h.asOf.Before(paused.Add(store.cfg.Lease)), "no heartbeat from a paused server")
	h.mu.Unlock()
	_, err := store.Announce(context.Background(), userChange("while down"))
	require.Error(t, err)
	require.Eventually(t, func() bool {
		_, err := store.Get(context.Background(), membership.Key{Kind: membership.UserRecord, ID: "alice"})
		require.Error(t, err)
		return strings.Contains(err.Error(), gobreaker.ErrOpenState.Error())
	}, servertest.Timeout, servertest.PollInterval)
	server.Resume()
	again := h.waitBegan(t, 1)
	require.Eventually(t, func() bool { return roundTrip(store, "alice") == nil }, servertest.Timeout, servertest.PollInterval)
	at := announce(t, store, "after")
	assert.Equal(t, again.at.Epoch, at.Epoch)
	require.Eventually(t, func() bool { return strings.Contains(strings.Join(h.ids(), " "), "after") }, servertest.Timeout, servertest.PollInterval)
}

func TestFullServerRefusesWritesAndStreamIsLost(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t, "--maxmemory-policy", "noeviction")
	store := openStore(t, Config{URL: server.URL(), Timeout: 10 * time.Second})
	h := follow(t, store)
	h.waitBegan(t, 0)
	admin := server.Client()
	require.NoError(t, admin.ConfigSet(context.Background(), "maxmemory", "1").Err())
	require.Eventually(t, h.isLost, servertest.Timeout, servertest.PollInterval)
	require.ErrorContains(t, roundTrip(store, "alice"), "OOM")
	_, err := store.Announce(context.Background(), userChange("while down"))
	require.ErrorContains(t, err, "OOM")
	require.NoError(t, admin.ConfigSet(context.Background(), "maxmemory", "0").Err())
	again := h.waitBegan(t, 1)
	assert.Zero(t, again.at.Sequence, "no announcement was written partly")
	require.Eventually(t, func() bool { return roundTrip(store, "alice") == nil }, servertest.Timeout, servertest.PollInterval)
}

func TestReplicaIsNotFollowedUntilPromoted(t *testing.T) {
	t.Parallel()
	master := servertest.StartRedis(t)
	replica := servertest.StartRedis(t, "--replicaof", strings.Replace(master.Addr(), ":", " ", 1))
	store := openStore(t, Config{URL: replica.URL()})
	h := follow(t, store)
	require.Eventually(t, h.locked(func() bool { return len(h.losses) == 1 }), servertest.Timeout, servertest.PollInterval)
	_, err := store.Announce(context.Background(), userChange("alice"))
	require.Error(t, err)
	require.Error(t, roundTrip(store, "alice"))
	require.Eventually(t, func() bool {
		return strings.Contains(replica.Client().Info(context.Background(), "replication").Val(), "master_link_status:up")
	}, servertest.Timeout, servertest.PollInterval)
	_, err = store.Announce(context.Background(), userChange("alice"))
	require.ErrorContains(t, err, "READONLY")
	require.Zero(t, h.beganCount())
	require.NoError(t, replica.Client().Do(context.Background(), "REPLICAOF", "NO", "ONE").Err())
	h.waitBegan(t, 0)
}

// The server takes long to load many keys.
func TestLoadingServerIsLostUntilLoaded(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t, "--key-load-delay", "0", "--loading-process-events-interval-bytes", "1024")
	admin := server.Client()
	ctx := context.Background()
	require.NoError(t, admin.Do(ctx, "DEBUG", "POPULATE", 10_000).Err())
	store := openStore(t, Config{URL: server.URL()})
	h := follow(t, store)
	first := h.waitBegan(t, 0)
	require.NoError(t, admin.ConfigSet(ctx, "key-load-delay", "5000").Err()) // microseconds for each key: 50 s
	reloaded := make(chan error, 1)
	slow := server.Client()
	go func() { reloaded <- slow.Do(ctx, "DEBUG", "RELOAD").Err() }()
	require.Eventually(t, h.isLost, servertest.Timeout, servertest.PollInterval)
	require.Error(t, roundTrip(store, "alice"))
	require.NoError(t, admin.ConfigSet(ctx, "key-load-delay", "0").Err())
	require.NoError(t, <-reloaded)
	again := h.waitBegan(t, 1)
	assert.Equal(t, first.at.Sequence, again.at.Sequence)
	require.Eventually(t, func() bool { return roundTrip(store, "alice") == nil }, servertest.Timeout, servertest.PollInterval)
}

// If a connected replica does not confirm, the announcement fails. Disconnected replicas are not waited for.
func TestAnnounceWaitsForReplica(t *testing.T) {
	t.Parallel()
	master := servertest.StartRedis(t)
	replica := servertest.StartRedis(t, "--replicaof", strings.Replace(master.Addr(), ":", " ", 1), "--repl-diskless-sync-delay", "0")
	admin, second := master.Client(), replica.Client()
	ctx := context.Background()
	online := func() bool { return strings.Contains(admin.Info(ctx, "replication").Val(), "state=online") }
	require.Eventually(t, online, servertest.Timeout, servertest.PollInterval)
	store := openStore(t, Config{URL: master.URL()})
	at := announce(t, store, "confirmed")
	assert.EqualValues(t, at.Sequence, second.XLen(ctx, store.keys.log).Val(), "the replica has an acknowledged announcement")
	replica.Pause()
	_, err := store.Announce(ctx, userChange("unconfirmed"))
	require.ErrorIs(t, err, errNotReplicated)
	announce(t, store, "after the replica has been silent for some time")
	replica.Resume()
	replica.Stop()
	require.Eventually(t, func() bool { return !online() }, servertest.Timeout, servertest.PollInterval)
	_, err = store.Announce(ctx, userChange("alone"))
	require.NoError(t, err)
	require.NoError(t, admin.ConfigSet(ctx, "min-replicas-to-write", "1").Err())
	_, err = store.Announce(ctx, []pdp.Change{{Kind: pdp.AnythingChanged}})
	require.ErrorContains(t, err, "NOREPLICAS")
}

func TestCanceledCallsDoNotOpenBreaker(t *testing.T) {
	server := servertest.StartRedis(t)
	store := openStore(t, Config{URL: server.URL(), Timeout: 10 * time.Second})
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for range 3 * breakerFailures {
		_, err := store.Get(gone, membership.Key{Kind: membership.UserRecord, ID: "alice"})
		require.ErrorIs(t, err, context.Canceled)
	}
	require.NoError(t, roundTrip(store, "alice"), "canceled calls say nothing about the server")
}
