package cache

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

func TestAnnouncedUserAppearsAndDisappears(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		byUsername := func() *facts.User {
			v, err := c.View(t.Context(), facts.Requirement{})
			require.NoError(t, err)
			u, err := v.UserByUsername(t.Context(), "JOE@example.org")
			require.NoError(t, err)
			return u
		}
		assertRole(t, c, "joe", "")
		require.Nil(t, byUsername())
		asked := o.requestCount()
		assertRole(t, c, "joe", "")
		require.Nil(t, byUsername())
		require.Equal(t, asked, o.requestCount(), "that there is nobody is kept too")
		o.setUser("joe", fixture.Nurse("joe", "ed_normal", "jkl"))
		announceUser(t, c, "joe")
		assertRole(t, c, "joe", "ed_normal")
		require.NotNil(t, byUsername())
		o.setUser("joe", "")
		announceUser(t, c, "joe")
		assertRole(t, c, "joe", "")
		require.Nil(t, byUsername())
	})
}

func TestUsernameMovesToAnotherUser(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		ownerOf := func(username string) string {
			v, err := c.View(t.Context(), facts.Requirement{})
			require.NoError(t, err)
			u, err := v.UserByUsername(t.Context(), username)
			require.NoError(t, err)
			if u == nil {
				return ""
			}
			return u.ID()
		}
		require.Equal(t, "jane", ownerOf("jane@example.org"))
		o.setUser("jane", `{"id":"jane","username":"jane.doe@example.org"}`)
		o.setUser("jana", `{"id":"jana","username":"jane@example.org"}`)
		_, err := c.Announce(t.Context(), []pdp.Change{{Kind: pdp.UserChanged, ID: "jane"}, {Kind: pdp.UserChanged, ID: "jana"}})
		require.NoError(t, err)
		assert.Equal(t, "jana", ownerOf("Jane@example.org"))
		assert.Equal(t, "jane", ownerOf("Jane.Doe@example.org"))
	})
}

func TestTokenRequiresAnnouncedChange(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		first, remote := openCache(t, o, h.connect(), nil), h.connect()
		second := openCache(t, o, remote, nil)
		waitHeartbeat()
		assertRole(t, second, "jane", "ed_normal")
		h.set(func() { remote.disconnected = true })
		waitHeartbeat()
		assertRole(t, second, "jane", "ed_normal")
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		token := announceUser(t, first, "jane")
		assertRole(t, second, "jane", "ed_normal")
		role, err := roleOf(t, second, "jane", facts.Requirement{AtLeast: []string{token}})
		require.NoError(t, err)
		assert.Equal(t, "ed_admin", role, "it has not heard, and asks the origin")
		o.set(func() { o.down = true })
		_, err = roleOf(t, second, "jane", facts.Requirement{AtLeast: []string{token}})
		require.Error(t, err)
		assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
		role, err = roleOf(t, first, "jane", facts.Requirement{})
		require.Error(t, err, role)
		o.set(func() { o.down = false })
		waitHeartbeat()
		assertRole(t, first, "jane", "ed_admin")
		asked := o.requestCount()
		_, err = roleOf(t, first, "jane", facts.Requirement{AtLeast: []string{token}})
		require.NoError(t, err)
		assert.Equal(t, asked, o.requestCount(), "it has heard, and need not ask again")
		for _, malformed := range []string{"x", "~", "1~", "!~epoch-0", "1~a b"} {
			_, err = roleOf(t, first, "jane", facts.Requirement{AtLeast: []string{malformed}})
			assert.Equal(t, pdp.Invalid, pdp.KindOf(err), malformed)
		}
	})
}

func TestMovedLocationsAreFound(t *testing.T) {
	for _, withOrganization := range []bool{true, false} {
		inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
			o.setUser("ann", `{"id":"ann","assignments":[{"location":"alone","role":"user"}]}`)
			sidecars := []*Cache{openCache(t, o, h.connect(), nil), openCache(t, o, h.connect(), nil)}
			waitHeartbeat()
			organization := func(c *Cache, location string) string {
				v, err := c.View(t.Context(), facts.Requirement{})
				require.NoError(t, err)
				u, err := v.User(t.Context(), "ann")
				require.NoError(t, err)
				require.NotNil(t, u)
				l, err := v.Location(t.Context(), location)
				require.NoError(t, err)
				if l == nil {
					return ""
				}
				return l.Organization()
			}
			for _, c := range sidecars {
				require.Equal(t, "alone", organization(c, "alone"))
				require.Equal(t, "big", organization(c, "big"))
				require.Empty(t, organization(c, "new"))
			}
			change := func(organization, id string) {
				c := pdp.Change{Kind: pdp.LocationChanged, ID: id}
				if withOrganization {
					c.Organization = organization
				}
				_, err := sidecars[0].Announce(t.Context(), []pdp.Change{c})
				require.NoError(t, err)
				waitHeartbeat()
			}
			o.setLocations(fakeLocation{ID: "alone", Kind: "entity", Parent: "big"})
			change("big", "alone")
			o.setLocations(fakeLocation{ID: "new", Kind: "entity", Parent: "big"})
			change("big", "new")
			for _, c := range sidecars {
				assert.Equal(t, "big", organization(c, "alone"))
				assert.Equal(t, "big", organization(c, "new"))
			}
			o.setLocations(fakeLocation{ID: "alone", Kind: "entity", Model: "health_system", Plan: "paid"})
			o.setLocations(fakeLocation{ID: "big", Kind: "system", Model: "health_system", Plan: "paid"})
			change("alone", "alone")
			o.set(func() { delete(o.locations, "new") })
			o.setLocations(fakeLocation{ID: "big", Kind: "system", Model: "health_system", Plan: "paid"})
			change("", "new")
			for _, c := range sidecars {
				assert.Equal(t, "alone", organization(c, "alone"))
				assert.Empty(t, organization(c, "new"))
			}
		})
	}
}

