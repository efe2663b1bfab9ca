package cache

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// branchesOrigin delivers parts of organizations too, and counts what it is asked for.
type branchesOrigin struct {
	*watchedOrigin
	whole, parts int
	alone        []string // asked for last
	wholeDelay   time.Duration
}

func (b *branchesOrigin) Organization(ctx context.Context, location string) (*membership.RawRecord, error) {
	raw, err := b.fakeOrigin.Organization(ctx, location)
	b.set(func() { b.whole++ })
	time.Sleep(b.wholeDelay)
	return raw, err
}

func (b *branchesOrigin) Branches(ctx context.Context, root string, locations, alone []string) (s *membership.RawRecord, err error) {
	err = b.ask(ctx, membership.Key{Kind: membership.OrganizationParts, ID: root}, func() {
		b.parts++
		b.alone = alone
		found := []fakeLocation{}
		for _, id := range slices.Sorted(maps.Keys(b.locations)) {
			asked := slices.Contains(alone, id)
			for above := id; above != ""; above = b.locations[above].Parent {
				asked = asked || slices.Contains(locations, above)
			}
			if asked && b.root(id) == root {
				found = append(found, b.locations[id])
			}
		}
		s = b.rawRecord(membership.Key{Kind: membership.OrganizationRecord, ID: root}, found)
	})
	return s, err
}

// rename renames a facility.
func (b *branchesOrigin) rename(name string) []pdp.Change {
	return b.change(fakeLocation{ID: "ghi", Kind: "facility", Parent: "north", Name: name})
}

// change changes a location of metro, and returns the change as a database tells of it.
func (b *branchesOrigin) change(l fakeLocation) []pdp.Change {
	key := membership.Key{Kind: membership.OrganizationRecord, ID: "metro"}
	before := b.versions[key]
	b.setLocations(l)
	b.set(func() { b.version++; b.versions[key] = b.version }) // also if it is elsewhere now
	return []pdp.Change{{Kind: pdp.LocationChanged, ID: l.ID, Organization: "metro", Version: b.versions[key], Since: before}}
}

// openBranches opens a cache over such an origin. Its changes are not listened to yet.
func openBranches(t *testing.T, o *fakeOrigin, p *tierClient, change func(*Config)) (*branchesOrigin, *Cache, membership.ChangeHandler) {
	b := &branchesOrigin{watchedOrigin: &watchedOrigin{o, make(chan membership.ChangeHandler, 1), true}}
	c := openCache(t, o, p, func(cfg *Config) {
		cfg.Origin = b
		if change != nil {
			change(cfg)
		}
	})
	return b, c, <-b.handler
}

func assertName(t *testing.T, c *Cache, name string, need facts.Requirement) {
	t.Helper()
	v, err := c.View(t.Context(), need)
	require.NoError(t, err)
	l, err := v.Location(t.Context(), "ghi")
	if assert.NoError(t, err) {
		assert.Equal(t, name, l.Name())
	}
}

// Once the origin's changes are heard of, no change of a location makes a question wait for the organization as a whole.
func TestOrganizationIsLoadedAnewBeforeItsFirstChange(t *testing.T) {
	for name, leads := range map[string]bool{"alone": false, "leader": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
				var shared *tierClient
				if leads {
					shared = h.connect()
				}
				b, c, handler := openBranches(t, o, shared, func(cfg *Config) { cfg.Leads = func() bool { return leads } })
				waitHeartbeat()
				assertName(t, c, "", facts.Requirement{})
				require.Equal(t, 1, b.whole)
				handler.Began(time.Now(), "")
				synctest.Wait()
				assert.Equal(t, 2, b.whole)
				for i, name := range []string{"one", "two"} {
					handler.Changed(b.rename(name))
					assertName(t, c, name, facts.Requirement{})
					assert.Equal(t, i+1, b.parts)
				}
				assert.Equal(t, 2, b.whole)
			})
		})
	}
}

