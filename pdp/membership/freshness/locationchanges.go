package freshness

import (
	"slices"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// maxLocationChanges limits how many changes of locations are remembered one by one.
const maxLocationChanges = 1024

// locationChanges remembers the last announced changes of locations.
type locationChanges struct {
	all       []locationChange // oldest first
	forgotten invalidation     // the newest that was dropped because of the limit
}

type locationChange struct {
	pdp.Change
	invalidation
}

func (l *locationChanges) add(c pdp.Change, i invalidation) {
	if len(l.all) == maxLocationChanges {
		n := maxLocationChanges / 4
		l.forgotten = l.all[n-1].invalidation
		l.all = slices.Delete(l.all, 0, n)
	}
	c.Record = nil
	l.all = append(l.all, locationChange{c, i})
}

// LocationChanges are the locations of one organization that have been announced since its record was fetched.
type LocationChanges struct {
	root    string
	version uint64 // of the record
	all     []locationChange
}

// LocationChanges returns what has been announced of an organization's locations since its record was fetched. ok is false
// if that may not be everything that has changed: nothing but a live subscription to the origin, since before the fetch,
// proves that.
func (t *Tracker) LocationChanges(p *Provenance) (c LocationChanges, ok bool) {
	now := time.Now()
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.confirmer != ConfirmedByOrigin || p.Locations == nil || !p.Versioned() || !t.covered(p) || !t.origin.live(now, t.lease) {
		return LocationChanges{}, false
	}
	m := t.invalidations
	for _, wide := range [...]invalidation{m.everything, m.evicted, m.locations.forgotten} {
		if t.invalidates(wide, p) {
			return LocationChanges{}, false
		}
	}
	c = LocationChanges{root: p.Key.ID, version: p.Version}
	for _, one := range m.locations.all {
		if t.invalidates(one.invalidation, p) && (one.Organization == "" || one.Organization == c.root || p.Locations.Has(one.ID)) {
			c.all = append(c.all, one)
		}
	}
	return c, true
}

// IDs returns the ids of the locations, each once.
func (c LocationChanges) IDs() []string {
	ids := make([]string, len(c.all))
	for i := range c.all {
		ids[i] = c.all[i].ID
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// CompleteAt reports whether, of all that has changed in the organization up to a version of it, no location is missing among
// ids, which are sorted. The origin says which version came before each: from the version of the record, they must lead to this
// one. So it does not matter in which order they arrive.
func (c LocationChanges) CompleteAt(version uint64, ids []string) bool {
	next := make(map[uint64]uint64, len(c.all))
	for _, one := range c.all {
		ofRoot := one.Organization == c.root
		if ofRoot && one.Since > 0 {
			next[one.Since] = one.Change.Version
		}
		if later := ofRoot && one.Change.Version > version; later {
			continue
		}
		if _, listed := slices.BinarySearch(ids, one.ID); !listed {
			return false
		}
	}
	at := c.version
	for at < version && next[at] > at {
		at = next[at]
	}
	return at == version
}

// AtMostOnce reports whether a location has been announced for at most one version of the organization up to the given one, after that of
// the record, and for no other organization.
func (c LocationChanges) AtMostOnce(id string, version uint64) bool {
	var at uint64
	for _, one := range c.all {
		announced := one.Change.Version
		switch {
		case one.ID != id:
		case one.Organization != c.root || announced == 0:
			return false
		case announced <= c.version || announced > version || announced == at:
		case at > 0:
			return false
		default:
			at = announced
		}
	}
	return true
}

// maxHints limits the organizations that [Tracker.ChangedOrganizations] returns.
const maxHints = 4

// ChangedOrganizations returns the organizations that locations were announced in last, the newest first. They are hints: a location
// whose organization is unknown is often new, or was moved there.
func (t *Tracker) ChangedOrganizations() (roots []string) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, one := range slices.Backward(t.invalidations.locations.all) {
		if one.Organization != "" && !slices.Contains(roots, one.Organization) {
			roots = append(roots, one.Organization)
		}
		if len(roots) == maxHints {
			break
		}
	}
	return roots
}

// changesOf returns the keys of the locations of a record that have been announced after an event, each once; ok is false if not
// all of them are remembered.
func (l *locationChanges) changesOf(p *Provenance, event uint64) (keys []membership.Key, ok bool) {
	if l.forgotten.event > event {
		return nil, false
	}
	for _, one := range slices.Backward(l.all) {
		if one.event <= event {
			break
		}
		if p.Locations.Has(one.ID) {
			keys = append(keys, membership.Key{Kind: membership.LocationPointer, ID: one.ID})
		}
	}
	slices.SortFunc(keys, func(a, b membership.Key) int { return strings.Compare(a.ID, b.ID) })
	return slices.Compact(keys), true
}
