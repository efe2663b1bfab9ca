package membership

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// TestAnAnnouncementThatComesLate, as one that is sent again: its record does not go before what came after it.
func TestAnAnnouncementThatComesLate(t *testing.T) {
	for name, versioned := range map[string]bool{"with versions": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
				o.unversion = !versioned
				c := openFake(t, o, h.port(), nil)
				settled()
				announce := func(role string, version uint64) {
					change := pdp.Change{Kind: pdp.UserChanged, ID: "jane", Record: []byte(nurse("jane", role, "ghi"))}
					if versioned {
						change.Version = version
					}
					_, err := c.Announce(t.Context(), []pdp.Change{change})
					require.NoError(t, err)
					settled()
				}
				first := o.setUser("jane", nurse("jane", "ed_admin", "ghi"))
				second := o.setUser("jane", nurse("jane", "ed_normal", "ghi"))
				announce("ed_normal", second)
				announce("ed_admin", first)
				sees(t, c, "jane", "ed_normal")
				other := openFake(t, o, h.port(), nil)
				settled()
				sees(t, other, "jane", "ed_normal")
				assert.Zero(t, c.Status().Failures)
			})
		})
	}
}
