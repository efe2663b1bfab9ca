package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

func TestStreamTellsWhatIsAnnounced(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		tier := openTier(t, Config{URL: url})
		before := announceSoon(t, tier, "before")
		h := followTier(t, tier)
		b := h.beganAgain(t, 0)
		assert.Equal(t, before, b.at)
		assert.Equal(t, membership.Position{Epoch: before.Epoch, Sequence: 0}, b.floor)
		assert.Equal(t, []membership.Announcement{{At: before, Changes: ofUser("before")}}, b.tail)

		changes := []pdp.Change{
			{Kind: pdp.LocationChanged, ID: "ward", Organization: "metro", Version: pdp.MaxVersion, Record: []byte("not told")},
			{Kind: pdp.AnythingChanged},
		}
		at, err := tier.Announce(context.Background(), changes)
		require.NoError(t, err)
		assert.Equal(t, membership.Position{Epoch: before.Epoch, Sequence: 2}, at)
		require.Eventually(t, h.is(func() bool { return len(h.changes) == 2 }), servertest.Timeout, servertest.PollInterval)
		changes[0].Record = nil
		assert.Equal(t, membership.Announcement{At: at, Changes: changes}, h.changes[1])
		h.nextBeat(t)
		assert.True(t, h.isLive())
	})
}

// Several publishers: every follower hears all of it, in the one order that the numbers give.
func TestStreamOrder(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t)
	const publishers, each = 4, 200
	followers := []*heard{followTier(t, openTier(t, Config{URL: server.URL()})), followTier(t, openTier(t, Config{URL: server.URL()}))}
	for _, h := range followers {
		h.beganAgain(t, 0)
	}
	var all sync.WaitGroup
	for p := range publishers {
		tier := openTier(t, Config{URL: server.URL(), Lease: 10 * time.Second})
		all.Go(func() {
			last := membership.Position{}
			for i := range each {
				at, err := tier.Announce(context.Background(), ofUser(fmt.Sprintf("%d-%d", p, i)))
				assert.NoError(t, err)
				assert.Greater(t, at.Sequence, last.Sequence)
				last = at
			}
		})
	}
	all.Wait()
	for _, h := range followers {
		require.Eventually(t, h.is(func() bool { return len(h.changes) >= publishers*each }), servertest.Timeout, servertest.PollInterval)
		ids := h.ids()
		for p := range publishers {
			last := -1
			for i := range each {
				at := slices.Index(ids, fmt.Sprintf("%d-%d", p, i))
				require.Greater(t, at, last)
				last = at
			}
		}
	}
	assert.Equal(t, followers[0].ids(), followers[1].ids())
}

func TestStreamManyChanges(t *testing.T) {
	tier := openTier(t, Config{URL: servertest.StartRedis(t).URL(), Lease: 10 * time.Second})
	h := followTier(t, tier)
	h.beganAgain(t, 0)
	var changes []pdp.Change
	for i := range 2*mostChanges + 1 {
		changes = append(changes, ofUser(fmt.Sprint(i))...)
	}
	at, err := tier.Announce(context.Background(), changes)
	require.NoError(t, err)
	assert.EqualValues(t, 3, at.Sequence)
	require.Eventually(t, h.is(func() bool { return len(h.changes) == 3 }), servertest.Timeout, servertest.PollInterval)
	assert.Len(t, h.ids(), len(changes))
}

func TestStreamRefusesMalformedChanges(t *testing.T) {
	tier := openTier(t, Config{URL: "redis://" + servertest.StartMiniredis(t).Addr()})
	for name, c := range map[string]pdp.Change{
		"kind":    {Kind: "other", ID: "x"},
		"id":      {Kind: pdp.UserChanged},
		"long":    {Kind: pdp.UserChanged, ID: strings.Repeat("x", membership.MaxID+1)},
		"UTF-8":   {Kind: pdp.UserChanged, ID: "\xff"},
		"control": {Kind: pdp.UserChanged, ID: "a\x01"},
		"version": {Kind: pdp.UserChanged, ID: "x", Version: pdp.MaxVersion + 1},
	} {
		_, err := tier.Announce(context.Background(), []pdp.Change{c})
		assert.Error(t, err, name)
	}
	_, err := tier.Announce(context.Background(), nil)
	assert.Error(t, err)
	at := announceSoon(t, tier, "x")
	assert.EqualValues(t, 1, at.Sequence, "nothing of those was written")
}

