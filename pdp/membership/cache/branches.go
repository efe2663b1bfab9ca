package cache

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/freshness"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
	"github.com/wardkeeper/wardkeeper/pdp/tracing"
)

const (
	maxBranches      = 100 // locations that are fetched of an organization; if more have changed, it is fetched whole
	branchesAttempts = 3   // while the origin has more changes than it has announced
)

// fromBranches returns the organization of a location, made of the record in memory and the locations that have been announced
// since: the same as if the whole organization had been fetched. It returns nil if that cannot be proven.
func (c *Cache) fromBranches(ctx context.Context, n requirement, location string) *entry {
	origin, ok := c.origin.(membership.Branches)
	if !ok || n.fresh {
		return nil
	}
	roots := []string{c.orgIndex.find(location)}
	if roots[0] == "" {
		roots = c.tracker.ChangedOrganizations()
	}
	for _, root := range roots {
		if e := c.patched(ctx, n, origin, root); e != nil && e.tree.Has(location) {
			return e
		}
	}
	return nil
}

// patched returns the organization with a root, from memory and branches. It returns nil if it must be fetched as a whole.
func (c *Cache) patched(ctx context.Context, n requirement, origin membership.Branches, root string) *entry {
	known := c.memory.get(membership.Key{Kind: membership.OrganizationRecord, ID: root})
	switch {
	case known == nil || known.validator != n.validator || known.tree.Faults != nil || known.Expired(time.Now()):
		return nil
	case c.check(known, n) == freshness.Fresh:
		return known
	}
	for attempt := range branchesAttempts {
		e, again := c.branches(ctx, origin, known)
		switch {
		case e != nil:
			return c.keep(e, false) // whoever fetches the whole shares it
		case !again:
			return nil
		}
		select {
		case <-time.After(2 * time.Millisecond << attempt): // what the origin has committed is on its way
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// branches fetches the changed locations of an organization once. again says that it failed because not all changes that the origin
// has were announced yet.
func (c *Cache) branches(ctx context.Context, origin membership.Branches, known *entry) (e *entry, again bool) {
	began := c.tracker.BeginFetch()
	changes, ok := c.tracker.LocationChanges(&known.Provenance)
	ids := changes.IDs()
	if !ok || len(ids) == 0 || len(ids) > maxBranches {
		return nil, false
	}
	c.counters.origin.Add(1)
	asking, span := tracing.Start(ctx, "origin")
	raw, err := origin.Branches(asking, known.Key.ID, ids)
	span.EndWith(err)
	if err != nil || raw == nil || raw.History != known.History || raw.Version < known.Version {
		return nil, false
	}
	if changes, ok = c.tracker.LocationChanges(&known.Provenance); !ok || !changes.CompleteAt(raw.Version, ids) {
		return nil, ok
	}
	locations, faults, err := known.validator.Locations(known.validator.Tokens(raw.Record))
	if err != nil || faults.Count() > 0 {
		return nil, false
	}
	tree, err := known.validator.Patch(known.tree, ids, locations, raw.Version)
	if err != nil {
		return nil, false
	}
	e = newEntry(began, known.Key, known.validator)
	e.Version, e.History = raw.Version, raw.History
	e.TTL = known.TTL - known.Age(e.AsOf) // the whole organization is fetched as often as if nothing had changed
	e.setTree(tree)
	e.hashLater = sync.OnceValue(func() [32]byte { return sha256.Sum256(record.EncodeLocations(nil, tree.InOrder())) })
	e.bytes = known.bytes / len(known.tree.All) * len(tree.All)
	if newer, _ := c.tracker.ClaimedNewer(&e.Provenance); newer || c.observeHistory(e) != nil {
		return nil, false
	}
	return e, false
}
