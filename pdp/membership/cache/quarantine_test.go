package cache

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

func TestQuarantine(t *testing.T) {
	for name, record := range map[string]string{
		"an unknown location": fixture.Nurse("jane", "ed_normal", "nowhere"),
		"an unknown role":     fixture.Nurse("jane", "boss", "ghi"),
		"no default":          `{"id":"jane","assignments":[{"location":"ghi","role":"ed_normal"}]}`,
		"an unknown member":   `{"id":"jane","boss":true}`,
		"another id":          fixture.Nurse("john", "ed_normal", "ghi"),
		"no object":           `[]`,
		"no id":               `{}`,
		"a wrong type":        `{"id":"jane","status":1}`,
		"no group":            `{"id":"jane","assignments":[{"location":"clinic","role":"owner"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
				var log bytes.Buffer
				p := h.connect()
				c := openCache(t, o, p, func(cfg *Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
				waitHeartbeat()
				assertRole(t, c, "jane", "ed_normal")
				o.setUser("jane", record)
				announceUser(t, c, "jane")
				for range 3 {
					assertFails(t, c, "jane", pdp.Unavailable)
				}
				assert.Equal(t, []string{`user "jane"`}, c.Status().Quarantined)
				assert.Equal(t, 1, bytes.Count(log.Bytes(), []byte("record quarantined")))
				waitHeartbeat()
				other := openCache(t, o, h.connect(), nil)
				waitHeartbeat()
				assertFails(t, other, "jane", pdp.Unavailable)
				o.setUser("jane", fixture.Nurse("jane", "ed_normal", "ghi"))
				announceUser(t, c, "jane")
				assertRole(t, c, "jane", "ed_normal")
				assert.Empty(t, c.Status().Quarantined)
			})
		})
	}
}

func TestQuarantinedOrganizationFailsItsQuestions(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		o.setUser("olga", `{"id":"olga","assignments":[{"location":"smile","role":"owner"}]}`)
		c := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		assertRole(t, c, "jane", "ed_normal")
		assertRole(t, c, "olga", "owner")
		o.setLocations(fakeLocation{ID: "jkl", Kind: "practice", Parent: "north"})
		_, err := c.Announce(t.Context(), []pdp.Change{{Kind: pdp.LocationChanged, ID: "jkl"}})
		require.NoError(t, err)
		assertFails(t, c, "jane", pdp.Unavailable)
		assertRole(t, c, "olga", "owner")
		assert.Equal(t, []string{`organization "metro"`}, c.Status().Quarantined)
		o.setLocations(fakeLocation{ID: "jkl", Kind: "facility", Parent: "north"})
		_, err = c.Announce(t.Context(), []pdp.Change{{Kind: pdp.LocationChanged, ID: "jkl"}})
		require.NoError(t, err)
		assertRole(t, c, "jane", "ed_normal")
		assert.Empty(t, c.Status().Quarantined)
	})
}

func TestQuarantineExpires(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, _ *sharedTier) {
		c := openCache(t, o, nil, nil)
		o.setUser("jane", fixture.Nurse("jane", "boss", "ghi"))
		assertFails(t, c, "jane", pdp.Unavailable)
		time.Sleep(9 * time.Minute)
		require.NotEmpty(t, c.Status().Quarantined)
		time.Sleep(2 * time.Minute)
		assert.Empty(t, c.Status().Quarantined)
	})
}
