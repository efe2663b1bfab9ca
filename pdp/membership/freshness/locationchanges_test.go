package freshness

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

func TestLocationChangesAreAllOrNotKnown(t *testing.T) {
	metro := func(p Provenance) *Provenance {
		p.Key, p.Version, p.TTL = membership.Key{Kind: membership.OrganizationRecord, ID: "metro"}, 4, time.Hour
		p.Locations = NewLocationSet(locationIDs{"metro", "ghi"})
		return &p
	}
	in := func(id, organization string, version, since uint64) pdp.Change {
		return pdp.Change{Kind: pdp.LocationChanged, ID: id, Organization: organization, Version: version, Since: since}
	}
	synctest.Test(t, func(t *testing.T) {
		f := NewTracker(Config{Confirmer: ConfirmedByOrigin, Lease: time.Second, Retention: 20 * time.Minute})
		h := changeHandler{f}
		before := metro(f.BeginFetch())
		_, ok := f.LocationChanges(before)
		assert.False(t, ok, "nothing proves that changes are announced")
		time.Sleep(time.Millisecond)
		h.Began(time.Now(), "")
		_, ok = f.LocationChanges(before)
		assert.False(t, ok, "it was fetched before")

		h.Changed([]pdp.Change{in("old", "metro", 3, 2)})
		p := metro(f.BeginFetch())
		c, ok := f.LocationChanges(p)
		assert.True(t, ok)
		assert.Empty(t, c.IDs())
		assert.True(t, c.CompleteAt(4, nil), "it has not changed")

		h.Changed([]pdp.Change{in("new", "metro", 5, 0), in("else", "smile", 9, 0), in("ghi", "smile", 9, 8), in("lost", "", 0, 0)})
		c, ok = f.LocationChanges(p)
		assert.True(t, ok)
		assert.Equal(t, []string{"ghi", "lost", "new"}, c.IDs())
		assert.False(t, c.CompleteAt(5, c.IDs()), "more of this version is to come")
		h.Changed([]pdp.Change{in("metro", "metro", 5, 4), in("newest", "metro", 8, 6)})
		c, _ = f.LocationChanges(p)
		assert.True(t, c.CompleteAt(5, []string{"ghi", "lost", "metro", "new"}), "the newer one comes later")
		assert.False(t, c.CompleteAt(5, []string{"ghi", "lost", "new"}))
		assert.False(t, c.CompleteAt(5, []string{"lost", "metro", "new"}), "what is later elsewhere may have been here until now")
		assert.False(t, c.CompleteAt(6, c.IDs()), "it has not been announced")
		assert.False(t, c.CompleteAt(8, c.IDs()), "nor has what came before")
		h.Changed([]pdp.Change{in("newer", "metro", 6, 5)})
		c, _ = f.LocationChanges(p)
		assert.False(t, c.CompleteAt(6, []string{"ghi", "lost", "metro", "new"}))
		assert.True(t, c.CompleteAt(6, c.IDs()))
		assert.True(t, c.CompleteAt(5, []string{"ghi", "lost", "metro", "new"}), "the next one comes later")
		assert.True(t, c.CompleteAt(8, c.IDs()), "in any order")
		assert.False(t, c.CompleteAt(7, c.IDs()))
		h.Changed([]pdp.Change{in("metro", "metro", 5, 4), in("newest", "metro", 9, 8), in("new", "metro", 4, 3)})
		c, _ = f.LocationChanges(p)
		for id, once := range map[string]bool{"metro": true, "new": true, "newest": false, "ghi": false, "lost": false, "else": true} {
			assert.Equal(t, once, c.AtMostOnce(id, 9), id)
		}
		assert.True(t, c.AtMostOnce("newest", 8), "the other one is later")
		assert.Equal(t, []string{"metro", "smile"}, f.ChangedOrganizations())

		unversioned := metro(*p)
		unversioned.Version = 0
		_, ok = f.LocationChanges(unversioned)
		assert.False(t, ok, "nothing says which change came before another")
		h.Changed([]pdp.Change{in("ghi", "smile", 10, 8)})
		c, _ = f.LocationChanges(p)
		assert.False(t, c.CompleteAt(10, c.IDs()), "a version of another organization")

		elsewhere := metro(Provenance{Stamp: membership.Stamp{AsOf: time.Now()}})
		_, ok = f.LocationChanges(elsewhere)
		assert.False(t, ok, "of another sidecar, whose clock may be ahead")
		time.Sleep(500 * time.Millisecond)
		h.Heartbeat(time.Now())
		time.Sleep(502 * time.Millisecond)
		h.Changed([]pdp.Change{in("ghi", "metro", 9, 8)})
		elsewhere.AsOf = time.Now()
		c, ok = f.LocationChanges(elsewhere)
		assert.True(t, ok)
		assert.Equal(t, []string{"ghi"}, c.IDs(), "it may have come after that fetch")
		time.Sleep(500 * time.Millisecond)
		_, ok = f.LocationChanges(p)
		assert.False(t, ok, "no heartbeat")

		h.Heartbeat(time.Now())
		late := metro(f.BeginFetch())
		for i := range 2 * maxLocationChanges {
			if i == 100 {
				c, ok = f.LocationChanges(late)
				assert.True(t, ok)
				assert.Len(t, c.IDs(), 100)
			}
			h.Changed([]pdp.Change{in(fmt.Sprint("f", i), "metro", uint64(10+i), uint64(9+i))})
		}
		_, ok = f.LocationChanges(late)
		assert.False(t, ok, "not all are remembered")

		late = metro(f.BeginFetch())
		h.Changed([]pdp.Change{{Kind: pdp.AnythingChanged}})
		_, ok = f.LocationChanges(late)
		assert.False(t, ok)
		late = metro(f.BeginFetch())
		h.Lost(nil)
		_, ok = f.LocationChanges(late)
		assert.False(t, ok)
	})
	synctest.Test(t, func(t *testing.T) {
		f, _ := trackerOfStream()
		changeHandler{f}.Began(time.Now(), "")
		_, ok := f.LocationChanges(metro(f.BeginFetch()))
		require.False(t, ok, "applications announce in any order")
	})
}
