package cache

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/fleetkey"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

func fleetKey(t testing.TB, lines ...string) *fleetkey.Keys {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fleet.key")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600))
	keys, err := fleetkey.Open(path, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return keys
}

// A token that was not made with the fleet's key is refused if it was forged. If it may have been made by a sidecar with
// another key or with none, its position is not believed: the question is decided by what is fetched for it.
func TestTokensOfAnnouncementsAreSigned(t *testing.T) {
	a, b := strings.Repeat("a1", 32), strings.Repeat("b2", 32)
	keys := map[string]*fleetkey.Keys{"": nil}
	for _, lines := range []string{a, b, a + "\n" + b, b + "\n" + a} {
		keys[lines] = fleetKey(t, lines)
	}
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		open := func(lines string) *Cache {
			return openCache(t, o, h.connect(), func(cfg *Config) { cfg.FleetKey = keys[lines] })
		}
		asked, none, old, next, other := open(a), open(""), open(a+"\n"+b), open(b+"\n"+a), open(b)
		waitHeartbeat()
		token := func(c *Cache) string {
			token, err := c.Announce(t.Context(), []pdp.Change{{Kind: pdp.UserChanged, ID: "john"}})
			require.NoError(t, err)
			waitHeartbeat()
			return token
		}
		o.setUser("john", fixture.Nurse("john", "ed_normal", "ghi"))
		assertRole(t, asked, "jane", "ed_normal")
		for name, c := range map[string]struct {
			at      *Cache
			token   string
			fetched int
			refused bool
		}{
			"its own":                          {at: asked, token: token(asked)},
			"of the step before":               {at: next, token: token(old), fetched: -1},
			"of the step after":                {at: old, token: token(next), fetched: -1},
			"of a sidecar without a key":       {at: asked, token: token(none), fetched: 1},
			"of another key":                   {at: asked, token: token(other), fetched: 1},
			"signed, at one without":           {at: none, token: token(asked), fetched: -1},
			"with another position":            {at: asked, token: "zz" + token(asked), refused: true},
			"with another signature":           {at: asked, token: strings.TrimRight(token(asked), "AEIMQUYcgkosw048") + "A", refused: true},
			"with a line break":                {at: asked, token: token(asked) + "\r\n", refused: true},
			"with a signature that is no text": {at: asked, token: token(asked) + "!", refused: true},
		} {
			if c.fetched == -1 { // not in memory yet
				assertRole(t, c.at, "jane", "ed_normal")
				c.fetched = 0
			}
			before := o.requestCount()
			role, err := roleOf(t, c.at, "jane", facts.Requirement{AtLeast: []string{c.token}})
			if c.refused {
				assert.Equal(t, pdp.Invalid, pdp.KindOf(err), name)
				continue
			}
			require.NoError(t, err, name)
			assert.Equal(t, "ed_normal", role)
			assert.Equal(t, c.fetched > 0, o.requestCount() > before, name)
		}
	})
}

func FuzzToken(f *testing.F) {
	c := &Cache{cfg: Config{FleetKey: fleetKey(f, strings.Repeat("a1", 32))}}
	at := membership.Position{Epoch: "e", Sequence: 7}
	f.Add(c.formatToken(at))
	f.Add("7~e")
	f.Fuzz(func(t *testing.T, token string) {
		if got, proven, err := c.parseToken(token); err == nil && proven {
			require.Equal(t, at, got)
			require.Equal(t, c.formatToken(at), token)
		}
		if got, _, err := new(Cache).parseToken(token); err == nil {
			require.NotEmpty(t, got.Epoch)
		}
	})
}
