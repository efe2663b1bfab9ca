package redisstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// streamFixture has a stream with one store that only follows, and a publisher that also follows.
type streamFixture struct {
	t                   *testing.T
	server              *servertest.Redis
	client              *redis.Client
	store, publisher    *Store
	seen, publisherSeen *recorder // by store and by publisher
	state, log          string
}

func newStreamFixture(t *testing.T, args ...string) *streamFixture {
	return newStreamFixtureOf(t, Config{}, args...)
}

func newStreamFixtureOf(t *testing.T, cfg Config, args ...string) *streamFixture {
	server := servertest.StartRedis(t, args...)
	cfg.URL = server.URL()
	e := &streamFixture{t: t, server: server, client: server.Client(), store: openStore(t, cfg), publisher: openStore(t, cfg)}
	e.state, e.log = e.store.keys.state, e.store.keys.log
	e.seen, e.publisherSeen = follow(t, e.store), follow(t, e.publisher)
	e.seen.waitBegan(t, 0)
	e.publisherSeen.waitBegan(t, 0)
	for i := range 3 {
		announce(t, e.publisher, fmt.Sprint(i))
	}
	waitDelivered(t, e.seen, []string{"0", "1", "2"})
	e.seen.waitHeartbeat(t)
	e.publisherSeen.waitHeartbeat(t)
	return e
}

// eval runs a script atomically, so that no follower can read in between.
func (e *streamFixture) eval(script string, args ...any) {
	e.t.Helper()
	require.NoError(e.t, e.client.Eval(context.Background(), script, []string{e.state, e.log}, args...).Err())
}

// unread begins scripts that write an announcement and then change it before any follower can read it.
const unread = `
local function announce(id)
  local n = redis.call('HINCRBY', KEYS[1], 'sequence', 1)
  local made = redis.call('XADD', KEYS[2], id, 'n', n, 'e', redis.call('HGET', KEYS[1], 'epoch'), 'c', '[{"k":"user","i":"unread"}]')
  redis.call('HSET', KEYS[1], 'newest', n, 'newest_id', made)
  return made
end
`

