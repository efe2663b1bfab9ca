package redisstore

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// openStore opens a store until the test ends. Its default lease is longer than that of Config, because a server can be slow on
// a busy machine.
func openStore(t testing.TB, cfg Config) *Store {
	t.Helper()
	if cfg.Lease == 0 {
		cfg.Lease = 3 * time.Second
	}
	store, err := Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func userChange(id string) []pdp.Change {
	return []pdp.Change{{Kind: pdp.UserChanged, ID: id, Version: 7}}
}

// announce repeats an announcement until it succeeds, as callers do.
func announce(t *testing.T, store *Store, id string) membership.Position {
	t.Helper()
	var at membership.Position
	require.Eventually(t, func() bool {
		var err error
		at, err = store.Announce(context.Background(), userChange(id))
		return err == nil
	}, servertest.Timeout, servertest.PollInterval)
	return at
}

func roundTrip(store *Store, id string) error {
	key := membership.Key{Kind: membership.UserRecord, ID: id}
	value := record.Pack(key, membership.Stamp{Version: 3, AsOf: time.Now()}, []byte("body"))
	if err := store.Put(context.Background(), key, value, time.Minute); err != nil {
		return err
	}
	got, err := store.Get(context.Background(), key)
	if err == nil && string(got) != string(value) {
		err = errors.New("another value")
	}
	return err
}

// eachServer runs a test with miniredis and with a real server.
func eachServer(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("miniredis", func(t *testing.T) { test(t, "redis://"+servertest.StartMiniredis(t).Addr()) })
	t.Run("redis-server", func(t *testing.T) { test(t, servertest.StartRedis(t).URL()) })
}

func TestPutKeepsTheNewerValue(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		store := openStore(t, Config{URL: url, Timeout: 10 * time.Second})
		ctx := context.Background()
		key := membership.Key{Kind: membership.UserRecord, ID: "alice"}
		got, err := store.Get(ctx, key)
		require.NoError(t, err)
		require.Nil(t, got)

		early, late := time.Unix(1_700_000_000, 0), time.Unix(1_700_000_001, 0)
		put := func(version uint64, asOf time.Time) []byte {
			value := record.Pack(key, membership.Stamp{Version: version, AsOf: asOf}, nil)
			require.NoError(t, store.Put(ctx, key, value, time.Minute))
			return value
		}
		kept := func(want []byte, why string) {
			got, err := store.Get(ctx, key)
			require.NoError(t, err)
			require.Equal(t, want, got, why)
		}
		first := put(5, early)
		kept(first, "the first")
		put(4, late)
		kept(first, "an older version does not replace it")
		again := put(5, late)
		kept(again, "the same version, fetched later")
		put(5, early)
		kept(again, "the same version, fetched earlier")
		put(0, early)
		kept(again, "no version, fetched earlier")
		gone := put(0, late)
		kept(gone, "no version, and not fetched earlier")
		newest := put(pdp.MaxVersion, late)
		put(pdp.MaxVersion-1, late)
		kept(newest, "the greatest versions are distinguished")

		other := membership.Key{Kind: membership.UsernamePointer, ID: "alice"}
		require.NoError(t, store.Put(ctx, other, record.Pack(other, membership.Stamp{}, []byte("alice")), time.Minute))
		require.NoError(t, store.Drop(ctx, key, membership.Key{Kind: membership.UserRecord, ID: "nobody"}))
		got, err = store.Get(ctx, key)
		require.NoError(t, err)
		require.Nil(t, got)
		got, err = store.Get(ctx, other)
		require.NoError(t, err)
		require.NotNil(t, got, "a key of another kind is another key")
		require.NoError(t, store.Drop(ctx))
	})
}

