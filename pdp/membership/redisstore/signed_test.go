package redisstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/fleetkey"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

var keyA, keyB = strings.Repeat("a1", 32), strings.Repeat("b2", 32)

// fleetKey opens a file with keys. Each call has counters of its own.
func fleetKey(t testing.TB, lines ...string) *fleetkey.Keys {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fleet.key")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600))
	keys, err := fleetkey.Open(path, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return keys
}

func refusals(keys *fleetkey.Keys, use fleetkey.Use, reason string) uint64 {
	for _, r := range keys.Status().Refused {
		if r.Use == use.String() && r.Reason == reason {
			return r.Count
		}
	}
	return 0
}

// Whatever somebody without the key writes to Redis, no value of it is used.
func TestOnlyValuesOfTheFleetAreUsed(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	server := servertest.StartRedis(t)
	open := func(prefix string, lines ...string) *Store {
		cfg := Config{URL: server.URL(), Prefix: prefix, Timeout: 10 * time.Second}
		if len(lines) > 0 {
			cfg.FleetKey = fleetKey(t, lines...)
		}
		return openStore(t, cfg)
	}
	alice, bob := membership.Key{Kind: membership.UserRecord, ID: "alice"}, membership.Key{Kind: membership.UserRecord, ID: "bob"}
	pack := func(key membership.Key, version uint64) []byte {
		return record.Pack(key, membership.Stamp{Version: version, AsOf: time.Unix(1_700_000_000, 0), History: "h"}, []byte("secret body"))
	}
	stored := func(s *Store, key membership.Key) string { return server.Client().Get(ctx, s.keys.Name(key)).Val() }
	made := func(s *Store, key membership.Key) string {
		require.NoError(t, s.Put(ctx, key, pack(key, 5), time.Minute))
		return stored(s, key)
	}
	genuine := made(open("wk1", keyA), alice)
	assert.NotContains(t, genuine, "secret body", "nor can it be read")
	changed := func(at int) string {
		b := []byte(genuine)
		b[at] ^= 1
		return string(b)
	}
	for name, c := range map[string]struct{ value, reason string }{
		"without a key":        {string(pack(alice, 9)), "unsigned"},
		"too short":            {"x", "unsigned"},
		"of another fleet":     {made(open("other", keyB), alice), "unknown_key"},
		"of another key":       {made(open("wk1", keyA), bob), "forged"},
		"of another kind":      {made(open("wk1", keyA), membership.Key{Kind: membership.OrganizationRecord, ID: "alice"}), "forged"},
		"of another prefix":    {made(open("wk2", keyA), alice), "forged"},
		"with another version": {changed(11), "forged"},
		"fetched later":        {changed(19), "forged"},
		"with another history": {changed(21), "forged"},
		"with another body":    {changed(len(genuine) - 20), "forged"},
		"without its history":  {changed(20), "unknown_key"},
	} {
		t.Run(name, func(t *testing.T) {
			store := open("wk1", keyA)
			require.NoError(t, store.Put(ctx, alice, pack(alice, 5), time.Minute))
			got, err := store.Get(ctx, alice)
			require.NoError(t, err)
			require.Equal(t, pack(alice, 5), got)
			require.NoError(t, server.Client().Set(ctx, store.keys.Name(alice), c.value, 0).Err())
			got, err = store.Get(ctx, alice)
			require.NoError(t, err)
			require.Nil(t, got)
			assert.EqualValues(t, 1, refusals(store.cfg.FleetKey, fleetkey.SharedValue, c.reason))
			require.Empty(t, stored(store, alice), "it cannot keep genuine values out")
		})
	}
}

// Sidecars with and without a key neither use nor drop each other's values.
func TestValuesWithAndWithoutKeyStayApart(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t)
	with := openStore(t, Config{URL: server.URL(), FleetKey: fleetKey(t, keyA)})
	without := openStore(t, Config{URL: server.URL()})
	for range 2 {
		require.NoError(t, roundTrip(without, "alice"))
		require.NoError(t, roundTrip(with, "alice"))
	}
	assert.Zero(t, refusals(with.cfg.FleetKey, fleetkey.SharedValue, "unsigned"))
	assert.Len(t, server.Client().Keys(t.Context(), "*alice*").Val(), 2)
}