// An organization that changes and has to be loaded as a whole is loaded once, for a question too.
func TestChangedOrganizationIsLoadedOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		leads := false
		b, c, handler := openBranches(t, o, h.connect(), func(cfg *Config) { cfg.Leads = func() bool { return leads } })
		waitHeartbeat()
		assertName(t, c, "", facts.Requirement{})
		handler.Began(time.Now(), "")
		synctest.Wait()
		leads, b.wholeDelay = true, 500*time.Millisecond
		_, err := h.connect().Announce(t.Context(), b.rename("other"))
		require.NoError(t, err)
		synctest.Wait()
		began := time.Now()
		assertName(t, c, "other", facts.Requirement{})
		assert.LessOrEqual(t, time.Since(began), b.wholeDelay+maxWaitPause)
		time.Sleep(2 * b.wholeDelay)
		assert.Equal(t, 2, b.whole)
		assert.Zero(t, b.parts)
	})
}

// An organization that was being loaded while its changes were fetched is not loaded again.
func TestOrganizationIsOvertakenByItsParts(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, _ *sharedTier) {
		b, c, handler := openBranches(t, o, nil, nil)
		handler.Began(time.Now(), "")
		assertName(t, c, "", facts.Requirement{})
		b.wholeDelay = 500 * time.Millisecond
		var asking sync.WaitGroup
		began := time.Now()
		asking.Go(func() { assertName(t, c, "other", facts.Requirement{Current: true}) })
		synctest.Wait()
		handler.Changed(b.rename("other"))
		assertName(t, c, "other", facts.Requirement{})
		assert.Zero(t, time.Since(began))
		asking.Wait()
		assert.Equal(t, b.wholeDelay, time.Since(began))
		assert.Equal(t, 2, b.whole)
	})
}

// A change of a location that has others beneath it does not fetch them, unless it may have moved.
func TestChangedLocationIsFetchedAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, o *fakeOrigin, h *sharedTier) {
		b, c, handler := openBranches(t, o, h.connect(), nil)
		other, second, ofSecond := openBranches(t, o, h.connect(), nil) // finds what the first one fetched
		waitHeartbeat()
		handler.Began(time.Now(), "")
		ofSecond.Began(time.Now(), "")
		time.Sleep(2 * time.Second) // more than a lease
		assertLocated := func(sidecars ...*Cache) {
			t.Helper()
			for _, c := range sidecars {
				for _, l := range o.locations {
					assert.Equal(t, o.root(l.ID), organizationOf(t, c, l.ID))
				}
				waitHeartbeat()
			}
		}
		assertChanged := func(alone []string, changes ...pdp.Change) {
			t.Helper()
			_, err := h.connect().Announce(t.Context(), changes)
			require.NoError(t, err)
			waitHeartbeat()
			assertLocated(c)
			assert.Equal(t, alone, b.alone)
		}
		assertLocated(c, second)
		whole := b.whole + other.whole
		assertChanged([]string{"metro"}, b.change(fakeLocation{ID: "metro", Kind: "region", Model: "regional", Name: "one"})...)
		assertLocated(second)
		assertChanged([]string{"north"}, b.change(fakeLocation{ID: "north", Kind: "division", Parent: "metro", Name: "one"})...)
		assertLocated(second)
		assert.Zero(t, other.parts)
		away := b.change(fakeLocation{ID: "north", Kind: "division", Parent: "big"})
		b.setLocations(fakeLocation{ID: "new", Kind: "facility", Parent: "north"}) // nobody tells metro's
		back := b.change(fakeLocation{ID: "north", Kind: "division", Parent: "metro"})
		assertChanged([]string{}, slices.Concat(away, back)...)
		assertChanged([]string{"north"}, b.change(fakeLocation{ID: "north", Kind: "division", Parent: "metro", Name: "two"})...)
		assertLocated(second) // what the first one fetched last does not have the new one
		assert.Equal(t, []string{}, other.alone)
		assert.Equal(t, 1, other.parts)
		assert.Equal(t, whole, b.whole+other.whole)
	})
}
