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

// evidence is a stream with a sidecar that only follows, and one that announces as well.
type evidence struct {
	t              *testing.T
	server         *servertest.Redis
	client         *redis.Client
	tier, other    *Store
	heard, hearing *heard // by tier and by other
	state, log     string
}

func newEvidence(t *testing.T, args ...string) *evidence {
	server := servertest.StartRedis(t, args...)
	e := &evidence{t: t, server: server, client: server.Client(), tier: openTier(t, Config{URL: server.URL()}),
		other: openTier(t, Config{URL: server.URL()})}
	e.state, e.log = e.tier.keys.state, e.tier.keys.log
	e.heard, e.hearing = followTier(t, e.tier), followTier(t, e.other)
	e.heard.beganAgain(t, 0)
	e.hearing.beganAgain(t, 0)
	for i := range 3 {
		announceSoon(t, e.other, fmt.Sprint(i))
	}
	hears(t, e.heard, []string{"0", "1", "2"})
	e.heard.nextBeat(t)
	e.hearing.nextBeat(t)
	return e
}

// eval runs a script at once, so that no follower can read in between.
func (e *evidence) eval(script string, args ...any) {
	e.t.Helper()
	require.NoError(e.t, e.client.Eval(context.Background(), script, []string{e.state, e.log}, args...).Err())
}

// unread announces in a script, which then does something to the entry that nobody can have read.
const unread = `
local function announce(id)
  local n = redis.call('HINCRBY', KEYS[1], 'sequence', 1)
  local made = redis.call('XADD', KEYS[2], id, 'n', n, 'e', redis.call('HGET', KEYS[1], 'epoch'), 'c', '[{"k":"user","i":"unread"}]')
  redis.call('HSET', KEYS[1], 'newest', n, 'newest_id', made)
  return made
end
`

