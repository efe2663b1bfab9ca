package cache

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// rollBack sets a record of the origin back by one version, as a lagging replica would.
func rollBack(o *fakeOrigin, id, rec string) (undo func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := membership.Key{Kind: membership.UserRecord, ID: id}
	version, now := o.versions[key], o.users[id]
	o.versions[key], o.users[id] = version-1, json.RawMessage(rec)
	return func() { o.set(func() { o.versions[key], o.users[id] = version, now }) }
}

// A record must not be older than one already seen.
func TestOriginThatGoesBackIsNotUsed(t *testing.T) {
	for _, listed := range []bool{false, true} {
		inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
			c := openCache(t, o, nil, nil)
			o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
			o.setUser("jane", fixture.Nurse("jane", "ed_normal", "ghi"))
			assertRole(t, c, "jane", "ed_normal")
			undo := rollBack(o, "jane", fixture.Nurse("jane", "ed_admin", "ghi"))
			time.Sleep(6 * time.Second)
			if listed {
				v, err := c.View(t.Context(), facts.Requirement{})
				require.NoError(t, err)
				_, err = v.Users(t.Context(), facts.UserQuery{})
				assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
			} else {
				assertFails(t, c, "jane", pdp.Unavailable)
			}
			undo()
			assertRole(t, c, "jane", "ed_normal")
		})
	}
}

// Another sidecar may have read the value from a lagging replica.
func TestSharedValueThatGoesBackIsIgnored(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		byAge := func(cfg *Config) { cfg.Announced = false }
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		o.setUser("jane", fixture.Nurse("jane", "ed_normal", "ghi"))
		first, second := openCache(t, o, h.connect(), byAge), openCache(t, o, h.connect(), byAge)
		waitHeartbeat()
		assertRole(t, first, "jane", "ed_normal")
		time.Sleep(6 * time.Second)
		h.set(func() { clear(h.values) })
		undo := rollBack(o, "jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		assertRole(t, second, "jane", "ed_admin")
		waitHeartbeat()
		require.NotNil(t, h.stored(membership.Key{Kind: membership.UserRecord, ID: "jane"}))
		undo()
		assertRole(t, first, "jane", "ed_normal")
	})
}

// wrongAnswers is an origin that responds with records other than those requested.
type wrongAnswers struct{ *fakeOrigin }

func (c wrongAnswers) Organization(ctx context.Context, _ string) (*membership.RawRecord, error) {
	return c.fakeOrigin.Organization(ctx, "smile")
}

func (c wrongAnswers) UserByUsername(ctx context.Context, _ string) ([]membership.RawRecord, error) {
	return c.fakeOrigin.UserByUsername(ctx, "jane@example.org")
}

func TestOriginAnsweringAnotherRecordIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c := openCache(t, o, h.connect(), func(cfg *Config) { cfg.Origin = wrongAnswers{o} })
		waitHeartbeat()
		v, err := c.View(t.Context(), facts.Requirement{})
		require.NoError(t, err)
		_, err = v.Location(t.Context(), "ghi")
		assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
		u, err := v.UserByUsername(t.Context(), "joe@example.org")
		require.NoError(t, err)
		assert.Nil(t, u)
	})
}

// A value can be intact and packed for this key, and still contain another record.
func TestSharedValueOfAnotherKeyIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		assertRole(t, c, "jane", "ed_normal")
		waitHeartbeat()
		for key, other := range map[membership.Key]membership.Key{
			{Kind: membership.UserRecord, ID: "joe"}:           {Kind: membership.UserRecord, ID: "jane"},
			{Kind: membership.OrganizationRecord, ID: "smile"}: {Kind: membership.OrganizationRecord, ID: "metro"},
		} {
			s, body, err := record.Unpack(other, h.stored(other))
			require.NoError(t, err)
			_, err = c.unpack(c.validator.Load(), other, record.Pack(other, s, body))
			require.NoError(t, err)
			_, err = c.unpack(c.validator.Load(), key, record.Pack(key, s, body))
			require.Error(t, err)
		}
		// A wrong pointer is only a hint.
		for key, to := range map[membership.Key]string{{Kind: membership.UsernamePointer, ID: "joe@example.org"}: "jane", {Kind: membership.LocationPointer, ID: "clinic"}: "metro"} {
			h.set(func() {
				h.values[key] = record.Pack(key, membership.Stamp{Version: 1, AsOf: time.Now(), At: membership.Position{Epoch: h.epochName(), Sequence: 0}}, append([]byte{0}, to...))
			})
		}
		other := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		assert.Equal(t, "smile", organizationOf(t, other, "clinic"))
		v, err := other.View(t.Context(), facts.Requirement{})
		require.NoError(t, err)
		u, err := v.UserByUsername(t.Context(), "joe@example.org")
		require.NoError(t, err)
		assert.Nil(t, u)
	})
}
