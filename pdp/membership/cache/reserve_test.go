package cache

import (
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

// fleetOf opens sidecars that share a tier and follow its stream.
func fleetOf(t *testing.T, size int, o *fakeOrigin, h *sharedTier) (sidecars []*Cache) {
	for range size {
		sidecars = append(sidecars, openCache(t, o, h.connect(), func(cfg *Config) { cfg.Logger = slog.New(slog.DiscardHandler) }))
	}
	waitHeartbeat()
	return sidecars
}

// askAll asks all sidecars for Jane's role at once, and returns how long the last answer took.
func askAll(t *testing.T, sidecars []*Cache, role string) time.Duration {
	t.Helper()
	began := time.Now()
	var asking sync.WaitGroup
	for _, c := range sidecars {
		asking.Go(func() {
			got, err := roleOf(t, c, "jane", facts.Requirement{})
			assert.NoError(t, err)
			assert.Equal(t, role, got)
		})
	}
	asking.Wait()
	return time.Since(began)
}

// Whether a record is new, has changed or must be confirmed anew, one sidecar fetches it for all.
func TestOneSidecarFetchesForAll(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		sidecars := fleetOf(t, 50, o, h)
		o.set(func() { o.delay = 20 * time.Millisecond })
		asked := func(role string) int {
			before := o.requestCount()
			askAll(t, sidecars, role)
			return o.requestCount() - before
		}
		assert.Equal(t, 2, asked("ed_normal"), "Jane, and her organization")
		for i := range 10 {
			role := []string{"ed_admin", "ed_normal"}[i%2]
			o.setUser("jane", fixture.Nurse("jane", role, "ghi"))
			announceUser(t, sidecars[i], "jane")
			synctest.Wait()
			assert.Equal(t, 1, asked(role))
		}
		_, err := sidecars[0].Announce(t.Context(), []pdp.Change{{Kind: pdp.LocationChanged, ID: "ghi", Organization: "metro"}})
		require.NoError(t, err)
		synctest.Wait()
		assert.Equal(t, 1, asked("ed_normal"), "the organization")
		h.wipe()
		time.Sleep(2 * time.Second) // positions of two epochs are not compared, but times
		assert.Equal(t, 2, asked("ed_normal"), "another epoch of the stream")
		for _, c := range sidecars {
			assert.Zero(t, c.Status().Overdue)
		}
	})
}

// The leader fetches what has changed and is in use, before anybody asks.
func TestLeaderFetchesWhatHasChanged(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		sidecars := fleetOf(t, 5, o, h)
		leads := true
		sidecars = append(sidecars, openCache(t, o, h.connect(), func(cfg *Config) {
			cfg.Logger, cfg.Leads = slog.New(slog.DiscardHandler), func() bool { return leads }
		}))
		waitHeartbeat()
		o.setUser("joe", fixture.Nurse("joe", "ed_normal", "ghi"))
		askAll(t, sidecars, "ed_normal")
		waitHeartbeat()
		change := func(id, role string) {
			o.setUser(id, fixture.Nurse(id, role, "ghi"))
			_, err := h.connect().Announce(t.Context(), userChange(id, 0)) // by the sidecar that listens to the origin
			require.NoError(t, err)
			waitHeartbeat()
		}
		before := o.requestCount()
		asked := func() int { return o.requestCount() - before }
		change("jane", "ed_admin")
		assert.Equal(t, 1, asked())
		askAll(t, sidecars, "ed_admin")
		assert.Equal(t, 1, asked())
		change("joe", "ed_admin")
		assert.Equal(t, 1, asked(), "nobody needs this one")
		_, err := sidecars[0].Announce(t.Context(), []pdp.Change{{Kind: pdp.LocationChanged, ID: "ghi", Organization: "metro"}, {Kind: pdp.LocationChanged, ID: "p1", Organization: "grp"}})
		require.NoError(t, err)
		waitHeartbeat()
		assert.Equal(t, 2, asked())
		askAll(t, sidecars, "ed_admin")
		assert.Equal(t, 2, asked())
		leads = false
		change("jane", "ed_normal")
		assert.Equal(t, 2, asked())
	})
}