// Whatever happens to the data in Redis, if a follower cannot read an announcement it must report Lost and begin again,
// so that no record stays confirmed.
func TestUnreadableAnnouncementIsLost(t *testing.T) {
	ctx := context.Background()
	dumped := func(e *streamFixture, key string) string { return e.client.Dump(ctx, key).Val() }
	for name, c := range map[string]struct {
		act      func(e *streamFixture)
		newEpoch bool // every sidecar must begin again, not only the one that notices the problem
	}{
		"the last entry is deleted unread": {act: func(e *streamFixture) {
			e.eval(unread + `redis.call('XDEL', KEYS[2], announce('*')); return 1`)
		}},
		"the last but one is deleted unread": {act: func(e *streamFixture) {
			e.eval(unread + `local id = announce('*'); announce('*'); redis.call('XDEL', KEYS[2], id); return 1`)
		}},
		"the log is deleted unread": {act: func(e *streamFixture) {
			e.eval(unread + `announce('*'); redis.call('DEL', KEYS[2]); return 1`)
		}},
		"the log is replaced for a while": {act: func(e *streamFixture) {
			e.eval(unread + `redis.call('RENAME', KEYS[2], KEYS[2] .. '2'); announce('*'); redis.call('RENAME', KEYS[2] .. '2', KEYS[2]); return 1`)
		}},
		"the state is deleted": {newEpoch: true, act: func(e *streamFixture) { require.NoError(e.t, e.client.Del(ctx, e.state).Err()) }},
		"the state is replaced for a while": {newEpoch: true, act: func(e *streamFixture) {
			e.eval(`redis.call('RENAME', KEYS[1], KEYS[1] .. '2'); return 1`)
			e.seen.waitBegan(e.t, 1)
			e.eval(`redis.call('RENAME', KEYS[1] .. '2', KEYS[1]); redis.call('HSET', KEYS[1], 'epoch', 'x'); return 1`)
		}},
		"all is restored to an earlier state": {newEpoch: true, act: func(e *streamFixture) {
			state, log := dumped(e, e.state), dumped(e, e.log)
			announce(e.t, e.publisher, "after the dump")
			waitDelivered(e.t, e.seen, []string{"after the dump"})
			e.eval(`redis.call('RESTORE', KEYS[1], 0, ARGV[1], 'REPLACE'); redis.call('RESTORE', KEYS[2], 0, ARGV[2], 'REPLACE'); return 1`, state, log)
		}},
		"all is restored, and one entry written with the clock set back": {newEpoch: true, act: func(e *streamFixture) {
			state, log := dumped(e, e.state), dumped(e, e.log)
			last := e.client.XRevRangeN(ctx, e.log, "+", "-", 1).Val()[0].ID
			time.Sleep(2 * time.Millisecond)
			announce(e.t, e.publisher, "after the dump")
			waitDelivered(e.t, e.seen, []string{"after the dump"})
			e.eval(unread+`redis.call('RESTORE', KEYS[1], 0, ARGV[1], 'REPLACE'); redis.call('RESTORE', KEYS[2], 0, ARGV[2], 'REPLACE')
				announce(ARGV[3]); return 1`, state, log, strings.Split(last, "-")[0]+"-999")
		}},
		"only the state is restored, and a follower has read more": {newEpoch: true, act: func(e *streamFixture) {
			state := dumped(e, e.state)
			announce(e.t, e.publisher, "after the dump")
			waitDelivered(e.t, e.seen, []string{"after the dump"})
			e.eval(`redis.call('RESTORE', KEYS[1], 0, ARGV[1], 'REPLACE'); return 1`, state)
		}},
		"the data are reloaded from an older file": {newEpoch: true, act: func(e *streamFixture) {
			require.NoError(e.t, e.client.Save(ctx).Err())
			announce(e.t, e.publisher, "after the file")
			waitDelivered(e.t, e.seen, []string{"after the file"})
			require.NoError(e.t, e.client.Do(ctx, "DEBUG", "RELOAD", "NOSAVE").Err())
		}},
		"an announcement is accepted while the databases are swapped": {newEpoch: true, act: func(e *streamFixture) {
			require.NoError(e.t, e.client.Do(ctx, "SWAPDB", 0, 1).Err())
			_, err := e.publisher.Announce(ctx, userChange("aside"))
			require.NoError(e.t, err)
			require.NoError(e.t, e.client.Do(ctx, "SWAPDB", 0, 1).Err())
		}},
		"an announcement is accepted, and the data are restored": {newEpoch: true, act: func(e *streamFixture) {
			state, log := dumped(e, e.state), dumped(e, e.log)
			announce(e.t, e.publisher, "taken back")
			e.eval(`redis.call('RESTORE', KEYS[1], 0, ARGV[1], 'REPLACE'); redis.call('RESTORE', KEYS[2], 0, ARGV[2], 'REPLACE'); return 1`, state, log)
		}},
		"somebody else writes entries of another epoch": {act: func(e *streamFixture) {
			require.NoError(e.t, e.client.XAdd(ctx, &redis.XAddArgs{Stream: e.log, Values: []any{"n", "4", "e", "another", "c", `[{"k":"anything"}]`}}).Err())
		}},
		"somebody else writes the next entry": {newEpoch: true, act: func(e *streamFixture) {
			require.NoError(e.t, e.client.XAdd(ctx, &redis.XAddArgs{Stream: e.log, Values: []any{
				"n", "4", "e", e.client.HGet(ctx, e.state, "epoch").Val(), "c", `[{"k":"anything"}]`}}).Err())
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newStreamFixture(t)
			first := e.seen.begins[0].at.Epoch
			c.act(e)
			again := e.seen.waitBegan(t, 1)
			if c.newEpoch {
				require.Eventually(t, e.seen.locked(func() bool {
					return e.seen.live && e.seen.begins[len(e.seen.begins)-1].at.Epoch != first
				}), servertest.Timeout, servertest.PollInterval)
			} else {
				assert.Equal(t, first, again.at.Epoch)
			}
			announce(t, e.publisher, "later")
			waitDelivered(t, e.seen, []string{"later"})
			e.seen.waitHeartbeat(t)
			e.publisherSeen.waitHeartbeat(t)
			begins := e.seen.beganCount()
			e.seen.waitHeartbeat(t)
			assert.Equal(t, begins, e.seen.beganCount(), "it does not begin again")
		})
	}
}