func TestAnnouncedRecordIsNotUsed(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		first, second := openCache(t, o, h.connect(), nil), openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		assertRole(t, first, "jane", "ed_normal")
		assertRole(t, second, "jane", "ed_normal")
		for _, version := range []uint64{0, 1, o.current("jane"), o.current("jane") + 1, pdp.MaxVersion} {
			_, err := first.Announce(t.Context(), []pdp.Change{
				{Kind: pdp.UserChanged, ID: "jane", Version: version, Record: []byte(fixture.Nurse("jane", "ed_admin", "ghi"))},
				{Kind: pdp.UserChanged, ID: "joe", Version: version, Record: []byte(fixture.Nurse("joe", "ed_admin", "ghi"))},
			})
			require.NoError(t, err)
			assert.Nil(t, h.stored(membership.Key{Kind: membership.UserRecord, ID: "joe"}))
			waitHeartbeat()
			third := openCache(t, o, h.connect(), nil)
			waitHeartbeat()
			for _, c := range []*Cache{first, second, third} {
				assertRole(t, c, "jane", "ed_normal")
				assertRole(t, c, "joe", "")
			}
		}
	})
}

func TestInvalidAnnouncementsAreRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		for name, changes := range map[string][]pdp.Change{
			"nothing":           {},
			"too many":          make([]pdp.Change, membership.MaxChanges+1),
			"anything":          {{Kind: pdp.AnythingChanged}},
			"no id":             {{Kind: pdp.UserChanged}},
			"an odd id":         {{Kind: pdp.UserChanged, ID: "a\nb"}},
			"a version too big": {{Kind: pdp.UserChanged, ID: "a", Version: 1 << 60}},
			"another record":    {{Kind: pdp.UserChanged, ID: "joe", Record: []byte(fixture.Nurse("jane", "ed_normal", "ghi"))}},
			"a faulty record":   {{Kind: pdp.UserChanged, ID: "joe", Record: []byte(`{"id":"joe","boss":true}`)}},
			"no record":         {{Kind: pdp.UserChanged, ID: "joe", Record: []byte(`nonsense`)}},
			"a faulty location": {{Kind: pdp.LocationChanged, ID: "ghi", Record: []byte(`{"id":"ghi","kind":"hut"}`)}},
		} {
			_, err := c.Announce(t.Context(), changes)
			assert.Equal(t, pdp.Invalid, pdp.KindOf(err), "%s: %v", name, err)
		}
		h.set(func() { h.down = true })
		_, err := c.Announce(t.Context(), []pdp.Change{{Kind: pdp.UserChanged, ID: "jane"}})
		assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
	})
}

func TestTokenOfTrimmedAnnouncementFetchesAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		first, remote := openCache(t, o, h.connect(), nil), h.connect()
		second := openCache(t, o, remote, nil)
		waitHeartbeat()
		assertRole(t, second, "jane", "ed_normal")
		h.set(func() { remote.disconnected, h.trimmed = true, true })
		waitHeartbeat()
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		token := announceUser(t, first, "jane")
		h.set(func() { remote.disconnected = false })
		waitHeartbeat()
		o.set(func() { o.down = true })
		_, err := roleOf(t, second, "jane", facts.Requirement{})
		require.NoError(t, err, "within its budget")
		role, err := roleOf(t, second, "jane", facts.Requirement{AtLeast: []string{token}})
		require.Error(t, err, role)
		assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
		o.set(func() { o.down = false })
		role, err = roleOf(t, second, "jane", facts.Requirement{AtLeast: []string{token}})
		require.NoError(t, err)
		assert.Equal(t, "ed_admin", role)
		asked := o.requestCount()
		_, err = roleOf(t, second, "jane", facts.Requirement{AtLeast: []string{token}})
		require.NoError(t, err)
		assert.Equal(t, asked, o.requestCount(), "what was fetched since need not be fetched again")
	})
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		first, remote := openCache(t, o, h.connect(), nil), h.connect()
		second := openCache(t, o, remote, func(cfg *Config) { cfg.Announced = false }) // its facts expire by age
		waitHeartbeat()
		h.set(func() { remote.disconnected, h.trimmed = true, true })
		waitHeartbeat()
		assertRole(t, second, "jane", "ed_normal")
		o.setUser("jane", fixture.Nurse("jane", "ed_admin", "ghi"))
		token := announceUser(t, first, "jane")
		h.set(func() { remote.disconnected = false })
		waitHeartbeat()
		assertRole(t, second, "jane", "ed_normal")
		role, err := roleOf(t, second, "jane", facts.Requirement{AtLeast: []string{token}})
		require.NoError(t, err)
		assert.Equal(t, "ed_admin", role)
	})
}