// Who announces a change fetches the record for all, although everybody asks as soon as the change is announced.
func TestWhoAnnouncesAChangeFetchesTheRecord(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		b := &busy{sidecars: map[int]int{}}
		var sidecars []*Cache
		for i := range 20 {
			sidecars = append(sidecars, openCache(t, o, h.connect(), func(cfg *Config) {
				cfg.Logger, cfg.Origin = slog.New(slog.DiscardHandler), busyOrigin{o, i, b}
			}))
		}
		waitHeartbeat()
		askAll(t, sidecars, "ed_normal")
		announcer := sidecars[7]
		change := func(id, role string) {
			o.setUser(id, fixture.Nurse(id, role, "ghi"))
			announcer.Announcing(userChange(id, 0))
			_, err := h.clients[7].Announce(t.Context(), userChange(id, 0))
			require.NoError(t, err)
		}
		b.sidecars = map[int]int{}
		o.set(func() { o.delay = 20 * time.Millisecond })
		for i := range 10 {
			role := []string{"ed_admin", "ed_normal"}[i%2]
			change("jane", role)
			synctest.Wait()
			assert.LessOrEqual(t, askAll(t, sidecars, role), 60*time.Millisecond)
		}
		assert.Equal(t, map[int]int{7: 10}, b.sidecars)
		change("nobody knows", "ed_normal")
		waitHeartbeat()
		assert.Equal(t, map[int]int{7: 10}, b.sidecars)
		assert.Empty(t, h.reserved)

		// It does not tell of what it has reserved, or ends: others fetch it soon.
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		announcer.Announcing(userChange("jane", 0))
		synctest.Wait()
		announceUser(t, sidecars[1], "jane")
		require.NoError(t, announcer.Close())
		synctest.Wait()
		rest := slices.Delete(slices.Clone(sidecars), 7, 8)
		assert.LessOrEqual(t, askAll(t, rest, "ed_admin"), 2*time.Second/waitShare)
	})
}

// Sidecars do not wait longer than allowed, whatever becomes of the one that has reserved the fetch.
func TestSidecarsDoNotDependOnWhoReserved(t *testing.T) {
	const most = 2 * time.Second / waitShare
	change := func(o *fakeOrigin, c *Cache) {
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		announceUser(t, c, "jane")
		synctest.Wait()
	}
	for name, one := range map[string]struct {
		disturb func(o *fakeOrigin, h *sharedTier)
		most    time.Duration
		fetches int
	}{
		"it ends": {func(_ *fakeOrigin, h *sharedTier) {
			h.reserved[membership.Key{Kind: membership.UserRecord, ID: "jane"}] = time.Now().Add(2 * time.Second / reservedShare)
		}, most, 1}, // by the one that takes its place
		"somebody without rights has reserved it": {func(_ *fakeOrigin, h *sharedTier) {
			h.reserved[membership.Key{Kind: membership.UserRecord, ID: "jane"}] = time.Now().Add(time.Hour)
		}, most + 2*maxWaitPause, 20},
		"the source hangs for one": {func(o *fakeOrigin, _ *sharedTier) {
			var first atomic.Bool
			o.onRequest = func(membership.Key) {
				if !first.Swap(true) {
					time.Sleep(time.Second)
				}
			}
		}, time.Second, 2},
		"reservations are lost": {func(_ *fakeOrigin, h *sharedTier) {
			for _, p := range h.clients {
				p.forgetful = true
			}
		}, 0, 20},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
				sidecars := fleetOf(t, 20, o, h)
				askAll(t, sidecars, "ed_normal")
				change(o, sidecars[0])
				one.disturb(o, h)
				before := o.requestCount()
				assert.LessOrEqual(t, askAll(t, sidecars, "ed_admin"), one.most)
				assert.LessOrEqual(t, o.requestCount()-before, one.fetches)
			})
		})
	}
}

// What one sidecar fetched before it heard of a change is not what another one uses that has heard of it.
func TestSidecarThatIsBehindFetchesForItselfAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		behind, ahead := openCache(t, o, h.connect(), nil), openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		o.set(func() { o.delay = 20 * time.Millisecond })
		go func() { _, _ = roleOf(t, behind, "jane", facts.Requirement{}) }()
		time.Sleep(10 * time.Millisecond)
		o.set(func() { o.users["jane"] = json.RawMessage(fixture.Nurse("jane", "ed_admin", "ghi")) })
		announceUser(t, ahead, "jane")
		began := time.Now()
		assertRole(t, ahead, "jane", "ed_admin")
		assert.Less(t, time.Since(began), 100*time.Millisecond)
	})
}

// A user who is gone is not shared: each sidecar asks, one after another, and none waits too long.
func TestAbsentUserIsFetchedByAll(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		sidecars := fleetOf(t, 5, o, h)
		o.set(func() { o.delay = 5 * time.Millisecond })
		askAll(t, sidecars, "ed_normal")
		o.setUser("jane", "")
		announceUser(t, sidecars[0], "jane")
		synctest.Wait()
		before := o.requestCount()
		assert.Less(t, askAll(t, sidecars, ""), 150*time.Millisecond)
		assert.Equal(t, 5, o.requestCount()-before)
	})
}