// No follower has missed an announcement, so nothing is lost.
func TestDeletingEntriesAlreadyReadIsHarmless(t *testing.T) {
	for name, script := range map[string]string{
		"the last entry":   `return redis.call('XDEL', KEYS[2], redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1][1])`,
		"a middle one":     `return redis.call('XDEL', KEYS[2], redis.call('XRANGE', KEYS[2], '-', '+')[2][1])`,
		"all of them":      `return redis.call('XTRIM', KEYS[2], 'MAXLEN', 0)`,
		"the log, evicted": `return redis.call('DEL', KEYS[2])`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newStreamFixture(t)
			e.eval(script)
			announce(t, e.publisher, "later")
			waitDelivered(t, e.seen, []string{"0", "1", "2", "later"})
			late := follow(t, openStore(t, Config{URL: e.server.URL()}))
			b := late.waitBegan(t, 0)
			assert.Contains(t, late.ids(), "later")
			assert.EqualValues(t, 4, b.at.Sequence)
		})
	}
}

func TestWritableReplicaIsNotFollowed(t *testing.T) {
	t.Parallel()
	master := servertest.StartRedis(t)
	replica := servertest.StartRedis(t, "--replicaof", strings.Replace(master.Addr(), ":", " ", 1), "--replica-read-only", "no")
	require.Eventually(t, func() bool {
		return strings.Contains(replica.Client().Info(t.Context(), "replication").Val(), "master_link_status:up")
	}, servertest.Timeout, servertest.PollInterval)
	h := follow(t, openStore(t, Config{URL: replica.URL()}))
	require.Eventually(t, h.locked(func() bool { return len(h.losses) == 1 }), servertest.Timeout, servertest.PollInterval)
	assert.Equal(t, []string{"stream_master"}, missingIn(h.losses[0]))
	assert.Zero(t, h.beganCount())
}

func missingIn(err error) []string {
	var unproven *membership.Unproven
	if errors.As(err, &unproven) {
		return unproven.Missing
	}
	return nil
}

// A replica that stays silent may have replaced the master.
func TestMasterWithSilentReplicaIsLost(t *testing.T) {
	for name, cut := range masterFails {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			master := servertest.StartRedis(t)
			replica := servertest.StartRedis(t, "--replicaof", strings.Replace(master.Addr(), ":", " ", 1))
			admin := master.Client()
			require.Eventually(t, func() bool {
				return strings.Contains(admin.Info(t.Context(), "replication").Val(), "state=online")
			}, servertest.Timeout, servertest.PollInterval)
			store := openStore(t, Config{URL: master.URL()})
			h := follow(t, store)
			first := h.waitBegan(t, 0)
			require.Eventually(t, func() bool { return store.replicatedEpoch.Load() != nil }, servertest.Timeout, servertest.PollInterval)
			cut(replica)
			require.Eventually(t, h.isLost, servertest.Timeout, servertest.PollInterval)
			h.mu.Lock()
			assert.Equal(t, []string{"stream_replicas"}, missingIn(h.losses[len(h.losses)-1]))
			h.mu.Unlock()
			bringBack(name, replica)
			again := h.waitBegan(t, 1)
			assert.Equal(t, first.at.Epoch, again.at.Epoch)
			announce(t, store, "later")
			waitDelivered(t, h, []string{"later"})
		})
	}
}

