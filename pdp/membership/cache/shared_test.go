package cache

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/redisstore"
)

func TestRecordIsReadFromSharedStore(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		first, second := openFake(t, o, h.port(), nil), openFake(t, o, h.port(), nil)
		settled()
		sees(t, first, "jane", "ed_normal")
		settled()
		asked := o.questions()
		sees(t, second, "jane", "ed_normal")
		assert.Equal(t, asked, o.questions())
	})
}

func TestInvalidSharedValueIsRefused(t *testing.T) {
	jane := membership.Key{Kind: membership.UserRecord, ID: "jane"}
	for name, spoil := range map[string]func(t *testing.T, o *fakeOrigin, h *hub){
		"garbage": func(_ *testing.T, _ *fakeOrigin, h *hub) { h.values[jane] = []byte("garbage") },
		"empty":   func(_ *testing.T, _ *fakeOrigin, h *hub) { h.values[jane] = []byte{} },
		"cut off": func(_ *testing.T, _ *fakeOrigin, h *hub) { h.values[jane] = h.values[jane][:len(h.values[jane])-3] },
		"flipped": func(_ *testing.T, _ *fakeOrigin, h *hub) {
			spoilt := bytes.Clone(h.values[jane])
			spoilt[len(spoilt)-5] ^= 1
			h.values[jane] = spoilt
		},
		"somebody else's": func(_ *testing.T, _ *fakeOrigin, h *hub) {
			h.values[jane] = h.values[membership.Key{Kind: membership.UserRecord, ID: "joe"}]
		},
		"an organization": func(_ *testing.T, _ *fakeOrigin, h *hub) {
			h.values[jane] = h.values[membership.Key{Kind: membership.OrganizationRecord, ID: "metro"}]
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
				o.setUser("joe", fixture.Nurse("joe", "ed_normal", "ghi"))
				first := openFake(t, o, h.port(), nil)
				settled()
				sees(t, first, "jane", "ed_normal")
				sees(t, first, "joe", "ed_normal")
				settled()
				require.NotNil(t, h.values[jane])
				h.set(func() { spoil(t, o, h) })
				var log bytes.Buffer
				second := openFake(t, o, h.port(), func(cfg *Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
				settled()
				sees(t, second, "jane", "ed_normal")
				assert.Contains(t, log.String(), "shared cache")
				assert.NotContains(t, log.String(), "example.org")
			})
		})
	}
}

func TestOlderSharedValueIsIgnored(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		jane := membership.Key{Kind: membership.UserRecord, ID: "jane"}
		c := openFake(t, o, h.port(), nil)
		settled()
		sees(t, c, "jane", "ed_normal")
		settled()
		old := h.values[jane]
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		announceUser(t, c, "jane")
		sees(t, c, "jane", "ed_admin")
		settled()
		h.set(func() { h.values[jane] = old })
		c.memory.drop(jane)
		sees(t, c, "jane", "ed_admin")
		other := openFake(t, o, h.port(), nil) // it knows of the announcement from the tail of the stream
		settled()
		h.set(func() { h.values[jane] = old })
		sees(t, other, "jane", "ed_admin")
	})
}

func TestSharedValueFromTheFutureIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *hub) {
		ahead := h.port()
		ahead.skew = time.Hour
		first, second := openFake(t, o, ahead, nil), openFake(t, o, h.port(), nil)
		settled()
		sees(t, first, "jane", "ed_normal")
		settled()
		asked := o.questions()
		sees(t, second, "jane", "ed_normal")
		assert.Greater(t, o.questions(), asked)
		assert.NotZero(t, second.Status().Refused)
	})
}

func TestKeysInRedis(t *testing.T) {
	keys := redisstore.NewKeys("wk1")
	assert.Equal(t, "wk1:o3:{5:metro}", keys.Name(membership.Key{Kind: membership.OrganizationRecord, ID: "metro"}))
	assert.Equal(t, "wk1:u3:{4:jane}", keys.Name(membership.Key{Kind: membership.UserRecord, ID: "jane"}))
	seen := map[string]membership.Key{}
	for _, kind := range []membership.Kind{membership.UserRecord, membership.OrganizationRecord, membership.UsernamePointer, membership.LocationPointer} {
		for _, id := range []string{"a", "1:a", "a}", "{a}", "a:{1:a}", ":", "}", "{"} {
			name := keys.Name(membership.Key{Kind: kind, ID: id})
			assert.NotContains(t, seen, name)
			seen[name] = membership.Key{Kind: kind, ID: id}
		}
	}
}
