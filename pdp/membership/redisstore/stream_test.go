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

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

func TestFollowDeliversTailThenAnnouncements(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		store := openStore(t, Config{URL: url})
		before := announce(t, store, "before")
		h := follow(t, store)
		b := h.waitBegan(t, 0)
		assert.Equal(t, before, b.at)
		assert.Equal(t, membership.Position{Epoch: before.Epoch, Sequence: 0}, b.floor)
		assert.Equal(t, []membership.Announcement{{At: before, Changes: userChange("before")}}, b.tail)

		changes := []pdp.Change{
			{Kind: pdp.LocationChanged, ID: "ward", Organization: "metro", Version: pdp.MaxVersion, Record: []byte("not sent")},
			{Kind: pdp.AnythingChanged},
		}
		at, err := store.Announce(context.Background(), changes)
		require.NoError(t, err)
		assert.Equal(t, membership.Position{Epoch: before.Epoch, Sequence: 2}, at)
		require.Eventually(t, h.locked(func() bool { return len(h.changes) == 2 }), servertest.Timeout, servertest.PollInterval)
		changes[0].Record = nil
		assert.Equal(t, membership.Announcement{At: at, Changes: changes}, h.changes[1])
		h.waitHeartbeat(t)
		assert.True(t, h.isLive())
	})
}

func TestFollowersReceiveAllPublishersInOneOrder(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t)
	const publishers, each = 4, 200
	followers := []*recorder{follow(t, openStore(t, Config{URL: server.URL()})), follow(t, openStore(t, Config{URL: server.URL()}))}
	for _, h := range followers {
		h.waitBegan(t, 0)
	}
	var all sync.WaitGroup
	for p := range publishers {
		store := openStore(t, Config{URL: server.URL(), Lease: 10 * time.Second})
		all.Go(func() {
			last := membership.Position{}
			for i := range each {
				at, err := store.Announce(context.Background(), userChange(fmt.Sprintf("%d-%d", p, i)))
				assert.NoError(t, err)
				assert.Greater(t, at.Sequence, last.Sequence)
				last = at
			}
		})
	}
	all.Wait()
	for _, h := range followers {
		require.Eventually(t, h.locked(func() bool { return len(h.changes) >= publishers*each }), servertest.Timeout, servertest.PollInterval)
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

func TestAnnounceSplitsManyChanges(t *testing.T) {
	store := openStore(t, Config{URL: servertest.StartRedis(t).URL(), Lease: 10 * time.Second})
	h := follow(t, store)
	h.waitBegan(t, 0)
	var changes []pdp.Change
	for i := range 2*maxEntryChanges + 1 {
		changes = append(changes, userChange(fmt.Sprint(i))...)
	}
	at, err := store.Announce(context.Background(), changes)
	require.NoError(t, err)
	assert.EqualValues(t, 3, at.Sequence)
	require.Eventually(t, h.locked(func() bool { return len(h.changes) == 3 }), servertest.Timeout, servertest.PollInterval)
	assert.Len(t, h.ids(), len(changes))
}

func TestAnnounceRefusesInvalidChanges(t *testing.T) {
	store := openStore(t, Config{URL: "redis://" + servertest.StartMiniredis(t).Addr()})
	for name, c := range map[string]pdp.Change{
		"kind":    {Kind: "other", ID: "x"},
		"id":      {Kind: pdp.UserChanged},
		"long":    {Kind: pdp.UserChanged, ID: strings.Repeat("x", facts.MaxID+1)},
		"UTF-8":   {Kind: pdp.UserChanged, ID: "\xff"},
		"control": {Kind: pdp.UserChanged, ID: "a\x01"},
		"version": {Kind: pdp.UserChanged, ID: "x", Version: pdp.MaxVersion + 1},
	} {
		_, err := store.Announce(context.Background(), []pdp.Change{c})
		assert.Error(t, err, name)
	}
	_, err := store.Announce(context.Background(), nil)
	assert.Error(t, err)
	at := announce(t, store, "x")
	assert.EqualValues(t, 1, at.Sequence, "none of those was written")
}

// Each case changes the data while the stream is followed, and lists what Began must report afterwards.
func TestFollowBeginsAgainAfterInconsistency(t *testing.T) {
	type streamCase struct {
		server *servertest.Redis
		client *redis.Client
		store  *Store
		seen   *recorder
		keys   Keys
	}
	ctx := context.Background()
	raw := func(s streamCase, values ...any) error {
		return s.client.XAdd(ctx, &redis.XAddArgs{Stream: s.keys.log, Values: values}).Err()
	}
	for name, c := range map[string]struct {
		act      func(s streamCase) error
		sequence uint64
		tail     []string
		newEpoch bool
		reason   string
	}{
		"a gap": {
			act: func(s streamCase) error {
				epoch := s.client.HGet(ctx, s.keys.state, "epoch").Val()
				return s.client.Eval(ctx, `redis.call('HSET', KEYS[1], 'sequence', 8)
					return redis.call('XADD', KEYS[2], '*', 'n', 8, 'e', ARGV[1], 'c', ARGV[2])`,
					[]string{s.keys.state, s.keys.log}, epoch, `[{"k":"user","i":"eight"}]`).Err()
			},
			sequence: 8, tail: []string{"eight"}, reason: "gap",
		},
		"flushed": {
			act:      func(s streamCase) error { return s.client.FlushAll(ctx).Err() },
			newEpoch: true, reason: "epoch",
		},
		"flushed, and announced again": {
			act: func(s streamCase) error {
				if err := s.client.FlushAll(ctx).Err(); err != nil {
					return err
				}
				_, err := s.store.Announce(ctx, userChange("fresh"))
				return err
			},
			sequence: 1, tail: []string{"fresh"}, newEpoch: true, reason: "anew|epoch",
		},
		"trimmed before it was read": {
			act: func(s streamCase) error {
				return s.client.Eval(ctx, `redis.call('HINCRBY', KEYS[1], 'sequence', 3)
					return redis.call('XTRIM', KEYS[2], 'MAXLEN', 0)`, []string{s.keys.state, s.keys.log}).Err()
			},
			sequence: 6, reason: "lacks",
		},
		"gone back": {
			act:      func(s streamCase) error { return s.client.HSet(ctx, s.keys.state, "sequence", 1).Err() },
			sequence: 1, newEpoch: true, reason: "went back",
		},
		"an entry that cannot be read": {
			act: func(s streamCase) error {
				s.client.HIncrBy(ctx, s.keys.state, "sequence", 1)
				return raw(s, "n", "4", "e", s.client.HGet(ctx, s.keys.state, "epoch").Val(), "c", "{")
			},
			sequence: 4, reason: "cannot be read|lacks",
		},
		"an entry of something else": {
			act:      func(s streamCase) error { return raw(s, "x", "y") },
			sequence: 3, reason: "cannot be read",
		},
		"the log is something else": {
			act: func(s streamCase) error {
				s.client.Del(ctx, s.keys.log)
				s.client.Set(ctx, s.keys.log, "x", 0)
				require.Eventually(t, s.seen.isLost, servertest.Timeout, servertest.PollInterval)
				return s.client.Del(ctx, s.keys.log).Err()
			},
			sequence: 3, reason: "WRONGTYPE|UNBLOCKED|no longer exists|lacks",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := servertest.StartRedis(t)
			s := streamCase{server: server, client: server.Client(), store: openStore(t, Config{URL: server.URL()})}
			s.keys = s.store.keys
			h := follow(t, s.store)
			s.seen = h
			first := h.waitBegan(t, 0)
			for i := range 3 {
				announce(t, s.store, fmt.Sprint(i))
			}
			require.Eventually(t, h.locked(func() bool { return len(h.changes) == 3 }), servertest.Timeout, servertest.PollInterval)
			require.NoError(t, c.act(s))
			again := h.waitBegan(t, 1)
			require.Eventually(t, h.locked(func() bool { return h.live }), servertest.Timeout, servertest.PollInterval)
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
			at := announce(t, s.store, "later")
			require.Eventually(t, func() bool { return slices.Contains(h.ids(), "later") }, servertest.Timeout, servertest.PollInterval)
			assert.Equal(t, c.sequence+1, at.Sequence)
		})
	}
}

