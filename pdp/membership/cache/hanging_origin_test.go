package cache

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

// The cache stops waiting early enough to answer with a cached record.
func TestHangingOriginDoesNotUseUpTheDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		o.setUser("joe", fixture.Nurse("joe", "ed_admin", "ghi"))
		c := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		assertRole(t, c, "jane", "ed_normal")
		assertRole(t, c, "joe", "ed_admin")
		o.set(func() { o.delay = time.Hour })
		h.set(func() { h.down = true })
		waitHeartbeat()
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			v, err := c.View(ctx, facts.Requirement{})
			require.NoError(t, err)
			for _, id := range []string{"jane", "joe"} {
				u, err := v.User(ctx, id)
				require.NoError(t, err)
				require.NotNil(t, u)
				assert.NoError(t, ctx.Err())
			}
			cancel()
		}
		assert.Positive(t, c.Status().Fallbacks)
		time.Sleep(5 * time.Second)
		assertFails(t, c, "jane", pdp.Unavailable)
	})
}
