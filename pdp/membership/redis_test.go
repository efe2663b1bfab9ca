package membership

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// serverPatience is for what comes by itself, on a busy machine.
const serverPatience = 40 * time.Second

const pollEvery = 10 * time.Millisecond

// openTier has a longer lease than the default where none is given: on a busy machine a server can be late without having
// failed.
func openTier(t testing.TB, cfg RedisConfig) *redisTier {
	t.Helper()
	if cfg.Lease == 0 {
		cfg.Lease = 3 * time.Second
	}
	tier, err := openRedis(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tier.close() })
	return tier
}

func ofUser(id string) []pdp.Change { return []pdp.Change{{Kind: pdp.UserChanged, ID: id, Version: 7}} }

// announceSoon announces as callers do: again, until it is taken.
func announceSoon(t *testing.T, tier *redisTier, id string) position {
	t.Helper()
	var at position
	require.Eventually(t, func() bool {
		var err error
		at, err = tier.announce(context.Background(), ofUser(id))
		return err == nil
	}, serverPatience, pollEvery)
	return at
}

func roundTrip(tier *redisTier, id string) error {
	key := recordKey{userRecord, id}
	value := packFact(key, stamp{version: 3, asOf: time.Now()}, []byte("body"))
	if err := tier.put(context.Background(), key, value, time.Minute); err != nil {
		return err
	}
	got, err := tier.get(context.Background(), key)
	if err == nil && string(got) != string(value) {
		err = errors.New("another value")
	}
	return err
}

// eachServer runs what needs no real server with miniredis too.
func eachServer(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("miniredis", func(t *testing.T) { test(t, "redis://"+servertest.StartMini(t).Addr()) })
	t.Run("redis-server", func(t *testing.T) { test(t, servertest.StartRedis(t).URL()) })
}

func TestRedisFacts(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		tier := openTier(t, RedisConfig{URL: url, Timeout: 5 * time.Second})
		ctx := context.Background()
		key := recordKey{userRecord, "alice"}
		got, err := tier.get(ctx, key)
		require.NoError(t, err)
		require.Nil(t, got)

		early, late := time.Unix(1_700_000_000, 0), time.Unix(1_700_000_001, 0)
		put := func(version uint64, asOf time.Time) []byte {
			value := packFact(key, stamp{version: version, asOf: asOf}, nil)
			require.NoError(t, tier.put(ctx, key, value, time.Minute))
			return value
		}
		kept := func(want []byte, why string) {
			got, err := tier.get(ctx, key)
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

		other := recordKey{usernamePointer, "alice"}
		require.NoError(t, tier.put(ctx, other, packFact(other, stamp{}, []byte("alice")), time.Minute))
		require.NoError(t, tier.drop(ctx, key, recordKey{userRecord, "nobody"}))
		got, err = tier.get(ctx, key)
		require.NoError(t, err)
		require.Nil(t, got)
		got, err = tier.get(ctx, other)
		require.NoError(t, err)
		require.NotNil(t, got, "a key of another kind is another key")
		require.NoError(t, tier.drop(ctx))
	})
}

func TestRedisGarbageIsReplaced(t *testing.T) {
	server := servertest.StartRedis(t)
	tier := openTier(t, RedisConfig{URL: server.URL(), Timeout: 5 * time.Second})
	ctx := context.Background()
	key := recordKey{locationPointer, "ward"}
	client := server.Client()
	for _, garbage := range []string{"x", "WKF\x01" + string(make([]byte, 40)), string(make([]byte, key.kind.maxFact()+100))} {
		require.NoError(t, client.Set(ctx, tier.keys.of(key), garbage, 0).Err())
		value, err := tier.get(ctx, key)
		if err == nil {
			_, _, err = unpackFact(key, value)
		}
		require.ErrorIs(t, err, errFact)
		require.NoError(t, roundTripOf(tier, key))
	}
	// What is damaged can look newer than all that comes: it has to be dropped first.
	damaged := packFact(key, stamp{version: pdp.MaxVersion}, nil)
	damaged[len(damaged)-1]++
	require.NoError(t, client.Set(ctx, tier.keys.of(key), damaged, 0).Err())
	require.ErrorIs(t, roundTripOf(tier, key), errFactSum)
	require.NoError(t, tier.drop(ctx, key))
	require.NoError(t, roundTripOf(tier, key))
	require.NoError(t, client.Del(ctx, tier.keys.of(key)).Err())
	require.NoError(t, client.LPush(ctx, tier.keys.of(key), "a list").Err())
	for range 2 * breakerFailures {
		_, err := tier.get(ctx, key)
		require.ErrorContains(t, err, "WRONGTYPE", "one key's fault does not take the others away")
	}
	require.NoError(t, tier.drop(ctx, key))
	require.NoError(t, roundTripOf(tier, key))
}

func roundTripOf(tier *redisTier, key recordKey) error {
	value := packFact(key, stamp{version: 1, asOf: time.Now()}, []byte("body"))
	if err := tier.put(context.Background(), key, value, time.Minute); err != nil {
		return err
	}
	got, err := tier.get(context.Background(), key)
	if err == nil {
		_, _, err = unpackFact(key, got)
	}
	return err
}

func TestRedisKeys(t *testing.T) {
	k := newRedisKeys("wk1")
	assert.Equal(t, "wk1:u:{5:alice}", k.of(recordKey{userRecord, "alice"}))
	assert.Equal(t, "wk1:{changes}:log", k.log)
	assert.Equal(t, hashSlot(k.log), hashSlot(k.state))
	assert.NotEqual(t, k.of(recordKey{userRecord, "a}"}), k.of(recordKey{userRecord, "a"}))
	client := servertest.StartRedis(t, "--cluster-enabled", "yes").Client()
	for _, name := range []string{k.log, k.of(recordKey{userRecord, "a}b{c"}), "plain", "{}x", "a{b", "{x}y{z}", ""} {
		want, err := client.ClusterKeySlot(context.Background(), name).Result()
		require.NoError(t, err)
		assert.EqualValues(t, want, hashSlot(name), name)
	}
}

func TestRedisTellsStreamTime(t *testing.T) {
	tier := openTier(t, RedisConfig{URL: servertest.StartRedis(t).URL()})
	assert.Zero(t, tier.now(), "nobody has told yet")
	tier.clock.Store(&reckoning{shown: time.Now().Add(time.Hour), at: time.Now()})
	h := followTier(t, tier)
	h.beganAgain(t, 0)
	assert.WithinDuration(t, time.Now(), tier.now(), time.Minute, "the server's clock is the local one")
}

func BenchmarkRedis(b *testing.B) {
	server := servertest.StartRedis(b)
	tier := openTier(b, RedisConfig{URL: server.URL()})
	ctx := context.Background()
	key := recordKey{userRecord, "alice"}
	value := packFact(key, stamp{version: 1, asOf: time.Now()}, make([]byte, 120))
	b.Run("put", func(b *testing.B) {
		for b.Loop() {
			require.NoError(b, tier.put(ctx, key, value, time.Minute))
		}
	})
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			_, err := tier.get(ctx, key)
			require.NoError(b, err)
		}
	})
	b.Run("announce", func(b *testing.B) {
		for b.Loop() {
			_, err := tier.announce(ctx, ofUser("alice"))
			require.NoError(b, err)
		}
	})
	server.Stop()
	for range breakerFailures {
		_, err := tier.get(ctx, key)
		require.Error(b, err)
	}
	b.Run("get while down", func(b *testing.B) {
		for b.Loop() {
			_, err := tier.get(ctx, key)
			require.Error(b, err)
		}
	})
}
