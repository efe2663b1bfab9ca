package cache

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

// A view returns no record that is invalid under its initial vocabulary, whichever view fetched the record. It refuses a
// valid record only if the vocabulary changes constantly.
func TestViewKeepsItsVocabulary(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		o.set(func() { o.delay = time.Millisecond })
		quiet := func(cfg *Config) { cfg.Logger = slog.New(slog.DiscardHandler) }
		sidecars := []*Cache{openCache(t, o, h.connect(), quiet), openCache(t, o, h.connect(), quiet)}
		waitHeartbeat()
		less := fixture.Vocabulary()
		less.Roles["facility"] = []string{"ed_admin"}
		stop := make(chan struct{})
		var acting sync.WaitGroup
		act := func(most time.Duration, f func()) {
			acting.Go(func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(rand.N(most)):
						f()
					}
				}
			})
		}
		var given, refused atomic.Int64
		check := func(admitted bool, u *facts.User, err error) {
			switch {
			case u != nil:
				given.Add(1)
				assert.True(t, admitted)
				assert.NoError(t, err)
			default:
				refused.Add(1)
				assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
				assert.True(t, !admitted || errors.Is(err, errChanging), "%v", err)
			}
		}
		for _, c := range sidecars {
			act(5*time.Millisecond, func() { c.SetVocabulary([]pdp.Vocabulary{fixture.Vocabulary(), less}[rand.IntN(2)]) })
			act(20*time.Millisecond, func() {
				_, err := c.Announce(t.Context(), []pdp.Change{{Kind: pdp.UserChanged, ID: "jane"}})
				assert.NoError(t, err)
			})
			for range 4 {
				act(3*time.Millisecond, func() {
					view, err := c.View(t.Context(), facts.Requirement{ReadOnly: rand.IntN(2) == 0})
					require.NoError(t, err)
					admitted := slices.Contains(view.(*cachedView).need.validator.Vocabulary.Roles["facility"], "ed_normal")
					time.Sleep(rand.N(3 * time.Millisecond))
					u, err := view.User(t.Context(), "jane")
					check(admitted, u, err)
					u, err = view.UserByUsername(t.Context(), "Jane@example.org")
					check(admitted, u, err)
				})
			}
		}
		seconds := 10
		if testing.Short() {
			seconds = 2
		}
		time.Sleep(time.Duration(seconds) * time.Second)
		close(stop)
		acting.Wait()
		assert.Greater(t, given.Load(), int64(100*seconds))
		assert.Greater(t, refused.Load(), int64(100*seconds))
	})
}