// TestStreamThatHidesAnAnnouncement: whatever is done to the data behind the followers' backs, an announcement that they
// cannot read ends what they vouch for.
func TestStreamThatHidesAnAnnouncement(t *testing.T) {
	ctx := context.Background()
	dumped := func(e *evidence, key string) string { return e.client.Dump(ctx, key).Val() }
	for name, c := range map[string]struct {
		act      func(e *evidence)
		newEpoch bool // all are told to begin anew, and not only who reads what is wrong
	}{
		"the last entry is deleted unread": {act: func(e *evidence) {
			e.eval(unread + `redis.call('XDEL', KEYS[2], announce('*')); return 1`)
		}},
		"the last but one is": {act: func(e *evidence) {
			e.eval(unread + `local id = announce('*'); announce('*'); redis.call('XDEL', KEYS[2], id); return 1`)
		}},
		"the log is deleted unread": {act: func(e *evidence) {
			e.eval(unread + `announce('*'); redis.call('DEL', KEYS[2]); return 1`)
		}},
		"the log is another for a while": {act: func(e *evidence) {
			e.eval(unread + `redis.call('RENAME', KEYS[2], KEYS[2] .. '2'); announce('*'); redis.call('RENAME', KEYS[2] .. '2', KEYS[2]); return 1`)
		}},
		"the state is deleted": {newEpoch: true, act: func(e *evidence) { require.NoError(e.t, e.client.Del(ctx, e.state).Err()) }},
		"the state is another for a while": {newEpoch: true, act: func(e *evidence) {
			e.eval(`redis.call('RENAME', KEYS[1], KEYS[1] .. '2'); return 1`)
			e.heard.beganAgain(e.t, 1)
			e.eval(`redis.call('RENAME', KEYS[1] .. '2', KEYS[1]); redis.call('HSET', KEYS[1], 'epoch', 'x'); return 1`)
		}},
		"all is restored to a state of before": {newEpoch: true, act: func(e *evidence) {
			state, log := dumped(e, e.state), dumped(e, e.log)
			announceSoon(e.t, e.other, "after the dump")
			hears(e.t, e.heard, []string{"after the dump"})
			e.eval(`redis.call('RESTORE', KEYS[1], 0, ARGV[1], 'REPLACE'); redis.call('RESTORE', KEYS[2], 0, ARGV[2], 'REPLACE'); return 1`, state, log)
		}},
		"all is restored, and as much announced by a clock that was set back": {newEpoch: true, act: func(e *evidence) {
			state, log := dumped(e, e.state), dumped(e, e.log)
			last := e.client.XRevRangeN(ctx, e.log, "+", "-", 1).Val()[0].ID
			time.Sleep(2 * time.Millisecond)
			announceSoon(e.t, e.other, "after the dump")
			hears(e.t, e.heard, []string{"after the dump"})
			e.eval(unread+`redis.call('RESTORE', KEYS[1], 0, ARGV[1], 'REPLACE'); redis.call('RESTORE', KEYS[2], 0, ARGV[2], 'REPLACE')
				announce(ARGV[3]); return 1`, state, log, strings.Split(last, "-")[0]+"-999")
		}},
		"the state alone is restored, and a follower heard more": {newEpoch: true, act: func(e *evidence) {
			state := dumped(e, e.state)
			announceSoon(e.t, e.other, "after the dump")
			hears(e.t, e.heard, []string{"after the dump"})
			e.eval(`redis.call('RESTORE', KEYS[1], 0, ARGV[1], 'REPLACE'); return 1`, state)
		}},
		"the data are read anew from a file of before": {newEpoch: true, act: func(e *evidence) {
			require.NoError(e.t, e.client.Save(ctx).Err())
			announceSoon(e.t, e.other, "after the file")
			hears(e.t, e.heard, []string{"after the file"})
			require.NoError(e.t, e.client.Do(ctx, "DEBUG", "RELOAD", "NOSAVE").Err())
		}},
		"an announcement is taken while the databases are swapped": {newEpoch: true, act: func(e *evidence) {
			require.NoError(e.t, e.client.Do(ctx, "SWAPDB", 0, 1).Err())
			_, err := e.other.Announce(ctx, ofUser("aside"))
			require.NoError(e.t, err)
			require.NoError(e.t, e.client.Do(ctx, "SWAPDB", 0, 1).Err())
		}},
		"an announcement is taken, and the data are those of before": {newEpoch: true, act: func(e *evidence) {
			state, log := dumped(e, e.state), dumped(e, e.log)
			announceSoon(e.t, e.other, "taken back")
			e.eval(`redis.call('RESTORE', KEYS[1], 0, ARGV[1], 'REPLACE'); redis.call('RESTORE', KEYS[2], 0, ARGV[2], 'REPLACE'); return 1`, state, log)
		}},
		"somebody else writes entries of another epoch": {act: func(e *evidence) {
			require.NoError(e.t, e.client.XAdd(ctx, &redis.XAddArgs{Stream: e.log, Values: []any{"n", "4", "e", "another", "c", `[{"k":"anything"}]`}}).Err())
		}},
		"somebody else writes the next entry": {newEpoch: true, act: func(e *evidence) {
			require.NoError(e.t, e.client.XAdd(ctx, &redis.XAddArgs{Stream: e.log, Values: []any{
				"n", "4", "e", e.client.HGet(ctx, e.state, "epoch").Val(), "c", `[{"k":"anything"}]`}}).Err())
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEvidence(t)
			first := e.heard.begins[0].at.Epoch
			c.act(e)
			again := e.heard.beganAgain(t, 1)
			if c.newEpoch {
				require.Eventually(t, e.heard.is(func() bool {
					return e.heard.live && e.heard.begins[len(e.heard.begins)-1].at.Epoch != first
				}), servertest.Timeout, servertest.PollInterval)
			} else {
				assert.Equal(t, first, again.at.Epoch)
			}
			announceSoon(t, e.other, "later")
			hears(t, e.heard, []string{"later"})
			e.heard.nextBeat(t)
			e.hearing.nextBeat(t)
			begins := e.heard.begunSoFar()
			e.heard.nextBeat(t)
			assert.Equal(t, begins, e.heard.begunSoFar(), "it comes to rest")
		})
	}
}