// Whoever controls Redis controls its clock. A value that is replayed is as old as the clocks of the sidecars say.
func TestReplayedValueIsAsOldAsItIs(t *testing.T) {
	t.Parallel()
	store := openStore(t, Config{URL: servertest.StartRedis(t).URL(), FleetKey: fleetKey(t, keyA), Timeout: 10 * time.Second})
	key := membership.Key{Kind: membership.UserRecord, ID: "alice"}
	server := time.Now().Add(-time.Minute)
	setClock := func() { store.clock.Store(&clockReading{server: server, local: time.Now()}) }
	setClock()
	put := func(ago time.Duration) {
		value := record.Pack(key, membership.Stamp{Version: 1, AsOf: store.Now()}, []byte("body"))
		readable, rest, _ := record.SplitPacked(value)
		text := binary.BigEndian.AppendUint64(nil, uint64(time.Now().Add(-ago).UnixMicro()))
		sealed := store.cfg.FleetKey.Seal(fleetkey.SharedValue, append(text, rest...), []byte(store.keys.Name(key)), readable)
		require.NoError(t, store.values.Set(t.Context(), store.keys.Name(key), append(readable[:len(readable):len(readable)], sealed...), 0).Err())
	}
	age := func() time.Duration {
		value, err := store.Get(t.Context(), key)
		require.NoError(t, err)
		s, body, err := record.Unpack(key, value)
		require.NoError(t, err)
		require.Equal(t, "body", string(body))
		return store.Now().Sub(s.AsOf)
	}
	put(time.Hour)
	setClock()
	assert.GreaterOrEqual(t, age(), time.Hour)
	put(-time.Hour) // the writer's clock was ahead
	setClock()
	assert.Less(t, age(), time.Hour/2)
	require.NoError(t, store.Put(t.Context(), key, record.Pack(key, membership.Stamp{Version: 2, AsOf: store.Now().Add(-time.Minute)}, []byte("body")), time.Hour))
	assert.GreaterOrEqual(t, age(), time.Minute)
	assert.Less(t, age(), 2*time.Minute+servertest.Timeout)

	// A clock of Redis that was an hour ahead when the record was fetched makes no later time of the fetch.
	name := []byte(store.keys.Name(key))
	ahead := store.seal(string(name), record.Pack(key, membership.Stamp{Version: 3, AsOf: store.Now().Add(time.Hour)}, []byte("body")))
	readable, sealed, ok := record.SplitPacked(ahead)
	require.True(t, ok)
	text, err := store.cfg.FleetKey.Open(fleetkey.SharedValue, sealed, name, readable)
	require.NoError(t, err)
	assert.False(t, time.UnixMicro(int64(binary.BigEndian.Uint64(text))).After(time.Now()))
}

// newSignedFixture is a stream whose sidecars have a key.
func newSignedFixture(t *testing.T) *streamFixture {
	return newStreamFixtureOf(t, Config{FleetKey: fleetKey(t, keyA)})
}

// signedEntry returns the members of an entry that a sidecar with the key signs for a sequence.
func (e *streamFixture) signedEntry(sequence uint64, id string) []any {
	changes := fmt.Sprintf(`[{"k":"user","i":%q}]`, id)
	epoch := e.client.HGet(context.Background(), e.state, "epoch").Val()
	signature := e.store.cfg.FleetKey.Sign(fleetkey.StreamEntry, e.store.signed(epoch, sequence, changes)...)
	return []any{"n", fmt.Sprint(sequence), "e", epoch, "c", changes, "s", signature}
}

// replaceNewest replaces the newest entry at once, and leaves no id by which that would be noticed.
const replaceNewest = `
redis.call('XDEL', KEYS[2], redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1][1])
redis.call('XADD', KEYS[2], '*', unpack(ARGV))
redis.call('HDEL', KEYS[1], 'newest', 'newest_id')
return 1
`

