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

// TestOriginThatDoesNotAnswer is not waited for with all the time that a question has, where what is kept may serve.
func TestOriginThatDoesNotAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		o.setUser("joe", fixture.Nurse("joe", "ed_admin", "ghi"))
		c := openFake(t, o, h.port(), nil)
		settled()
		sees(t, c, "jane", "ed_normal")
		sees(t, c, "joe", "ed_admin")
		o.set(func() { o.delay = time.Hour })
		h.set(func() { h.down = true })
		settled()
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
		fails(t, c, "jane", pdp.Unavailable)
	})
}
