package cache

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/redisstore"
)

func TestRecordIsReadFromSharedStore(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		first, second := openCache(t, o, h.connect(), nil), openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		assertRole(t, first, "jane", "ed_normal")
		waitHeartbeat()
		asked := o.requestCount()
		assertRole(t, second, "jane", "ed_normal")
		assert.Equal(t, asked, o.requestCount())
	})
}

func TestInvalidSharedValueIsRefused(t *testing.T) {
	jane := membership.Key{Kind: membership.UserRecord, ID: "jane"}
	for name, spoil := range map[string]func(t *testing.T, o *fakeOrigin, h *sharedTier){
		"garbage": func(_ *testing.T, _ *fakeOrigin, h *sharedTier) { h.values[jane] = []byte("garbage") },
		"empty":   func(_ *testing.T, _ *fakeOrigin, h *sharedTier) { h.values[jane] = []byte{} },
		"cut off": func(_ *testing.T, _ *fakeOrigin, h *sharedTier) {
			h.values[jane] = h.values[jane][:len(h.values[jane])-3]
		},
		"flipped": func(_ *testing.T, _ *fakeOrigin, h *sharedTier) {
			spoilt := bytes.Clone(h.values[jane])
			spoilt[len(spoilt)-5] ^= 1
			h.values[jane] = spoilt
		},
		"somebody else's": func(_ *testing.T, _ *fakeOrigin, h *sharedTier) {
			h.values[jane] = h.values[membership.Key{Kind: membership.UserRecord, ID: "joe"}]
		},
		"an organization": func(_ *testing.T, _ *fakeOrigin, h *sharedTier) {
			h.values[jane] = h.values[membership.Key{Kind: membership.OrganizationRecord, ID: "metro"}]
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
				o.setUser("joe", fixture.Nurse("joe", "ed_normal", "ghi"))
				first := openCache(t, o, h.connect(), nil)
				waitHeartbeat()
				assertRole(t, first, "jane", "ed_normal")
				assertRole(t, first, "joe", "ed_normal")
				waitHeartbeat()
				require.NotNil(t, h.stored(jane))
				h.set(func() { spoil(t, o, h) })
				var log bytes.Buffer
				second := openCache(t, o, h.connect(), func(cfg *Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
				waitHeartbeat()
				assertRole(t, second, "jane", "ed_normal")
				assert.Contains(t, log.String(), "shared cache")
				assert.NotContains(t, log.String(), "example.org")
			})
		})
	}
}

func TestOlderSharedValueIsIgnored(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		jane := membership.Key{Kind: membership.UserRecord, ID: "jane"}
		c := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		assertRole(t, c, "jane", "ed_normal")
		waitHeartbeat()
		old := h.stored(jane)
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		announceUser(t, c, "jane")
		assertRole(t, c, "jane", "ed_admin")
		waitHeartbeat()
		h.set(func() { h.values[jane] = old })
		c.memory.drop(jane)
		assertRole(t, c, "jane", "ed_admin")
		other := openCache(t, o, h.connect(), nil) // it receives the announcement in the tail of the stream
		waitHeartbeat()
		h.set(func() { h.values[jane] = old })
		assertRole(t, other, "jane", "ed_admin")
	})
}

func TestSharedValueFromTheFutureIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		ahead := h.connect()
		ahead.skew = time.Hour
		first, second := openCache(t, o, ahead, nil), openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		assertRole(t, first, "jane", "ed_normal")
		waitHeartbeat()
		asked := o.requestCount()
		assertRole(t, second, "jane", "ed_normal")
		assert.Greater(t, o.requestCount(), asked)
		assert.NotZero(t, second.Status().Refused)
	})
}

// Usernames are personal, so no key of the shared store may contain one.
func TestUsernamesAreNotShared(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		v, err := c.View(t.Context(), facts.Requirement{})
		require.NoError(t, err)
		u, err := v.UserByUsername(t.Context(), "jane@example.org")
		require.NoError(t, err)
		require.NotNil(t, u)
		waitHeartbeat()
		h.mu.Lock()
		defer h.mu.Unlock()
		assert.Contains(t, h.values, membership.Key{Kind: membership.UserRecord, ID: "jane"})
		for key := range h.values {
			assert.NotEqual(t, membership.UsernamePointer, key.Kind)
		}
	})
}

func TestKeysInRedis(t *testing.T) {
	keys := redisstore.NewKeys("wk1", false)
	assert.Equal(t, "wk1:o3:{5:metro}", keys.Name(membership.Key{Kind: membership.OrganizationRecord, ID: "metro"}))
	assert.Equal(t, "wk1:u3:{4:jane}", keys.Name(membership.Key{Kind: membership.UserRecord, ID: "jane"}))
	seen := map[string]membership.Key{}
	for _, kind := range []membership.Kind{membership.UserRecord, membership.OrganizationRecord, membership.UsernamePointer, membership.LocationPointer} {
		for _, id := range []string{"a", "1:a", "a}", "{a}", "a:{1:a}", ":", "}", "{"} {
			name := keys.Name(membership.Key{Kind: kind, ID: id})
			assert.NotContains(t, seen, name)
			seen[name] = membership.Key{Kind: kind, ID: id}
		}
	}
}