// Whatever somebody without the key writes to the stream is not delivered, and does not go unnoticed: the followers begin
// again after it, so that no record stays confirmed.
func TestForgedEntriesAreNotDelivered(t *testing.T) {
	for name, c := range map[string]struct {
		act    func(e *streamFixture)
		reason string // counted by the follower; "" if only the epoch shows it
	}{
		"an entry without a signature": {reason: "unsigned", act: func(e *streamFixture) {
			e.eval(`redis.call('XADD', KEYS[2], '*', 'n', '4', 'e', redis.call('HGET', KEYS[1], 'epoch'), 'c', ARGV[1]); return 1`, `[{"k":"user","i":"forged"}]`)
		}},
		"one without a signature, counted": {reason: "unsigned", act: func(e *streamFixture) {
			e.eval(unread + `announce('*'); return 1`)
		}},
		"an entry of another fleet": {reason: "unknown_key", act: func(e *streamFixture) {
			other := *e
			other.store = openStore(e.t, Config{URL: e.server.URL(), FleetKey: fleetKey(e.t, keyB)})
			require.NoError(e.t, e.client.XAdd(context.Background(), &redis.XAddArgs{Stream: e.log, Values: other.signedEntry(4, "forged")}).Err())
		}},
		"an entry is repeated at another place": {reason: "forged", act: func(e *streamFixture) {
			forged := e.signedEntry(3, "forged")
			forged[1] = "4"
			require.NoError(e.t, e.client.XAdd(context.Background(), &redis.XAddArgs{Stream: e.log, Values: forged}).Err())
		}},
		"an entry with other changes": {reason: "forged", act: func(e *streamFixture) {
			forged := e.signedEntry(4, "x")
			forged[5] = `[{"k":"user","i":"forged"}]`
			require.NoError(e.t, e.client.XAdd(context.Background(), &redis.XAddArgs{Stream: e.log, Values: forged}).Err())
		}},
		"an entry of another epoch": {reason: "forged", act: func(e *streamFixture) {
			e.eval(`redis.call('HSET', KEYS[1], 'epoch', 'x'); return 1`)
			forged := e.signedEntry(4, "forged")
			e.eval(`redis.call('HSET', KEYS[1], 'epoch', ARGV[1]); return 1`, e.client.XRevRangeN(context.Background(), e.log, "+", "-", 1).Val()[0].Values["e"])
			forged[3] = e.client.HGet(context.Background(), e.state, "epoch").Val()
			require.NoError(e.t, e.client.XAdd(context.Background(), &redis.XAddArgs{Stream: e.log, Values: forged}).Err())
		}},
		"the newest entry is taken back, and another sidecar signs for its place": {act: func(e *streamFixture) {
			e.eval(replaceNewest, e.signedEntry(3, "genuine")...)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newSignedFixture(t)
			first := e.seen.begins[0].at.Epoch
			c.act(e)
			if c.reason == "" {
				require.Eventually(t, e.seen.locked(func() bool {
					return e.seen.live && e.seen.begins[len(e.seen.begins)-1].at.Epoch != first
				}), servertest.Timeout, servertest.PollInterval, "not only this sidecar has to begin again")
			} else {
				e.seen.waitBegan(t, 1)
				require.NotZero(t, refusals(e.store.cfg.FleetKey, fleetkey.StreamEntry, c.reason))
				require.Contains(t, e.seen.missing(), "stream_signature")
			}
			announce(t, e.publisher, "later")
			require.Eventually(t, func() bool { return slices.Contains(e.seen.ids(), "later") }, servertest.Timeout, servertest.PollInterval)
			require.NotContains(t, e.seen.ids(), "forged")
			require.NotContains(t, e.seen.ids(), "unread")
			e.publisherSeen.waitHeartbeat(t)
		})
	}
}

// missing returns the missing proofs that a follower was told.
func (h *recorder) missing() (all []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, err := range h.losses {
		all = append(all, missingIn(err)...)
	}
	return all
}