// What is done to the log behind the followers' backs, and what the next beginning then says.
func TestStreamBreaks(t *testing.T) {
	type scene struct {
		server *servertest.Redis
		client *redis.Client
		tier   *Store
		keys   redisKeys
	}
	ctx := context.Background()
	raw := func(s scene, values ...any) error {
		return s.client.XAdd(ctx, &redis.XAddArgs{Stream: s.keys.log, Values: values}).Err()
	}
	for name, c := range map[string]struct {
		act      func(s scene) error
		sequence uint64
		tail     []string
		newEpoch bool
		reason   string
	}{
		"a gap": {
			act: func(s scene) error {
				epoch := s.client.HGet(ctx, s.keys.state, "epoch").Val()
				return s.client.Eval(ctx, `redis.call('HSET', KEYS[1], 'sequence', 8)
					return redis.call('XADD', KEYS[2], '*', 'n', 8, 'e', ARGV[1], 'c', ARGV[2])`,
					[]string{s.keys.state, s.keys.log}, epoch, `[{"k":"user","i":"eight"}]`).Err()
			},
			sequence: 8, tail: []string{"eight"}, reason: "gap",
		},
		"flushed": {
			act:      func(s scene) error { return s.client.FlushAll(ctx).Err() },
			newEpoch: true, reason: "epoch",
		},
		"flushed, and announced again": {
			act: func(s scene) error {
				if err := s.client.FlushAll(ctx).Err(); err != nil {
					return err
				}
				_, err := s.tier.Announce(ctx, ofUser("fresh"))
				return err
			},
			sequence: 1, tail: []string{"fresh"}, newEpoch: true, reason: "anew|epoch",
		},
		"trimmed before it was read": {
			act: func(s scene) error {
				return s.client.Eval(ctx, `redis.call('HINCRBY', KEYS[1], 'sequence', 3)
					return redis.call('XTRIM', KEYS[2], 'MAXLEN', 0)`, []string{s.keys.state, s.keys.log}).Err()
			},
			sequence: 6, reason: "lacks",
		},
		"gone back": {
			act:      func(s scene) error { return s.client.HSet(ctx, s.keys.state, "sequence", 1).Err() },
			sequence: 1, newEpoch: true, reason: "went back",
		},
		"an entry that cannot be read": {
			act: func(s scene) error {
				s.client.HIncrBy(ctx, s.keys.state, "sequence", 1)
				return raw(s, "n", "4", "e", s.client.HGet(ctx, s.keys.state, "epoch").Val(), "c", "{")
			},
			sequence: 4, reason: "cannot be read|lacks",
		},
		"an entry of something else": {
			act:      func(s scene) error { return raw(s, "x", "y") },
			sequence: 3, reason: "cannot be read",
		},
		"the log is something else": {
			act: func(s scene) error {
				s.client.Del(ctx, s.keys.log)
				s.client.Set(ctx, s.keys.log, "x", 0)
				time.Sleep(s.tier.cfg.Lease)
				return s.client.Del(ctx, s.keys.log).Err()
			},
			sequence: 3, reason: "WRONGTYPE|UNBLOCKED|no longer exists|lacks",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := servertest.StartRedis(t)
			s := scene{server: server, client: server.Client(), tier: openTier(t, Config{URL: server.URL()})}
			s.keys = s.tier.keys
			h := followTier(t, s.tier)
			first := h.beganAgain(t, 0)
			for i := range 3 {
				announceSoon(t, s.tier, fmt.Sprint(i))
			}
			require.Eventually(t, h.is(func() bool { return len(h.changes) == 3 }), servertest.Timeout, servertest.PollInterval)
			require.NoError(t, c.act(s))
			again := h.beganAgain(t, 1)
			require.Eventually(t, h.is(func() bool { return h.live }), servertest.Timeout, servertest.PollInterval)
			h.mu.Lock()
			assert.Regexp(t, c.reason, h.losses[0].Error())
			h.mu.Unlock()
			assert.Equal(t, c.newEpoch, again.at.Epoch != first.at.Epoch)
			assert.Equal(t, c.sequence, again.at.Sequence)
			var tail []string
			for _, one := range again.tail {
				tail = append(tail, one.Changes[0].ID)
			}
			assert.Equal(t, c.tail, tail)
			at := announceSoon(t, s.tier, "later")
			require.Eventually(t, func() bool { return slices.Contains(h.ids(), "later") }, servertest.Timeout, servertest.PollInterval)
			assert.Equal(t, c.sequence+1, at.Sequence)
		})
	}
}

