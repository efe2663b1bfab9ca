package cache

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// They stay quarantined until only one account has the username, and are logged once.
func TestTwoUsersWithOneUsernameAreQuarantined(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		var log bytes.Buffer
		c := openCache(t, o, h.connect(), func(cfg *Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		waitHeartbeat()
		o.setUser("jane", `{"id":"jane","username":"same@example.org"}`)
		o.setUser("joe", `{"id":"joe","username":"Same@example.org"}`)
		byUsername := func() error {
			v, err := c.View(t.Context(), facts.Requirement{})
			require.NoError(t, err)
			_, err = v.UserByUsername(t.Context(), "same@example.org")
			return err
		}
		for range 3 {
			require.Equal(t, pdp.Unavailable, pdp.KindOf(byUsername()))
			v, err := c.View(t.Context(), facts.Requirement{})
			require.NoError(t, err)
			for _, id := range []string{"jane", "joe"} {
				_, err = v.User(t.Context(), id)
				require.NoError(t, err)
			}
			assert.Equal(t, []string{`username of user "jane"`}, c.Status().Quarantined)
		}
		assert.Equal(t, 1, bytes.Count(log.Bytes(), []byte("record quarantined")))
		assert.NotContains(t, log.String(), "example.org")
		for _, username := range []string{"same", "jane"} { // one user has it, and then none does
			o.setUser("jane", `{"id":"jane","username":"`+username+`@example.org"}`)
			o.setUser("joe", `{"id":"joe","username":"joe@example.org"}`)
			announceUser(t, c, "jane")
			announceUser(t, c, "joe")
			require.NoError(t, byUsername())
			assert.Empty(t, c.Status().Quarantined)
			o.setUser("jane", `{"id":"jane","username":"same@example.org"}`)
			o.setUser("joe", `{"id":"joe","username":"Same@example.org"}`)
			announceUser(t, c, "jane")
			announceUser(t, c, "joe")
			waitHeartbeat() // until the values are shared
			c.memory.drop(membership.Key{Kind: membership.UsernamePointer, ID: "same@example.org"})
			h.set(func() { clear(h.values) })
			require.Error(t, byUsername())
			require.NotEmpty(t, c.Status().Quarantined)
		}
	})
}