func TestTailHasTheConfiguredLength(t *testing.T) {
	server := servertest.StartRedis(t)
	store := openStore(t, Config{URL: server.URL(), StreamLength: 300, Lease: 10 * time.Second})
	const entries = 3_000
	text, err := encodeChanges(userChange("x"))
	require.NoError(t, err)
	pipe := server.Client().Pipeline()
	for range entries {
		pipe.Eval(context.Background(), announceScript, []string{store.keys.state, store.keys.log}, randomEpoch(), text, 300)
	}
	_, err = pipe.Exec(context.Background())
	require.NoError(t, err)
	b := follow(t, store).waitBegan(t, 0)
	assert.EqualValues(t, entries, b.at.Sequence)
	assert.GreaterOrEqual(t, len(b.tail), 300)
	assert.Less(t, len(b.tail), 300+trimSlack+batchSize)
}

func TestLongestEntryIsDecoded(t *testing.T) {
	for _, c := range []string{`"`, "<", "\u2028", "x", "\U0001F600"} {
		id := strings.Repeat(c, facts.MaxID/len(c))
		changes := slices.Repeat([]pdp.Change{{Kind: pdp.LocationChanged, ID: id, Organization: id, Version: pdp.MaxVersion}}, maxEntryChanges)
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
		got, err := new(Store).decodeEntry(redis.XMessage{Values: map[string]any{"n": n, "e": e, "c": c}})
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

// Announcements use up all pooled connections; the follower must have its own.
func TestFollowerKeepsUpWithManyAnnouncers(t *testing.T) {
	t.Parallel()
	store := openStore(t, Config{URL: servertest.StartRedis(t).URL(), Lease: 10 * time.Second})
	h := follow(t, store)
	h.waitBegan(t, 0)
	var all sync.WaitGroup
	for range 8 * streamConnections {
		all.Go(func() {
			for range 20 {
				_, err := store.Announce(context.Background(), userChange("x"))
				assert.NoError(t, err)
			}
		})
	}
	all.Wait()
	require.Eventually(t, func() bool { return len(h.ids()) >= 8*streamConnections*20 }, servertest.Timeout, servertest.PollInterval)
	h.waitHeartbeat(t)
	assert.Len(t, h.ids(), 8*streamConnections*20)
	assert.Equal(t, 1, h.beganCount())
}