// The log is only as long as asked for, and a floor says how far back it reaches.
func TestStreamTail(t *testing.T) {
	server := servertest.StartRedis(t)
	tier := openTier(t, Config{URL: server.URL(), StreamLength: 300, Lease: 10 * time.Second})
	const entries = 3_000
	text, err := encodeChanges(ofUser("x"))
	require.NoError(t, err)
	pipe := server.Client().Pipeline()
	for range entries {
		pipe.Eval(context.Background(), announceScript, []string{tier.keys.state, tier.keys.log}, newEpoch(), text, 300)
	}
	_, err = pipe.Exec(context.Background())
	require.NoError(t, err)
	b := followTier(t, tier).beganAgain(t, 0)
	assert.EqualValues(t, entries, b.at.Sequence)
	assert.GreaterOrEqual(t, len(b.tail), 300)
	assert.Less(t, len(b.tail), 300+followSlack+followPiece)
}

// The most that one entry can be asked to tell is still told.
func TestStreamLongestEntry(t *testing.T) {
	for _, c := range []string{`"`, "<", "\u2028", "x", "\U0001F600"} {
		id := strings.Repeat(c, membership.MaxID/len(c))
		changes := slices.Repeat([]pdp.Change{{Kind: pdp.LocationChanged, ID: id, Organization: id, Version: pdp.MaxVersion}}, mostChanges)
		text, err := encodeChanges(changes)
		require.NoError(t, err)
		got, err := decodeChanges(string(text))
		require.NoError(t, err)
		require.Equal(t, changes, got)
	}
}

func FuzzEntry(f *testing.F) {
	f.Add("1", "e", `[{"k":"user","i":"x","v":1}]`)
	f.Add("9007199254740991", "e", `[{"k":"location","i":"x","o":"y"},{"k":"anything"}]`)
	f.Fuzz(func(t *testing.T, n, e, c string) {
		got, err := decodeEntry(redis.XMessage{Values: map[string]any{"n": n, "e": e, "c": c}})
		if err != nil {
			return
		}
		require.NotZero(t, got.sequence)
		text, err := encodeChanges(got.changes)
		require.NoError(t, err)
		again, err := decodeChanges(string(text))
		require.NoError(t, err)
		require.Equal(t, got.changes, again)
	})
}

// However many announce at once, the follower has a connection.
func TestStreamUnderAnnouncements(t *testing.T) {
	t.Parallel()
	tier := openTier(t, Config{URL: servertest.StartRedis(t).URL(), Lease: 10 * time.Second})
	h := followTier(t, tier)
	h.beganAgain(t, 0)
	var all sync.WaitGroup
	for range 8 * streamConnections {
		all.Go(func() {
			for range 20 {
				_, err := tier.Announce(context.Background(), ofUser("x"))
				assert.NoError(t, err)
			}
		})
	}
	all.Wait()
	h.nextBeat(t)
	assert.Len(t, h.ids(), 8*streamConnections*20)
	assert.Equal(t, 1, h.begunSoFar())
}