func TestInvalidValuesAreReplacedOrDropped(t *testing.T) {
	server := servertest.StartRedis(t)
	store := openStore(t, Config{URL: server.URL(), Timeout: 10 * time.Second})
	ctx := context.Background()
	key := membership.Key{Kind: membership.LocationPointer, ID: "ward"}
	client := server.Client()
	for _, garbage := range []string{"x", "WKF\x01" + string(make([]byte, 40)), string(make([]byte, record.MaxPacked(key.Kind)+100))} {
		require.NoError(t, client.Set(ctx, store.keys.Name(key), garbage, 0).Err())
		value, err := store.Get(ctx, key)
		if err == nil {
			_, _, err = record.Unpack(key, value)
		}
		require.ErrorIs(t, err, record.ErrFormat)
		require.NoError(t, roundTripOf(store, key))
	}
	// A damaged value can look newer than every later one, and must be dropped first.
	damaged := record.Pack(key, membership.Stamp{Version: pdp.MaxVersion}, nil)
	damaged[len(damaged)-1]++
	require.NoError(t, client.Set(ctx, store.keys.Name(key), damaged, 0).Err())
	require.ErrorIs(t, roundTripOf(store, key), record.ErrChecksum)
	require.NoError(t, store.Drop(ctx, key))
	require.NoError(t, roundTripOf(store, key))
	require.NoError(t, client.Del(ctx, store.keys.Name(key)).Err())
	require.NoError(t, client.LPush(ctx, store.keys.Name(key), "a list").Err())
	for range 2 * breakerFailures {
		_, err := store.Get(ctx, key)
		require.ErrorContains(t, err, "WRONGTYPE", "a value of the wrong type does not open the breaker")
	}
	require.NoError(t, store.Drop(ctx, key))
	require.NoError(t, roundTripOf(store, key))
}

func roundTripOf(store *Store, key membership.Key) error {
	value := record.Pack(key, membership.Stamp{Version: 1, AsOf: time.Now()}, []byte("body"))
	if err := store.Put(context.Background(), key, value, time.Minute); err != nil {
		return err
	}
	got, err := store.Get(context.Background(), key)
	if err == nil {
		_, _, err = record.Unpack(key, got)
	}
	return err
}

func TestKeyNames(t *testing.T) {
	k := NewKeys("wk1", false)
	assert.Equal(t, "wk1:u3:{5:alice}", k.Name(membership.Key{Kind: membership.UserRecord, ID: "alice"}))
	assert.Equal(t, "wk1:{changes}:log", k.log)
	assert.NotEqual(t, k.Name(membership.Key{Kind: membership.UserRecord, ID: "a}"}), k.Name(membership.Key{Kind: membership.UserRecord, ID: "a"}))
	// The cluster port defaults to the port plus 10000, which could be too high.
	client := servertest.StartRedis(t, "--cluster-enabled", "yes", "--cluster-port", fmt.Sprint(servertest.FreePort(t))).Client()
	log, err := client.ClusterKeySlot(context.Background(), k.log).Result()
	require.NoError(t, err)
	state, err := client.ClusterKeySlot(context.Background(), k.state).Result()
	require.NoError(t, err)
	assert.Equal(t, log, state, "one script uses both keys")
}

func TestNowFollowsServerClock(t *testing.T) {
	store := openStore(t, Config{URL: servertest.StartRedis(t).URL()})
	assert.Zero(t, store.Now(), "no heartbeat yet")
	store.clock.Store(&clockReading{server: time.Now().Add(time.Hour), local: time.Now()})
	h := follow(t, store)
	h.waitBegan(t, 0)
	assert.WithinDuration(t, time.Now(), store.Now(), time.Minute, "the server has the local clock")
}

func BenchmarkStore(b *testing.B) {
	server := servertest.StartRedis(b)
	store := openStore(b, Config{URL: server.URL()})
	ctx := context.Background()
	key := membership.Key{Kind: membership.UserRecord, ID: "alice"}
	value := record.Pack(key, membership.Stamp{Version: 1, AsOf: time.Now()}, make([]byte, 120))
	b.Run("put", func(b *testing.B) {
		for b.Loop() {
			require.NoError(b, store.Put(ctx, key, value, time.Minute))
		}
	})
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			_, err := store.Get(ctx, key)
			require.NoError(b, err)
		}
	})
	b.Run("announce", func(b *testing.B) {
		for b.Loop() {
			_, err := store.Announce(ctx, userChange("alice"))
			require.NoError(b, err)
		}
	})
	server.Stop()
	for range breakerFailures {
		_, err := store.Get(ctx, key)
		require.Error(b, err)
	}
	b.Run("get while down", func(b *testing.B) {
		for b.Loop() {
			_, err := store.Get(ctx, key)
			require.Error(b, err)
		}
	})
}
