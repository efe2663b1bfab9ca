package cache

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/freshness"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// restore sets the origin back to an earlier version in another history, and replaces Jane's record.
func (o *fakeOrigin) restore(history string, version uint64, rec string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.history, o.version = history, version
	for key := range o.versions {
		o.versions[key] = version
	}
	o.users["jane"] = json.RawMessage(rec)
}

// Records of a restored database are used at once, even though their versions are lower.
func TestRestoredSourceIsReadAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		o.set(func() { o.history = "one" })
		for range 5 {
			o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		}
		c, hear := openWatched(t, o, h.connect(), true, nil)
		hear.Began(time.Now(), "one")
		waitHeartbeat()
		assertRole(t, c, "jane", "ed_admin")
		require.True(t, isConfirmed(t, c, "jane"))

		o.restore("two", 1, fixture.Nurse("jane", "ed_normal", "ghi"))
		hear.Changed([]pdp.Change{{Kind: pdp.AnythingChanged}}) // the subscription still belongs to the former history
		assertRole(t, c, "jane", "ed_normal")
		assert.False(t, isConfirmed(t, c, "jane"), "its history is not the watched one")
		hear.Lost(errDown)
		hear.Began(time.Now(), "two")
		time.Sleep(time.Millisecond)
		assertRole(t, c, "jane", "ed_normal")
		assert.True(t, isConfirmed(t, c, "jane"))
		assert.Zero(t, c.Status().Failures)

		// Versions that were used before are accepted again.
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		hear.Changed(userChange("jane", o.current("jane")))
		assertRole(t, c, "jane", "ed_admin")
	})
}

// From the next fetch on, shared values of the former history are ignored.
func TestRestoredSourceIsFoundByNextFetch(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		var log bytes.Buffer
		o.set(func() { o.history = "one" })
		for range 5 {
			o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		}
		first := openCache(t, o, h.connect(), func(cfg *Config) {
			cfg.Announced, cfg.Logger = false, slog.New(slog.NewTextHandler(&log, nil))
		})
		second := openCache(t, o, h.connect(), func(cfg *Config) { cfg.Announced = false })
		waitHeartbeat()
		assertRole(t, first, "jane", "ed_admin")
		assertRole(t, second, "jane", "ed_admin")
		waitHeartbeat()
		o.restore("two", 1, fixture.Nurse("jane", "ed_normal", "ghi"))
		time.Sleep(5 * time.Second)
		assertRole(t, first, "jane", "ed_normal")
		waitHeartbeat()
		assertRole(t, second, "jane", "ed_normal")
		waitHeartbeat()
		s, _, err := record.Unpack(membership.Key{Kind: membership.UserRecord, ID: "jane"}, h.stored(membership.Key{Kind: membership.UserRecord, ID: "jane"}))
		require.NoError(t, err)
		assert.Equal(t, "two", s.History)
		assert.Equal(t, 1, strings.Count(log.String(), "another history"))
		assert.Zero(t, first.Status().Failures)
	})
}

// Another installation may use the same prefix. Only the history of the origin counts.
func TestSharedRecordOfAnotherDatabaseIsIgnored(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		o.set(func() { o.history = "ours" })
		other := newFakeOrigin()
		other.set(func() { other.history = "theirs" })
		for range 5 {
			other.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
			other.setUser("joe", fixture.Nurse("joe", "ed_admin", "ghi"))
		}
		ours, theirs := openCache(t, o, h.connect(), nil), openCache(t, other, h.connect(), nil)
		waitHeartbeat()
		o.setUser("ann", fixture.Nurse("ann", "ed_normal", "ghi"))
		assertRole(t, ours, "ann", "ed_normal") // the cache now knows the history of its origin
		assertRole(t, theirs, "jane", "ed_admin")
		assertRole(t, theirs, "joe", "ed_admin")
		waitHeartbeat()
		assertRole(t, ours, "jane", "ed_normal")
		assertRole(t, ours, "joe", "")
	})
}

// The conflict is counted.
func TestLaterFetchWinsUnderSameVersion(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		var log bytes.Buffer
		c := openCache(t, o, h.connect(), func(cfg *Config) {
			cfg.Announced, cfg.Logger = false, slog.New(slog.NewTextHandler(&log, nil))
		})
		waitHeartbeat()
		assertRole(t, c, "jane", "ed_normal")
		for i, role := range []string{"ed_admin", "ed_normal", "ed_admin"} {
			o.set(func() { o.users["jane"] = json.RawMessage(fixture.Nurse("jane", role, "ghi")) })
			time.Sleep(6 * time.Second)
			assertRole(t, c, "jane", role)
			assert.EqualValues(t, i+1, c.Status().Conflicts)
		}
		assert.Equal(t, 1, strings.Count(log.String(), "has changed without its version"), "at most once in a minute")
		waitHeartbeat()
		other := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		assertRole(t, other, "jane", "ed_admin")
	})
}

func TestInvalidHistoriesAreRefused(t *testing.T) {
	for _, history := range []string{strings.Repeat("h", membership.MaxHistory+1), "a\n", "é"} {
		inBubble(t, func(t *testing.T, o *fakeOrigin, _ *sharedTier) {
			c := openCache(t, o, nil, nil)
			o.set(func() { o.history = history })
			assertFails(t, c, "jane", pdp.Unavailable)
			o.set(func() { o.history = strings.Repeat("~", membership.MaxHistory) })
			assertRole(t, c, "jane", "ed_normal")
		})
	}
}

func TestRecordFetchedBeforeSuspensionIsStale(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, _ *sharedTier) {
		c := openCache(t, o, nil, nil)
		n := requirement{validator: c.validator.Load(), maxAge: 5 * time.Second, since: c.tracker.NextOrder()}
		e, err := c.user(t.Context(), n, "jane")
		require.NoError(t, err)
		require.Equal(t, freshness.Fresh, c.check(e, n))
		suspended := &entry{Provenance: e.Provenance, validator: e.validator, user: e.user}
		suspended.AsOf = time.Now().Add(-time.Minute) // the machine was suspended during the fetch
		assert.Equal(t, freshness.Stale, c.check(suspended, n))
		assert.False(t, c.fetchedForView(suspended, n))
	})
}
