package redisstore

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// openTier has a longer lease than the default where none is given: on a busy machine a server can be late without having
// failed.
func openTier(t testing.TB, cfg Config) *Store {
	t.Helper()
	if cfg.Lease == 0 {
		cfg.Lease = 3 * time.Second
	}
	tier, err := Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tier.Close() })
	return tier
}

// SharedOver is a tier for a source, which closes it.
func SharedOver(t testing.TB, cfg Config) *Store {
	t.Helper()
	cfg.Lease = time.Second
	tier, err := Open(cfg)
	require.NoError(t, err)
	return tier
}

func ofUser(id string) []pdp.Change { return []pdp.Change{{Kind: pdp.UserChanged, ID: id, Version: 7}} }

// announceSoon announces as callers do: again, until it is taken.
func announceSoon(t *testing.T, tier *Store, id string) membership.Position {
	t.Helper()
	var at membership.Position
	require.Eventually(t, func() bool {
		var err error
		at, err = tier.Announce(context.Background(), ofUser(id))
		return err == nil
	}, servertest.Timeout, servertest.PollInterval)
	return at
}

func roundTrip(tier *Store, id string) error {
	key := membership.Key{Kind: membership.UserRecord, ID: id}
	value := record.Pack(key, membership.Stamp{Version: 3, AsOf: time.Now()}, []byte("body"))
	if err := tier.Put(context.Background(), key, value, time.Minute); err != nil {
		return err
	}
	got, err := tier.Get(context.Background(), key)
	if err == nil && string(got) != string(value) {
		err = errors.New("another value")
	}
	return err
}

// eachServer runs what needs no real server with miniredis too.
func eachServer(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("miniredis", func(t *testing.T) { test(t, "redis://"+servertest.StartMiniredis(t).Addr()) })
	t.Run("redis-server", func(t *testing.T) { test(t, servertest.StartRedis(t).URL()) })
}

func TestRedisFacts(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		tier := openTier(t, Config{URL: url, Timeout: 5 * time.Second})
		ctx := context.Background()
		key := membership.Key{Kind: membership.UserRecord, ID: "alice"}
		got, err := tier.Get(ctx, key)
		require.NoError(t, err)
		require.Nil(t, got)

		early, late := time.Unix(1_700_000_000, 0), time.Unix(1_700_000_001, 0)
		put := func(version uint64, asOf time.Time) []byte {
			value := record.Pack(key, membership.Stamp{Version: version, AsOf: asOf}, nil)
			require.NoError(t, tier.Put(ctx, key, value, time.Minute))
			return value
		}
		kept := func(want []byte, why string) {
			got, err := tier.Get(ctx, key)
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
		kept(newest, "the greatest versions are told apart")

		other := membership.Key{Kind: membership.UsernamePointer, ID: "alice"}
		require.NoError(t, tier.Put(ctx, other, record.Pack(other, membership.Stamp{}, []byte("alice")), time.Minute))
		require.NoError(t, tier.Drop(ctx, key, membership.Key{Kind: membership.UserRecord, ID: "nobody"}))
		got, err = tier.Get(ctx, key)
		require.NoError(t, err)
		require.Nil(t, got)
		got, err = tier.Get(ctx, other)
		require.NoError(t, err)
		require.NotNil(t, got, "a key of another kind is another key")
		require.NoError(t, tier.Drop(ctx))
	})
}

