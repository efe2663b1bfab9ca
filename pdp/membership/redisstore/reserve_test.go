package redisstore

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// One sidecar has the reservation of a fetch, until it is ended or expires. It is not the record's value.
func TestOneSidecarReserves(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		ctx := context.Background()
		one, other := openStore(t, Config{URL: url, Timeout: 10 * time.Second}), openStore(t, Config{URL: url, Timeout: 10 * time.Second})
		jane, metro := membership.Key{Kind: membership.UserRecord, ID: "jane"}, membership.Key{Kind: membership.OrganizationRecord, ID: "jane"}
		reserve := func(s *Store, key membership.Key, most time.Duration) bool {
			ok, err := s.Reserve(ctx, key, most)
			require.NoError(t, err)
			return ok
		}
		reserved := func(key membership.Key) bool {
			is, err := other.Reserved(ctx, key)
			require.NoError(t, err)
			return is
		}
		assert.False(t, reserved(jane))
		assert.True(t, reserve(one, jane, time.Hour))
		assert.True(t, reserved(jane))
		assert.False(t, reserve(other, jane, time.Hour))
		assert.False(t, reserve(one, jane, time.Hour))
		assert.True(t, reserve(other, metro, time.Hour), "another kind of record")
		value, err := one.Get(ctx, jane)
		require.NoError(t, err)
		assert.Nil(t, value)
		require.NoError(t, roundTrip(one, "jane"))
		assert.True(t, reserved(jane))
		require.NoError(t, one.Drop(ctx, jane))
		assert.True(t, reserved(jane))
		require.NoError(t, one.Unreserve(ctx, jane))
		assert.False(t, reserved(jane))
		require.NoError(t, one.Unreserve(ctx, jane))
		assert.True(t, reserve(other, jane, time.Hour))
	})
	t.Run("expires", func(t *testing.T) {
		store := openStore(t, Config{URL: servertest.StartRedis(t).URL(), Timeout: 10 * time.Second})
		key := membership.Key{Kind: membership.UserRecord, ID: "jane"}
		ok, err := store.Reserve(t.Context(), key, 5*time.Millisecond)
		require.NoError(t, err)
		require.True(t, ok)
		require.Eventually(t, func() bool {
			is, err := store.Reserved(t.Context(), key)
			return err == nil && !is
		}, servertest.Timeout, servertest.PollInterval)
	})
}