// TestStreamThatLosesWhatWasRead goes on: nobody has missed anything.
func TestStreamThatLosesWhatWasRead(t *testing.T) {
	for name, script := range map[string]string{
		"the last entry":   `return redis.call('XDEL', KEYS[2], redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1][1])`,
		"a middle one":     `return redis.call('XDEL', KEYS[2], redis.call('XRANGE', KEYS[2], '-', '+')[2][1])`,
		"all of them":      `return redis.call('XTRIM', KEYS[2], 'MAXLEN', 0)`,
		"the log, evicted": `return redis.call('DEL', KEYS[2])`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEvidence(t)
			e.eval(script)
			announceSoon(t, e.other, "later")
			hears(t, e.heard, []string{"0", "1", "2", "later"})
			late := followTier(t, openTier(t, Config{URL: e.server.URL()}))
			b := late.beganAgain(t, 0)
			assert.Contains(t, late.ids(), "later")
			assert.EqualValues(t, 4, b.at.Sequence)
		})
	}
}

// TestStreamOfAReplica is no evidence, though it takes writes.
func TestStreamOfAReplica(t *testing.T) {
	t.Parallel()
	master := servertest.StartRedis(t)
	replica := servertest.StartRedis(t, "--replicaof", strings.Replace(master.Addr(), ":", " ", 1), "--replica-read-only", "no")
	require.Eventually(t, func() bool {
		return strings.Contains(replica.Client().Info(t.Context(), "replication").Val(), "master_link_status:up")
	}, servertest.Timeout, servertest.PollInterval)
	h := followTier(t, openTier(t, Config{URL: replica.URL()}))
	require.Eventually(t, h.is(func() bool { return len(h.losses) == 1 }), servertest.Timeout, servertest.PollInterval)
	assert.Equal(t, []string{"stream_master"}, missingIn(h.losses[0]))
	assert.Zero(t, h.begunSoFar())
}

func missingIn(err error) []string {
	var unproven *membership.Unproven
	if errors.As(err, &unproven) {
		return unproven.Missing
	}
	return nil
}

// TestStreamOfAServerThatWasCutOff: a master that had a replica, and hears nothing of it, may not be the master any more.
func TestStreamOfAServerThatWasCutOff(t *testing.T) {
	for name, cut := range masterFails {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			master := servertest.StartRedis(t)
			replica := servertest.StartRedis(t, "--replicaof", strings.Replace(master.Addr(), ":", " ", 1))
			admin := master.Client()
			require.Eventually(t, func() bool {
				return strings.Contains(admin.Info(t.Context(), "replication").Val(), "state=online")
			}, servertest.Timeout, servertest.PollInterval)
			tier := openTier(t, Config{URL: master.URL()})
			h := followTier(t, tier)
			first := h.beganAgain(t, 0)
			require.Eventually(t, func() bool { return tier.replicated.Load() != nil }, servertest.Timeout, servertest.PollInterval)
			cut(replica)
			require.Eventually(t, h.isLost, servertest.Timeout, servertest.PollInterval)
			h.mu.Lock()
			assert.Equal(t, []string{"stream_replicas"}, missingIn(h.losses[len(h.losses)-1]))
			h.mu.Unlock()
			comesBack(name, replica)
			again := h.beganAgain(t, 1)
			assert.Equal(t, first.at.Epoch, again.at.Epoch)
			announceSoon(t, tier, "later")
			hears(t, h, []string{"later"})
		})
	}
}

// spread is a proxy that leads each connection to another server than the one before.
func spread(t *testing.T, addrs ...string) string {
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
			for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
				go func() {
					_, _ = io.Copy(way[0], way[1])
					_ = way[0].Close()
				}()
			}
		}
	}()
	return "redis://" + l.Addr().String()
}

