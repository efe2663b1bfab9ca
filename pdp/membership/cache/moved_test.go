package cache

import (
	"context"
	"fmt"
	"maps"
	"slices"
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

// It does not matter which sidecar knew that the location was there.
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
			_, err := second.Announce(t.Context(), moved) // this sidecar has never fetched the ward
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

	t.Run("seen before", func(t *testing.T) {
		inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
			start(o)
			c := openCache(t, o, h.connect(), nil)
			waitHeartbeat()
			v, err := c.View(t.Context(), facts.Requirement{})
			require.NoError(t, err)
			_, err = v.Location(t.Context(), "big")
			require.NoError(t, err)
			moveEntity(o, "large")
			_, err = c.Announce(t.Context(), moved)
			require.NoError(t, err)
			require.Equal(t, "large", organizationOf(t, c, "ward"))
			l, err := v.Location(t.Context(), "ward")
			require.NoError(t, err)
			assert.Equal(t, "big", l.Organization(), "one state in one view")
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
		locations := []string{"metro", "north", "ghi", "clinic"}
		var changes []pdp.Change
		for _, id := range locations {
			organizationOf(t, c, id)
			changes = append(changes, pdp.Change{Kind: pdp.LocationChanged, ID: id})
		}
		before := o.requestCount()
		_, err := c.Announce(t.Context(), changes)
		require.NoError(t, err)
		assert.Equal(t, before, o.requestCount(), "to announce is to ask for nothing")
		for _, id := range locations {
			organizationOf(t, c, id)
		}
		assert.Equal(t, before+2, o.requestCount())
	})
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
		before, began := o.requestCount(), time.Now()
		_, err := c.Announce(ctx, changes)
		require.NoError(t, err)
		assert.Equal(t, before, o.requestCount())
		assert.Zero(t, time.Since(began), "a revocation does not wait for the origin")
		assertFails(t, c, "jane", pdp.Unavailable)
	})
}

// However locations change, and whatever organization an announcement names, no organization may be served in its old
// state.
func TestNoOrganizationIsServedAsBeforeAChangeOfLocations(t *testing.T) {
	changes := map[string]struct {
		change          func(o *fakeOrigin)
		location, named string // the changed location, and the organization that the announcement names
	}{
		"renamed": {func(o *fakeOrigin) {
			o.setLocations(fakeLocation{ID: "ward", Kind: "entity", Parent: "big", Name: "Ward"})
		}, "ward", "big"},
		"added":   {func(o *fakeOrigin) { o.setLocations(fakeLocation{ID: "new", Kind: "entity", Parent: "large"}) }, "new", "large"},
		"removed": {func(o *fakeOrigin) { o.set(func() { delete(o.locations, "ward") }) }, "ward", "big"},
		"moved":   {func(o *fakeOrigin) { o.setLocations(fakeLocation{ID: "ward", Kind: "entity", Parent: "large"}) }, "ward", "large"},
		"moved out": {func(o *fakeOrigin) {
			o.setLocations(fakeLocation{ID: "ward", Kind: "entity", Model: "health_system", Plan: "free"})
		}, "ward", "ward"},
		"moved in":               {func(o *fakeOrigin) { o.setLocations(fakeLocation{ID: "alone", Kind: "entity", Parent: "large"}) }, "alone", "large"},
		"moved with one beneath": {func(o *fakeOrigin) { o.setLocations(fakeLocation{ID: "north", Kind: "division", Parent: "far"}) }, "north", "far"},
	}
	for name, c := range changes {
		for _, organization := range []string{"", c.named} {
			for _, down := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/announced in %q/origin down %v", name, organization, down), func(t *testing.T) {
					inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
						o.setLocations(fakeLocation{ID: "large", Kind: "system", Model: "health_system", Plan: "paid"},
							fakeLocation{ID: "far", Kind: "region", Model: "regional"},
							fakeLocation{ID: "ward", Kind: "entity", Parent: "big"})
						sidecars := []*Cache{openCache(t, o, h.connect(), nil), openCache(t, o, h.connect(), nil)}
						waitHeartbeat()
						for _, s := range sidecars {
							require.Equal(t, o.layout(), layoutOf(t, s, o))
							require.True(t, s.Status().Confirmed)
						}
						c.change(o)
						o.set(func() {
							o.version++
							for _, root := range []string{"big", "metro", c.named} {
								o.versions[membership.Key{Kind: membership.OrganizationRecord, ID: root}] = o.version
							}
							o.down = down
						})
						_, err := sidecars[1].Announce(t.Context(), []pdp.Change{{Kind: pdp.LocationChanged, ID: c.location, Organization: organization}})
						require.NoError(t, err)
						o.set(func() { o.down = false })
						waitHeartbeat()
						for i, s := range append(sidecars, openCache(t, o, h.connect(), nil)) {
							waitHeartbeat()
							assert.Equal(t, o.layout(), layoutOf(t, s, o), "sidecar %d", i)
						}
					})
				})
			}
		}
	}
}

// layout lists the locations of each organization with their names.
func (o *fakeOrigin) layout() map[string][]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := map[string][]string{}
	for _, id := range slices.Sorted(maps.Keys(o.locations)) {
		all[o.root(id)] = append(all[o.root(id)], id+"="+o.locations[id].Name)
	}
	return all
}

// layoutOf returns the layout as a cache serves it. It asks for each organization only by its root: asking for one of
// its locations would make the cache fetch it again.
func layoutOf(t *testing.T, c *Cache, o *fakeOrigin) map[string][]string {
	t.Helper()
	v, err := c.View(t.Context(), facts.Requirement{})
	require.NoError(t, err)
	all := map[string][]string{}
	for root := range o.layout() {
		locations, err := v.Locations(t.Context(), facts.LocationQuery{Beneath: root})
		require.NoError(t, err)
		for _, l := range locations {
			all[root] = append(all[root], l.ID()+"="+l.Record().Name)
		}
	}
	for _, ids := range all {
		slices.Sort(ids)
	}
	return all
}