func TestRedisGarbageIsReplaced(t *testing.T) {
	server := servertest.StartRedis(t)
	tier := openTier(t, Config{URL: server.URL(), Timeout: 5 * time.Second})
	ctx := context.Background()
	key := membership.Key{Kind: membership.LocationPointer, ID: "ward"}
	client := server.Client()
	for _, garbage := range []string{"x", "WKF\x01" + string(make([]byte, 40)), string(make([]byte, record.MaxPacked(key.Kind)+100))} {
		require.NoError(t, client.Set(ctx, tier.keys.Of(key), garbage, 0).Err())
		value, err := tier.Get(ctx, key)
		if err == nil {
			_, _, err = record.Unpack(key, value)
		}
		require.ErrorIs(t, err, record.ErrFormat)
		require.NoError(t, roundTripOf(tier, key))
	}
	// What is damaged can look newer than all that comes: it has to be dropped first.
	damaged := record.Pack(key, membership.Stamp{Version: pdp.MaxVersion}, nil)
	damaged[len(damaged)-1]++
	require.NoError(t, client.Set(ctx, tier.keys.Of(key), damaged, 0).Err())
	require.ErrorIs(t, roundTripOf(tier, key), record.ErrChecksum)
	require.NoError(t, tier.Drop(ctx, key))
	require.NoError(t, roundTripOf(tier, key))
	require.NoError(t, client.Del(ctx, tier.keys.Of(key)).Err())
	require.NoError(t, client.LPush(ctx, tier.keys.Of(key), "a list").Err())
	for range 2 * breakerFailures {
		_, err := tier.Get(ctx, key)
		require.ErrorContains(t, err, "WRONGTYPE", "one key's fault does not take the others away")
	}
	require.NoError(t, tier.Drop(ctx, key))
	require.NoError(t, roundTripOf(tier, key))
}

func roundTripOf(tier *Store, key membership.Key) error {
	value := record.Pack(key, membership.Stamp{Version: 1, AsOf: time.Now()}, []byte("body"))
	if err := tier.Put(context.Background(), key, value, time.Minute); err != nil {
		return err
	}
	got, err := tier.Get(context.Background(), key)
	if err == nil {
		_, _, err = record.Unpack(key, got)
	}
	return err
}

func TestRedisKeys(t *testing.T) {
	k := NewRedisKeys("wk1")
	assert.Equal(t, "wk1:u:{5:alice}", k.Of(membership.Key{Kind: membership.UserRecord, ID: "alice"}))
	assert.Equal(t, "wk1:{changes}:log", k.log)
	assert.Equal(t, hashSlot(k.log), hashSlot(k.state))
	assert.NotEqual(t, k.Of(membership.Key{Kind: membership.UserRecord, ID: "a}"}), k.Of(membership.Key{Kind: membership.UserRecord, ID: "a"}))
	client := servertest.StartRedis(t, "--cluster-enabled", "yes").Client()
	for _, name := range []string{k.log, k.Of(membership.Key{Kind: membership.UserRecord, ID: "a}b{c"}), "plain", "{}x", "a{b", "{x}y{z}", ""} {
		want, err := client.ClusterKeySlot(context.Background(), name).Result()
		require.NoError(t, err)
		assert.EqualValues(t, want, hashSlot(name), name)
	}
}

func TestRedisTellsStreamTime(t *testing.T) {
	tier := openTier(t, Config{URL: servertest.StartRedis(t).URL()})
	assert.Zero(t, tier.Now(), "nobody has told yet")
	tier.clock.Store(&reckoning{shown: time.Now().Add(time.Hour), at: time.Now()})
	h := followTier(t, tier)
	h.beganAgain(t, 0)
	assert.WithinDuration(t, time.Now(), tier.Now(), time.Minute, "the server's clock is the local one")
}

func BenchmarkRedis(b *testing.B) {
	server := servertest.StartRedis(b)
	tier := openTier(b, Config{URL: server.URL()})
	ctx := context.Background()
	key := membership.Key{Kind: membership.UserRecord, ID: "alice"}
	value := record.Pack(key, membership.Stamp{Version: 1, AsOf: time.Now()}, make([]byte, 120))
	b.Run("put", func(b *testing.B) {
		for b.Loop() {
			require.NoError(b, tier.Put(ctx, key, value, time.Minute))
		}
	})
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			_, err := tier.Get(ctx, key)
			require.NoError(b, err)
		}
	})
	b.Run("announce", func(b *testing.B) {
		for b.Loop() {
			_, err := tier.Announce(ctx, ofUser("alice"))
			require.NoError(b, err)
		}
	})
	server.Stop()
	for range breakerFailures {
		_, err := tier.Get(ctx, key)
		require.Error(b, err)
	}
	b.Run("get while down", func(b *testing.B) {
		for b.Loop() {
			_, err := tier.Get(ctx, key)
			require.Error(b, err)
		}
	})
}
