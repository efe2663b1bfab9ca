package cache

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

func TestMemoryIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		const users = 500
		for i := range users {
			id := string(rune('a'+i%26)) + string(rune('a'+i/26))
			o.setUser(id, fixture.Nurse(id, "ed_normal", "ghi"))
		}
		c := openCache(t, o, h.connect(), func(cfg *Config) { cfg.Memory = 1 << 17 })
		waitHeartbeat()
		for i := range users {
			assertRole(t, c, string(rune('a'+i%26))+string(rune('a'+i/26)), "ed_normal")
		}
		held, kept := c.memory.size()
		assert.LessOrEqual(t, held, 1<<17)
		assert.Less(t, kept, users)
		assert.Greater(t, kept, 20)
	})
}

func TestAbsentRecordsDoNotEvictPresentOnes(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c := openCache(t, o, h.connect(), func(cfg *Config) { cfg.Memory = 1 << 18 })
		waitHeartbeat()
		assertRole(t, c, "jane", "ed_normal")
		for i := range 5000 {
			assertRole(t, c, fmt.Sprintf("nobody-%d", i), "")
		}
		asked := o.requestCount()
		assertRole(t, c, "jane", "ed_normal")
		assert.Equal(t, asked, o.requestCount())
		held, kept := c.memory.size()
		assert.LessOrEqual(t, held, 1<<18)
		assert.Less(t, kept, 1000)
	})
}

func TestLongRecordsCountInMemory(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		grown := func(f func()) int {
			before, _ := c.memory.size()
			f()
			after, _ := c.memory.size()
			return after - before
		}
		long := strings.Repeat("x", 1000)
		assert.Greater(t, grown(func() { assertRole(t, c, long, "") }), 1000)
		v, err := c.View(t.Context(), facts.Requirement{})
		require.NoError(t, err)
		assert.Greater(t, grown(func() {
			_, err := v.UserByUsername(t.Context(), long+"@example.org")
			require.NoError(t, err)
		}), 1000)
		assertRole(t, c, "jane", "ed_normal")
		long = strings.Repeat("x", 1<<19)
		o.setUser("joe", `{"id":"joe","name":{"given":"`+long+`"},"default_location":"ghi","assignments":[{"location":"ghi","role":"ed_normal"}]}`)
		assert.Greater(t, grown(func() { assertRole(t, c, "joe", "ed_normal") }), 1<<19)
		o.setLocations(fakeLocation{ID: "vast", Kind: "region", Model: "regional", Name: long})
		assert.Greater(t, grown(func() { require.Equal(t, "vast", organizationOf(t, c, "vast")) }), 1<<19)
		waitHeartbeat()
		other := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		assertRole(t, other, "joe", "ed_normal")
		require.Equal(t, "vast", organizationOf(t, other, "vast"))
		held, _ := other.memory.size()
		assert.Greater(t, held, 1<<20)
		assert.Positive(t, other.Status().FromShared)
	})
}

func TestTTLsVary(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, _ *sharedTier) {
		c := openCache(t, o, nil, nil)
		for absent, ttl := range map[bool]time.Duration{false: 10 * time.Minute, true: 30 * time.Second} {
			seen := map[time.Duration]bool{}
			for range 100 {
				life := c.randomTTL(absent)
				assert.InDelta(t, ttl, life, float64(ttl)/10)
				seen[life] = true
			}
			assert.Greater(t, len(seen), 50)
		}
	})
}