// The sidecar that announced does not confirm anything either before its announcement is in the stream again.
func TestOwnAnnouncementThatIsTakenBackStartsNewEpoch(t *testing.T) {
	for name, act := range map[string]func(e *streamFixture, quiet *Store, at membership.Position){
		"another sidecar signs for its place": func(e *streamFixture, _ *Store, at membership.Position) {
			e.eval(replaceNewest, e.signedEntry(at.Sequence, "genuine")...)
		},
		"it signs for the place itself": func(e *streamFixture, quiet *Store, at membership.Position) {
			e.eval(`redis.call('XDEL', KEYS[2], redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1][1])
				redis.call('HINCRBY', KEYS[1], 'sequence', -1); return 1`)
			assert.Equal(e.t, at, announce(e.t, quiet, "genuine"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := servertest.StartRedis(t)
			e := &streamFixture{t: t, client: server.Client(), store: openStore(t, Config{URL: server.URL(), FleetKey: fleetKey(t, keyA)})}
			e.state, e.log = e.store.keys.state, e.store.keys.log
			quiet := openStore(t, Config{URL: server.URL(), FleetKey: e.store.cfg.FleetKey}) // it has not begun to follow
			at := announce(t, quiet, "taken back")
			act(e, quiet, at)
			h := follow(t, quiet)
			assert.NotEqual(t, at.Epoch, h.waitBegan(t, 0).at.Epoch)
		})
	}
}

// Nothing is lost while all announce, although each must know the sequence before.
func TestSidecarsSignInTurn(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t)
	const publishers, each = 4, 50
	var stores []*Store
	var followers []*recorder
	for range publishers {
		stores = append(stores, openStore(t, Config{URL: server.URL(), Lease: 10 * time.Second, FleetKey: fleetKey(t, keyA)}))
		followers = append(followers, follow(t, stores[len(stores)-1]))
	}
	for _, h := range followers {
		h.waitBegan(t, 0)
	}
	var all sync.WaitGroup
	for p, store := range stores {
		for half := range 2 {
			all.Go(func() {
				for i := range each / 2 {
					_, err := store.Announce(context.Background(), userChange(fmt.Sprintf("%d-%d-%d", p, half, i)))
					assert.NoError(t, err)
				}
			})
		}
	}
	all.Wait()
	for _, h := range followers {
		require.Eventually(t, func() bool { return len(h.ids()) == publishers*each }, servertest.Timeout, servertest.PollInterval)
		h.waitHeartbeat(t)
		h.waitHeartbeat(t)
		assert.Equal(t, 1, h.beganCount())
		assert.Equal(t, followers[0].ids(), h.ids())
	}
}

