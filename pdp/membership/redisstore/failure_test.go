package redisstore

import (
	"context"
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

// Whatever a server answers, each call ends with an error, the breaker opens, and the stream is not taken for live.
func TestRedisAnswersThatAreNone(t *testing.T) {
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
			tier := openTier(t, Config{URL: fake.url(), Timeout: 20 * time.Millisecond, Lease: 200 * time.Millisecond})
			h := followTier(t, tier)
			key := membership.Key{Kind: membership.UserRecord, ID: "alice"}
			value := record.Pack(key, membership.Stamp{}, nil)
			ctx := context.Background()
			for range breakerFailures {
				_, err := tier.Get(ctx, key)
				require.Error(t, err)
				require.Error(t, tier.Put(ctx, key, value, time.Minute))
				require.Error(t, tier.Drop(ctx, key))
			}
			_, err := tier.Get(ctx, key)
			require.ErrorIs(t, err, gobreaker.ErrOpenState)
			require.ErrorIs(t, tier.Drop(ctx, key, membership.Key{Kind: membership.UserRecord, ID: "bob"}), gobreaker.ErrOpenState)
			_, err = tier.Announce(ctx, ofUser("alice"))
			require.Error(t, err)
			require.Eventually(t, h.is(func() bool { return len(h.losses) == 1 }), servertest.Timeout, servertest.PollInterval)
			assert.Empty(t, h.begins)
		})
	}
}

// A cluster's client follows MOVED only so often.
func TestRedisMovedForEver(t *testing.T) {
	fake := startFake(t, "")
	addr := fake.listener.Addr().(*net.TCPAddr)
	moved := fmt.Sprintf("-MOVED 1 127.0.0.1:%d\r\n", addr.Port)
	fake.answer.Store(&moved)
	tier := openTier(t, Config{URL: fake.url() + "?cluster=true"})
	_, err := tier.Get(context.Background(), membership.Key{Kind: membership.UserRecord, ID: "alice"})
	require.Error(t, err)
	_, err = tier.Announce(context.Background(), ofUser("alice"))
	require.Error(t, err)
}

func TestRedisServerComesLater(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t)
	server.Stop()
	tier := openTier(t, Config{URL: server.URL()})
	h := followTier(t, tier)
	require.Eventually(t, h.is(func() bool { return len(h.losses) == 1 }), servertest.Timeout, servertest.PollInterval)
	require.Error(t, roundTrip(tier, "alice"))
	server.Start()
	h.beganAgain(t, 0)
	require.Eventually(t, func() bool { return roundTrip(tier, "alice") == nil }, servertest.Timeout, servertest.PollInterval)
	h.mu.Lock()
	defer h.mu.Unlock()
	assert.Len(t, h.losses, 1, "one outage is told once")
}

// A killed server that comes back empty is another epoch; so is one that kept everything, for it might not have.
func TestRedisRestarted(t *testing.T) {
	for name, args := range map[string][]string{
		"empty":          nil,
		"with its files": {"--appendonly", "yes", "--appendfsync", "always"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := servertest.StartRedis(t, args...)
			tier := openTier(t, Config{URL: server.URL()})
			h := followTier(t, tier)
			first := h.beganAgain(t, 0)
			announceSoon(t, tier, "before")
			server.Stop()
			require.Eventually(t, h.isLost, servertest.Timeout, servertest.PollInterval)
			_, err := tier.Announce(context.Background(), ofUser("unheard"))
			require.Error(t, err)
			server.Start()
			again := h.beganAgain(t, 1)
			assert.NotEqual(t, first.at.Epoch, again.at.Epoch)
			if args == nil {
				assert.Empty(t, again.tail)
			} else {
				assert.Equal(t, []string{"before"}, h.ids(), "what was announced before is still known")
			}
			at := announceSoon(t, tier, "after")
			assert.Equal(t, again.at.Epoch, at.Epoch)
			require.Eventually(t, func() bool { return roundTrip(tier, "alice") == nil }, servertest.Timeout, servertest.PollInterval)
		})
	}
}

// A paused server keeps its connections open, and says nothing.
func TestRedisPaused(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t)
	tier := openTier(t, Config{URL: server.URL()})
	h := followTier(t, tier)
	h.beganAgain(t, 0)
	require.Eventually(t, func() bool { return roundTrip(tier, "alice") == nil }, servertest.Timeout, servertest.PollInterval)
	server.Pause()
	paused := time.Now()
	require.Eventually(t, h.isLost, servertest.Timeout, servertest.PollInterval)
	h.mu.Lock()
	assert.True(t, h.asOf.Before(paused.Add(tier.cfg.Lease)), "no beat from a paused server")
	h.mu.Unlock()
	_, err := tier.Announce(context.Background(), ofUser("unheard"))
	require.Error(t, err)
	require.Eventually(t, func() bool {
		_, err := tier.Get(context.Background(), membership.Key{Kind: membership.UserRecord, ID: "alice"})
		require.Error(t, err)
		return strings.Contains(err.Error(), gobreaker.ErrOpenState.Error())
	}, servertest.Timeout, servertest.PollInterval)
	server.Resume()
	again := h.beganAgain(t, 1)
	require.Eventually(t, func() bool { return roundTrip(tier, "alice") == nil }, servertest.Timeout, servertest.PollInterval)
	at := announceSoon(t, tier, "heard")
	assert.Equal(t, again.at.Epoch, at.Epoch)
	require.Eventually(t, func() bool { return strings.Contains(strings.Join(h.ids(), " "), "heard") }, servertest.Timeout, servertest.PollInterval)
}

