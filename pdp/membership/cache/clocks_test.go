package cache

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

// skewedClient is a client whose shared clock is ahead, or unknown.
type skewedClient struct {
	*tierClient
	ahead   time.Duration
	unknown bool
}

func (s *skewedClient) Now() time.Time {
	if s.unknown {
		return time.Time{}
	}
	return time.Now().Add(s.ahead)
}

// Such a record would look new for as long as the clock is ahead.
func TestRecordFromTheFutureIsNotShared(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		ahead := &skewedClient{tierClient: h.connect(), ahead: time.Hour}
		first := openCache(t, o, nil, func(cfg *Config) { cfg.Store, cfg.Stream = ahead, ahead })
		second := openCache(t, o, nil, func(cfg *Config) { tier := h.connect(); cfg.Store, cfg.Stream = tier, tier })
		waitHeartbeat()
		assertRole(t, first, "jane", "ed_normal")
		waitHeartbeat()
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		time.Sleep(time.Minute)
		role, err := roleOf(t, second, "jane", facts.Requirement{ReadOnly: true})
		require.NoError(t, err)
		assert.Equal(t, "ed_admin", role)
		assert.Positive(t, second.Status().Refused)
	})
}

// The age of such a record is unknown, because the clock of its epoch may have been set back.
func TestSharedRecordOfAnotherEpochIsIgnored(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		first := openCache(t, o, h.connect(), func(cfg *Config) { cfg.Announced = false })
		waitHeartbeat()
		assertRole(t, first, "jane", "ed_normal")
		waitHeartbeat()
		require.NotEmpty(t, h.values)
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		h.set(func() { h.epoch++ })
		second := openCache(t, o, h.connect(), func(cfg *Config) { cfg.Announced = false })
		waitHeartbeat()
		assertRole(t, second, "jane", "ed_admin")
	})
}

// Without the shared clock, the age of a shared record would be unknown.
func TestNothingIsSharedWithoutClock(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		blind := &skewedClient{tierClient: h.connect(), unknown: true}
		first := openCache(t, o, nil, func(cfg *Config) { cfg.Store, cfg.Stream = blind, blind })
		waitHeartbeat()
		assertRole(t, first, "jane", "ed_normal")
		version := o.setUser("joe", fixture.Nurse("joe", "ed_normal", "ghi"))
		_, err := first.Announce(t.Context(), []pdp.Change{{Kind: pdp.UserChanged, ID: "joe", Version: version, Record: []byte(fixture.Nurse("joe", "ed_normal", "ghi"))}})
		require.NoError(t, err)
		waitHeartbeat()
		assert.Empty(t, h.values)
		second := openCache(t, o, nil, func(cfg *Config) { tier := h.connect(); cfg.Store, cfg.Stream = tier, tier })
		waitHeartbeat()
		assertRole(t, second, "jane", "ed_normal")
		waitHeartbeat()
		assert.NotEmpty(t, h.values)
		first.memory.drop(membership.Key{Kind: membership.UserRecord, ID: "jane"})
		asked := o.requestCount()
		assertRole(t, first, "jane", "ed_normal")
		assert.Greater(t, o.requestCount(), asked)
	})
}