// A sidecar without a key understands the others, and is not believed.
func TestFleetWhereOneHasNoKey(t *testing.T) {
	t.Parallel()
	e := newSignedFixture(t)
	var log bytes.Buffer
	without := openStore(t, Config{URL: e.server.URL(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	h := follow(t, without)
	h.waitBegan(t, 0)
	announce(t, e.publisher, "signed")
	waitDelivered(t, h, []string{"0", "1", "2", "signed"})
	at := announce(t, without, "unsigned")
	require.Eventually(t, e.seen.locked(func() bool { return len(e.seen.begins) > 1 && e.seen.live }), servertest.Timeout, servertest.PollInterval)
	assert.NotContains(t, e.seen.ids(), "unsigned")
	assert.Equal(t, []string{"stream_signature"}, e.seen.missing())
	assert.Equal(t, at, e.seen.begins[1].floor, "what was fetched before is not confirmed; the epoch is the same")
	announce(t, e.publisher, "later")
	waitDelivered(t, h, []string{"0", "1", "2", "signed", "unsigned", "later"})
	assert.Equal(t, 1, strings.Count(log.String(), "set fleet_key_file here too"))
}

// While a key is rotated, sidecars one step apart use each other's values and announcements.
func TestRotationOverAFleet(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t)
	steps := [][]string{{keyA}, {keyA, keyB}, {keyB, keyA}, {keyB}}
	for step := range len(steps) - 1 {
		t.Run(fmt.Sprint(steps[step:step+2]), func(t *testing.T) {
			t.Parallel()
			var stores []*Store
			var followers []*recorder
			for _, lines := range steps[step : step+2] {
				stores = append(stores, openStore(t, Config{URL: server.URL(), Prefix: fmt.Sprint(step), FleetKey: fleetKey(t, lines...), Timeout: 10 * time.Second}))
				followers = append(followers, follow(t, stores[len(stores)-1]))
			}
			for _, h := range followers {
				h.waitBegan(t, 0)
			}
			for i, from := range stores {
				key := membership.Key{Kind: membership.UserRecord, ID: fmt.Sprint(i)}
				value := record.Pack(key, membership.Stamp{Version: 3, AsOf: time.Now().Add(-time.Minute)}, []byte("body"))
				require.NoError(t, from.Put(t.Context(), key, value, time.Minute))
				announce(t, from, key.ID)
				for j, to := range stores {
					got, err := to.Get(t.Context(), key)
					require.NoError(t, err)
					require.NotNil(t, got)
					require.Eventually(t, func() bool { return slices.Contains(followers[j].ids(), key.ID) }, servertest.Timeout, servertest.PollInterval)
					require.Equal(t, 1, followers[j].beganCount())
				}
			}
			for _, store := range stores {
				for _, r := range store.cfg.FleetKey.Status().Refused {
					require.Zero(t, r.Count, "%v", r)
				}
			}
		})
	}
}

func BenchmarkSealedStore(b *testing.B) {
	server := servertest.StartRedis(b)
	ctx := context.Background()
	key := membership.Key{Kind: membership.UserRecord, ID: "alice"}
	value := record.Pack(key, membership.Stamp{Version: 1, AsOf: time.Now()}, make([]byte, 300))
	for name, keys := range map[string]*fleetkey.Keys{"off": nil, "on": fleetKey(b, keyA)} {
		store := openStore(b, Config{URL: server.URL(), FleetKey: keys})
		require.NoError(b, store.Put(ctx, key, value, time.Hour))
		b.Run("get "+name, func(b *testing.B) {
			for b.Loop() {
				got, err := store.Get(ctx, key)
				require.NoError(b, err)
				require.NotNil(b, got)
			}
		})
		b.Run("announce "+name, func(b *testing.B) {
			for b.Loop() {
				_, err := store.Announce(ctx, userChange("alice"))
				require.NoError(b, err)
			}
		})
	}
}

func FuzzUnseal(f *testing.F) {
	store := &Store{cfg: Config{FleetKey: fleetKey(f, keyA)}, keys: NewKeys("wk1", true)}
	key := membership.Key{Kind: membership.UserRecord, ID: "alice"}
	genuine := record.Pack(key, membership.Stamp{Version: 1, AsOf: time.Unix(1_700_000_000, 0), History: "h"}, []byte("body"))
	f.Add(store.seal(store.keys.Name(key), genuine))
	f.Add(genuine)
	f.Fuzz(func(t *testing.T, value []byte) {
		if packed, err := store.unseal(store.keys.Name(key), value); err == nil {
			require.Equal(t, genuine, packed)
		}
		if sealed := store.seal(store.keys.Name(key), value); sealed != nil {
			packed, err := store.unseal(store.keys.Name(key), sealed)
			if err == nil {
				require.Equal(t, value, packed)
			}
		}
	})
}

func TestAnnouncedEntriesMustBeRead(t *testing.T) {
	t.Parallel()
	at := membership.Position{Epoch: "e", Sequence: 5}
	propose := func(a *announced) error { a.propose(5, "own"); return nil }
	accept := func(a *announced) error { a.accept(at); return nil }
	read := func(signature string) func(a *announced) error {
		return func(a *announced) error { return a.read(at, signature) }
	}
	for name, c := range map[string]struct {
		steps []func(a *announced) error
		lost  bool
	}{
		"read after the reply":             {steps: []func(a *announced) error{propose, accept, read("own")}},
		"read before the reply":            {steps: []func(a *announced) error{propose, read("own"), accept}},
		"not accepted":                     {steps: []func(a *announced) error{propose, func(a *announced) error { a.propose(0, ""); return nil }, read("other")}},
		"never read":                       {steps: []func(a *announced) error{propose, accept}, lost: true},
		"another one read after the reply": {steps: []func(a *announced) error{propose, accept, read("other")}, lost: true},
		"another one read before it":       {steps: []func(a *announced) error{propose, read("other"), accept}, lost: true},
		"another one accepted":             {steps: []func(a *announced) error{propose, accept, propose, accept, read("own")}, lost: true},
		"another one proposed":             {steps: []func(a *announced) error{propose, accept, propose, read("own")}},
	} {
		var a announced
		var faults []error
		for _, step := range c.steps {
			faults = append(faults, step(&a))
		}
		faults = append(faults, a.checkRead(a.due("e"), "e"))
		assert.Equal(t, c.lost, slices.ContainsFunc(faults, func(err error) bool { return err != nil }), name)
	}
}