// A server that is full refuses facts and announcements, and the stream is not vouched for meanwhile.
func TestRedisFull(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t, "--maxmemory-policy", "noeviction")
	tier := openTier(t, Config{URL: server.URL()})
	h := followTier(t, tier)
	h.beganAgain(t, 0)
	admin := server.Client()
	require.NoError(t, admin.ConfigSet(context.Background(), "maxmemory", "1").Err())
	require.Eventually(t, h.isLost, servertest.Timeout, servertest.PollInterval)
	require.ErrorContains(t, roundTrip(tier, "alice"), "OOM")
	_, err := tier.Announce(context.Background(), ofUser("unheard"))
	require.ErrorContains(t, err, "OOM")
	require.NoError(t, admin.ConfigSet(context.Background(), "maxmemory", "0").Err())
	again := h.beganAgain(t, 1)
	assert.Zero(t, again.at.Sequence, "nothing was half announced")
	require.Eventually(t, func() bool { return roundTrip(tier, "alice") == nil }, servertest.Timeout, servertest.PollInterval)
}

func TestRedisReplicaIsNoStream(t *testing.T) {
	t.Parallel()
	master := servertest.StartRedis(t)
	replica := servertest.StartRedis(t, "--replicaof", strings.Replace(master.Addr(), ":", " ", 1))
	tier := openTier(t, Config{URL: replica.URL()})
	h := followTier(t, tier)
	require.Eventually(t, h.is(func() bool { return len(h.losses) == 1 }), servertest.Timeout, servertest.PollInterval)
	_, err := tier.Announce(context.Background(), ofUser("alice"))
	require.Error(t, err)
	require.Error(t, roundTrip(tier, "alice"))
	require.Eventually(t, func() bool {
		return strings.Contains(replica.Client().Info(context.Background(), "replication").Val(), "master_link_status:up")
	}, servertest.Timeout, servertest.PollInterval)
	_, err = tier.Announce(context.Background(), ofUser("alice"))
	require.ErrorContains(t, err, "READONLY")
	require.Zero(t, h.begunSoFar())
	// Promoted, it is a stream.
	require.NoError(t, replica.Client().Do(context.Background(), "REPLICAOF", "NO", "ONE").Err())
	h.beganAgain(t, 0)
}

// LOADING of a real server: one that reads back many keys, slowly.
func TestRedisLoading(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t, "--key-load-delay", "0", "--loading-process-events-interval-bytes", "1024")
	admin := server.Client()
	ctx := context.Background()
	require.NoError(t, admin.Do(ctx, "DEBUG", "POPULATE", 10_000).Err())
	tier := openTier(t, Config{URL: server.URL()})
	h := followTier(t, tier)
	first := h.beganAgain(t, 0)
	require.NoError(t, admin.ConfigSet(ctx, "key-load-delay", "300").Err()) // microseconds, each
	reloaded := make(chan error, 1)
	slow := server.Client()
	go func() { reloaded <- slow.Do(ctx, "DEBUG", "RELOAD").Err() }()
	require.Eventually(t, h.isLost, servertest.Timeout, servertest.PollInterval)
	require.Error(t, roundTrip(tier, "alice"))
	require.NoError(t, <-reloaded)
	again := h.beganAgain(t, 1)
	assert.Equal(t, first.at.Sequence, again.at.Sequence)
	require.Eventually(t, func() bool { return roundTrip(tier, "alice") == nil }, servertest.Timeout, servertest.PollInterval)
}

// An announcement that no replica confirms, although one is there, is told as an error; one that is gone is not waited for.
func TestAnnounceWaitsForAReplica(t *testing.T) {
	t.Parallel()
	master := servertest.StartRedis(t)
	replica := servertest.StartRedis(t, "--replicaof", strings.Replace(master.Addr(), ":", " ", 1), "--repl-diskless-sync-delay", "0")
	admin, second := master.Client(), replica.Client()
	ctx := context.Background()
	online := func() bool { return strings.Contains(admin.Info(ctx, "replication").Val(), "state=online") }
	require.Eventually(t, online, servertest.Timeout, servertest.PollInterval)
	tier := openTier(t, Config{URL: master.URL()})
	at := announceSoon(t, tier, "confirmed")
	assert.EqualValues(t, at.Sequence, second.XLen(ctx, tier.keys.log).Val(), "the replica has it, once it is acknowledged")
	replica.Pause()
	_, err := tier.Announce(ctx, ofUser("unconfirmed"))
	require.ErrorIs(t, err, errNotReplicated)
	announceSoon(t, tier, "after the replica has been silent for some time")
	replica.Resume()
	replica.Stop()
	require.Eventually(t, func() bool { return !online() }, servertest.Timeout, servertest.PollInterval)
	_, err = tier.Announce(ctx, ofUser("alone"))
	require.NoError(t, err)
	require.NoError(t, admin.ConfigSet(ctx, "min-replicas-to-write", "1").Err())
	_, err = tier.Announce(ctx, []pdp.Change{{Kind: pdp.AnythingChanged}})
	require.ErrorContains(t, err, "NOREPLICAS")
}

func TestRedisCallerThatGoesAway(t *testing.T) {
	server := servertest.StartRedis(t)
	tier := openTier(t, Config{URL: server.URL(), Timeout: 5 * time.Second})
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for range 3 * breakerFailures {
		_, err := tier.Get(gone, membership.Key{Kind: membership.UserRecord, ID: "alice"})
		require.ErrorIs(t, err, context.Canceled)
	}
	require.NoError(t, roundTrip(tier, "alice"), "that is not the server's fault")
}
