package redisstore

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// Sidecars have so many slots together. Those who find none request records of those who have one, in this order and once each.
func TestSlotsAndRequests(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		ctx := context.Background()
		one, other := openStore(t, Config{URL: url, Timeout: 10 * time.Second}), openStore(t, Config{URL: url, Timeout: 10 * time.Second})
		user := func(id string) membership.Key { return membership.Key{Kind: membership.UserRecord, ID: id} }
		take := func(s *Store, name, request string) bool {
			key := membership.Key{}
			if request != "" {
				key = user(request)
			}
			taken, err := s.TakeSlot(ctx, name, 2, time.Minute, key)
			require.NoError(t, err)
			return taken
		}
		next := func(s *Store, name string, last bool) string {
			key, err := s.NextRequest(ctx, name, time.Minute, last)
			require.NoError(t, err)
			if key.ID != "" {
				assert.Equal(t, membership.UserRecord, key.Kind)
			}
			return key.ID
		}
		assert.True(t, take(one, "a", "joe"))
		assert.False(t, take(one, "", "joe"), "a name is needed")
		time.Sleep(2 * time.Millisecond) // the order is that of milliseconds
		assert.True(t, take(other, "b", ""))
		for _, request := range []string{"jane", "", "{}:\x00ü", "joe", "jane"} {
			assert.False(t, take(other, "c", request))
			time.Sleep(2 * time.Millisecond)
		}
		assert.Equal(t, "joe", next(one, "a", false))
		assert.False(t, take(other, "c", "jim"))
		assert.Equal(t, "jane", next(other, "b", true))
		assert.Equal(t, "{}:\x00ü", next(one, "a", true))
		assert.Equal(t, "jim", next(one, "a", true))
		assert.Empty(t, next(one, "a", false))
		assert.False(t, take(other, "c", ""))
		assert.Empty(t, next(one, "a", true), "it is returned")
		assert.False(t, take(one, "", "joe"))
		assert.False(t, take(one, "", "jim"))
		assert.True(t, take(other, "c", "joe"))
		assert.Equal(t, "jim", next(other, "b", false), "who has a slot does not need the other request")
		_, err := one.NextRequest(ctx, "a", time.Minute, false)
		assert.ErrorIs(t, err, membership.ErrNoSlot)
		assert.Empty(t, next(other, "b", false))
	})
	t.Run("they expire", func(t *testing.T) {
		store := openStore(t, Config{URL: servertest.StartRedis(t).URL(), Timeout: 10 * time.Second})
		take := func(name string, most time.Duration) bool {
			taken, err := store.TakeSlot(t.Context(), name, 1, most, membership.Key{Kind: membership.UserRecord, ID: name})
			require.NoError(t, err)
			return taken
		}
		require.True(t, take("a", 5*time.Millisecond))
		require.Eventually(t, func() bool { return take("b", 5*time.Millisecond) }, servertest.Timeout, servertest.PollInterval)
		_, err := store.NextRequest(t.Context(), "a", time.Minute, false)
		assert.ErrorIs(t, err, membership.ErrNoSlot)
		require.Eventually(t, func() bool { return take("c", time.Minute) }, servertest.Timeout, servertest.PollInterval)
		require.False(t, take("d", 5*time.Millisecond))
		time.Sleep(20 * time.Millisecond)
		key, err := store.NextRequest(t.Context(), "c", 5*time.Millisecond, true)
		require.NoError(t, err)
		assert.Empty(t, key, "nobody waits for it any more")
	})
	t.Run("the clock is set back", func(t *testing.T) {
		server := servertest.StartRedis(t)
		store := openStore(t, Config{URL: server.URL(), Timeout: 10 * time.Second})
		taken := func() bool {
			ok, err := store.TakeSlot(t.Context(), "b", 1, time.Minute, membership.Key{})
			require.NoError(t, err)
			return ok
		}
		set := func(until time.Time) {
			require.NoError(t, server.Client().Do(t.Context(), "ZADD", store.keys.slots, fmt.Sprint(until.UnixMilli()), "a").Err())
		}
		set(time.Now().Add(time.Minute))
		assert.False(t, taken())
		set(time.Now().Add(24 * time.Hour))
		assert.True(t, taken())
	})
}