// spreadingProxy starts a proxy that connects each client to the next server in turn, and returns its URL.
func spreadingProxy(t *testing.T, addrs ...string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	var n atomic.Int64
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", addrs[int(n.Add(1))%len(addrs)])
			if err != nil {
				_ = in.Close()
				continue
			}
			for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
				go func() {
					_, _ = io.Copy(pair[0], pair[1])
					_ = pair[0].Close()
				}()
			}
		}
	}()
	return "redis://" + l.Addr().String()
}

func TestAnnouncementAcceptedByAnotherServerIsNoticed(t *testing.T) {
	t.Parallel()
	store := openStore(t, Config{URL: spreadingProxy(t, servertest.StartRedis(t).Addr(), servertest.StartRedis(t).Addr())})
	h := follow(t, store)
	h.waitBegan(t, 0)
	for begins := 1; begins < 4; begins++ {
		require.Eventually(t, func() bool { // some of them reach the other server
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() { _, _ = store.Announce(context.Background(), userChange("x")) })
			}
			all.Wait()
			time.Sleep(store.cfg.Lease / 4)
			return h.beganCount() > begins
		}, servertest.Timeout, servertest.PollInterval)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	assert.True(t, slices.ContainsFunc(h.losses, func(err error) bool { return errors.Is(err, errOtherServer) }), "%v", h.losses)
}

// Records fetched before the change would look newer than they are.
func TestServerClockSetBackStartsNewEpoch(t *testing.T) {
	mini := servertest.StartMiniredis(t)
	h := follow(t, openStore(t, Config{URL: "redis://" + mini.Addr()}))
	first := h.waitBegan(t, 0)
	mini.SetTime(time.Now().Add(-time.Hour))
	require.Eventually(t, h.locked(func() bool {
		return slices.ContainsFunc(h.losses, func(err error) bool { return errors.Is(err, errClockSetBack) })
	}), servertest.Timeout, servertest.PollInterval)
	mini.SetTime(time.Time{})
	again := h.waitBegan(t, 1)
	assert.NotEqual(t, first.at.Epoch, again.at.Epoch)
}

func TestClientPauseIsLost(t *testing.T) {
	for _, mode := range []string{"ALL", "WRITE"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			e := newStreamFixture(t)
			require.NoError(t, e.client.Do(t.Context(), "CLIENT", "PAUSE", 3*e.store.cfg.Lease.Milliseconds(), mode).Err())
			paused := time.Now()
			require.Eventually(t, e.seen.isLost, servertest.Timeout, servertest.PollInterval)
			e.seen.mu.Lock()
			assert.True(t, e.seen.asOf.Before(paused.Add(e.store.cfg.Lease)))
			e.seen.mu.Unlock()
			e.seen.waitBegan(t, 1)
		})
	}
}

// allkeys-random may evict any part of the stream at any time.
func TestAcknowledgedAnnouncementIsDeliveredOrLostUnderEviction(t *testing.T) {
	t.Parallel()
	e := newStreamFixture(t, "--maxmemory-policy", "allkeys-random", "--maxmemory-samples", "1")
	var used int64
	for line := range strings.SplitSeq(e.client.Info(t.Context(), "memory").Val(), "\r\n") {
		_, _ = fmt.Sscanf(line, "used_memory:%d", &used)
	}
	require.NoError(t, e.client.ConfigSet(t.Context(), "maxmemory", fmt.Sprint(used+200_000)).Err())
	for i := range 600 {
		_ = e.client.Set(t.Context(), fmt.Sprint("filler", i%40), strings.Repeat("x", 1+rand.IntN(10_000)), 0).Err()
		id := fmt.Sprint("id", i)
		begins := e.seen.beganCount()
		if _, err := e.publisher.Announce(t.Context(), userChange(id)); err != nil {
			continue
		}
		require.Eventually(t, func() bool {
			return e.seen.beganCount() > begins || e.seen.isLost() || slices.Contains(e.seen.ids(), id)
		}, servertest.Timeout, time.Millisecond)
	}
	assert.NotContains(t, e.client.Info(t.Context(), "stats").Val(), "evicted_keys:0\r")
}