// TestStreamBehindAProxyThatSpreads: an announcement that another server takes than the one that is followed is noticed.
func TestStreamBehindAProxyThatSpreads(t *testing.T) {
	t.Parallel()
	tier := openTier(t, Config{URL: spread(t, servertest.StartRedis(t).Addr(), servertest.StartRedis(t).Addr())})
	h := followTier(t, tier)
	h.beganAgain(t, 0)
	for begins := 1; begins < 4; begins++ {
		require.Eventually(t, func() bool { // some of them lead elsewhere
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() { _, _ = tier.Announce(context.Background(), ofUser("x")) })
			}
			all.Wait()
			time.Sleep(tier.cfg.Lease / 4)
			return h.begunSoFar() > begins
		}, servertest.Timeout, servertest.PollInterval)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	assert.True(t, slices.ContainsFunc(h.losses, func(err error) bool { return errors.Is(err, errElsewhere) }), "%v", h.losses)
}

// TestStreamWhoseClockIsSetBack begins anew: facts of before would look newer than they are.
func TestStreamWhoseClockIsSetBack(t *testing.T) {
	mini := servertest.StartMiniredis(t)
	h := followTier(t, openTier(t, Config{URL: "redis://" + mini.Addr()}))
	first := h.beganAgain(t, 0)
	mini.SetTime(time.Now().Add(-time.Hour))
	require.Eventually(t, h.is(func() bool {
		return slices.ContainsFunc(h.losses, func(err error) bool { return errors.Is(err, errSetBack) })
	}), servertest.Timeout, servertest.PollInterval)
	mini.SetTime(time.Time{})
	again := h.beganAgain(t, 1)
	assert.NotEqual(t, first.at.Epoch, again.at.Epoch)
}

// TestStreamOfAPausedServer: neither kind of CLIENT PAUSE passes for silence.
func TestStreamOfAPausedServer(t *testing.T) {
	for _, mode := range []string{"ALL", "WRITE"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			e := newEvidence(t)
			require.NoError(t, e.client.Do(t.Context(), "CLIENT", "PAUSE", 3*e.tier.cfg.Lease.Milliseconds(), mode).Err())
			paused := time.Now()
			require.Eventually(t, e.heard.isLost, servertest.Timeout, servertest.PollInterval)
			e.heard.mu.Lock()
			assert.True(t, e.heard.asOf.Before(paused.Add(e.tier.cfg.Lease)))
			e.heard.mu.Unlock()
			e.heard.beganAgain(t, 1)
		})
	}
}

// TestStreamUnderEviction: under allkeys-random any part of the stream may be gone at any time. Whatever was acknowledged is
// heard, or ends what is vouched for.
func TestStreamUnderEviction(t *testing.T) {
	t.Parallel()
	e := newEvidence(t, "--maxmemory-policy", "allkeys-random", "--maxmemory-samples", "1")
	var used int64
	for line := range strings.SplitSeq(e.client.Info(t.Context(), "memory").Val(), "\r\n") {
		_, _ = fmt.Sscanf(line, "used_memory:%d", &used)
	}
	require.NoError(t, e.client.ConfigSet(t.Context(), "maxmemory", fmt.Sprint(used+200_000)).Err())
	for i := range 600 {
		_ = e.client.Set(t.Context(), fmt.Sprint("filler", i%40), strings.Repeat("x", 1+rand.IntN(10_000)), 0).Err()
		id := fmt.Sprint("id", i)
		begins := e.heard.begunSoFar()
		if _, err := e.other.Announce(t.Context(), ofUser(id)); err != nil {
			continue
		}
		require.Eventually(t, func() bool {
			return e.heard.begunSoFar() > begins || e.heard.isLost() || slices.Contains(e.heard.ids(), id)
		}, servertest.Timeout, time.Millisecond)
	}
	assert.NotContains(t, e.client.Info(t.Context(), "stats").Val(), "evicted_keys:0\r")
}
