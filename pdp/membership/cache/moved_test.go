package cache

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// organizationOf returns the organization of a location, "" if the location is unknown.
func organizationOf(t *testing.T, c *Cache, location string) string {
	t.Helper()
	v, err := c.View(t.Context(), facts.Requirement{})
	require.NoError(t, err)
	l, err := v.Location(t.Context(), location)
	require.NoError(t, err)
	if l == nil {
		return ""
	}
	return l.Organization()
}

// moveEntity moves the entity ward to another system in the origin.
func moveEntity(o *fakeOrigin, to string) {
	from := o.root("ward")
	o.setLocations(fakeLocation{ID: "ward", Kind: "entity", Parent: to})
	o.set(func() {
		o.version++
		o.versions[membership.Key{Kind: membership.OrganizationRecord, ID: from}] = o.version
	})
}

// This holds whichever sidecar knew that the location was there.
func TestFormerOrganizationOfMovedLocationIsFetchedAgain(t *testing.T) {
	start := func(o *fakeOrigin) {
		o.setLocations(fakeLocation{ID: "large", Kind: "system", Model: "health_system", Plan: "paid"},
			fakeLocation{ID: "ward", Kind: "entity", Parent: "big"})
	}
	moved := []pdp.Change{{Kind: pdp.LocationChanged, ID: "ward", Organization: "large"}}

	t.Run("cached by another sidecar", func(t *testing.T) {
		inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
			start(o)
			first, second := openCache(t, o, h.connect(), nil), openCache(t, o, h.connect(), nil)
			waitHeartbeat()
			require.Equal(t, "big", organizationOf(t, first, "big")) // writes the whole tree to the shared tier
			waitHeartbeat()
			moveEntity(o, "large")
			_, err := second.Announce(t.Context(), moved) // it has never fetched the ward
			require.NoError(t, err)
			waitHeartbeat()
			third := openCache(t, o, h.connect(), nil)
			waitHeartbeat()
			for _, c := range []*Cache{third, second, first} {
				require.Equal(t, "big", organizationOf(t, c, "big"))
				assert.Equal(t, "large", organizationOf(t, c, "ward"))
			}
		})
	})

	t.Run("moved during a fetch", func(t *testing.T) {
		inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
			start(o)
			c := openCache(t, o, h.connect(), nil)
			waitHeartbeat()
			o.set(func() { o.delay = 500 * time.Millisecond })
			asked := make(chan struct{})
			go func() {
				defer close(asked)
				v, err := c.View(t.Context(), facts.Requirement{})
				assert.NoError(t, err)
				_, err = v.Location(context.Background(), "big")
				assert.NoError(t, err)
			}()
			time.Sleep(100 * time.Millisecond)
			o.set(func() { o.delay = 0 })
			moveEntity(o, "large")
			_, err := c.Announce(t.Context(), moved)
			require.NoError(t, err)
			<-asked
			assert.Equal(t, "large", organizationOf(t, c, "ward"))
		})
	})

	t.Run("new organization fetched before", func(t *testing.T) {
		inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
			start(o)
			c := openCache(t, o, h.connect(), nil)
			waitHeartbeat()
			require.Equal(t, "big", organizationOf(t, c, "ward"))
			waitHeartbeat()
			moveEntity(o, "large")
			require.Equal(t, "large", organizationOf(t, c, "large"))
			_, err := c.Announce(t.Context(), moved)
			require.NoError(t, err)
			assert.Equal(t, "large", organizationOf(t, c, "ward"))
			v, err := c.View(t.Context(), facts.Requirement{})
			require.NoError(t, err)
			all, err := v.Locations(t.Context(), facts.LocationQuery{Beneath: "big"})
			require.NoError(t, err)
			require.Len(t, all, 1, "the ward is not among those of its old organization")
		})
	})
}

// One request for each location would take too long.
func TestAnnouncedLocationsAskOncePerOrganization(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		before := o.requestCount()
		_, err := c.Announce(t.Context(), []pdp.Change{{Kind: pdp.LocationChanged, ID: "metro"}, {Kind: pdp.LocationChanged, ID: "north"},
			{Kind: pdp.LocationChanged, ID: "ghi"}, {Kind: pdp.LocationChanged, ID: "clinic"}})
		require.NoError(t, err)
		assert.Equal(t, before+2, o.requestCount())
		assert.Equal(t, []string{"metro", "metro", "metro", "smile"}, announcedOrganizations(h))
	})
}

func announcedOrganizations(h *sharedTier) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for _, a := range h.log {
		for _, c := range a.Changes {
			all = append(all, c.Organization)
		}
	}
	return all
}

// The announcement succeeds, and invalidates every organization.
func TestAnnounceLocationWhileOriginHangs(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		c := openCache(t, o, h.connect(), nil)
		waitHeartbeat()
		assertRole(t, c, "jane", "ed_normal")
		o.set(func() { o.delay = time.Hour })
		var changes []pdp.Change
		for i := range membership.MaxChanges {
			changes = append(changes, pdp.Change{Kind: pdp.LocationChanged, ID: fmt.Sprint("new", i)})
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		before := o.requestCount()
		_, err := c.Announce(ctx, changes)
		require.NoError(t, err)
		assert.Equal(t, before+1, o.requestCount())
		assertFails(t, c, "jane", pdp.Unavailable)
	})
}
