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

// skewed is a port of a sidecar that takes the shared clock to be another one.
type skewed struct {
	*port
	ahead   time.Duration
	unknown bool
}

func (s *skewed) Now() time.Time {
	if s.unknown {
		return time.Time{}
	}
	return time.Now().Add(s.ahead)
}

// TestRecordFromTheFutureIsNotShared is not taken for a new one for as long as it takes to come: a clock was, or is, wrong.
func TestRecordFromTheFutureIsNotShared(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		ahead := &skewed{port: h.port(), ahead: time.Hour}
		first := openFake(t, o, nil, func(cfg *Config) { cfg.Store, cfg.Stream = ahead, ahead })
		second := openFake(t, o, nil, func(cfg *Config) { tier := h.port(); cfg.Store, cfg.Stream = tier, tier })
		settled()
		sees(t, first, "jane", "ed_normal")
		settled()
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		time.Sleep(time.Minute)
		role, err := seen(t, second, "jane", facts.Requirement{ReadOnly: true})
		require.NoError(t, err)
		assert.Equal(t, "ed_admin", role)
		assert.Positive(t, second.Status().Refused)
	})
}

// TestSharedRecordOfAnotherEpochIsIgnored are not taken, however young they look: their age is by a clock that may have been set back.
func TestSharedRecordOfAnotherEpochIsIgnored(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		first := openFake(t, o, h.port(), func(cfg *Config) { cfg.Announced = false })
		settled()
		sees(t, first, "jane", "ed_normal")
		settled()
		require.NotEmpty(t, h.values)
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		h.set(func() { h.epoch++ })
		second := openFake(t, o, h.port(), func(cfg *Config) { cfg.Announced = false })
		settled()
		sees(t, second, "jane", "ed_admin")
	})
}

// TestNothingIsSharedWithoutClock nothing is shared: nobody could say how old it is.
func TestNothingIsSharedWithoutClock(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		blind := &skewed{port: h.port(), unknown: true}
		first := openFake(t, o, nil, func(cfg *Config) { cfg.Store, cfg.Stream = blind, blind })
		settled()
		sees(t, first, "jane", "ed_normal")
		version := o.setUser("joe", fixture.Nurse("joe", "ed_normal", "ghi"))
		_, err := first.Announce(t.Context(), []pdp.Change{{Kind: pdp.UserChanged, ID: "joe", Version: version, Record: []byte(fixture.Nurse("joe", "ed_normal", "ghi"))}})
		require.NoError(t, err)
		settled()
		assert.Empty(t, h.values)
		second := openFake(t, o, nil, func(cfg *Config) { tier := h.port(); cfg.Store, cfg.Stream = tier, tier })
		settled()
		sees(t, second, "jane", "ed_normal")
		settled()
		assert.NotEmpty(t, h.values)
		first.memory.drop(membership.Key{Kind: membership.UserRecord, ID: "jane"})
		asked := o.questions()
		sees(t, first, "jane", "ed_normal")
		assert.Greater(t, o.questions(), asked)
	})
}
