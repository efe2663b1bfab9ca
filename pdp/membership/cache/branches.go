package cache

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/facts"

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
	if changes, ok := c.tracker.LocationChanges(&known.Provenance); !ok || len(changes.IDs()) == 0 {
		return nil // and neither helps what another sidecar has fetched
	}
	moved := false
	for attempt := range branchesAttempts {
		e, err := c.fetchForAll(ctx, n, membership.Key{Kind: membership.OrganizationParts, ID: root},
			func(ctx context.Context) (*entry, bool) {
				if e := c.memory.get(known.Key); c.check(e, n) == freshness.Fresh {
					return e, true // this sidecar has fetched them meanwhile
				}
				e := c.sharedParts(ctx, n, known)
				return e, e != nil
			},
			func(*entry) (*entry, []*entry, error) { return c.fetchParts(ctx, origin, known, moved) })
		switch {
		case err == nil:
			return e // the whole is shared by whoever fetches it
		case errors.Is(err, record.ErrMoved) && !moved:
			moved = true
			continue
		case !errors.Is(err, errAhead):
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

var (
	errAhead   = errors.New("the origin has changes that have not been announced yet")
	errUnknown = errors.New("it is not known what has changed in the organization")
	errParts   = errors.New("the parts of an organization cannot be read")
)

// parts is what an origin delivered of an organization.
type parts struct {
	asked  []string // ids of locations, sorted
	alone  []string // others, which have been there as before: what is beneath them is known
	record []byte   // those of them that are in the organization, and all beneath those asked
}

// ids returns those of all locations, sorted.
func (p *parts) ids() []string { return slices.Sorted(slices.Values(slices.Concat(p.asked, p.alone))) }

// fetchParts fetches the changed locations of an organization. It returns the organization, and the parts to share. If a location may have
// moved, everything beneath the changed ones is fetched.
func (c *Cache) fetchParts(ctx context.Context, origin membership.Branches, known *entry, moved bool) (*entry, []*entry, error) {
	began := c.tracker.BeginFetch()
	changes, ok := c.tracker.LocationChanges(&known.Provenance)
	ids := changes.IDs()
	if !ok || len(ids) == 0 || len(ids) > maxBranches {
		return nil, nil, errUnknown
	}
	fetched := &parts{asked: []string{}, alone: []string{}}
	for _, id := range ids {
		if !moved && known.tree.Above(id) && changes.AtMostOnce(id, math.MaxUint64) {
			fetched.alone = append(fetched.alone, id)
		} else {
			fetched.asked = append(fetched.asked, id)
		}
	}
	c.counters.origin.Add(1)
	asking, span := tracing.Start(ctx, "origin")
	raw, err := origin.Branches(asking, known.Key.ID, fetched.asked, fetched.alone)
	span.EndWith(err)
	switch {
	case err != nil:
		c.failed(err)
		return nil, nil, err
	case raw == nil:
		return nil, nil, errUnknown
	}
	p := newEntry(began, membership.Key{Kind: membership.OrganizationParts, ID: known.Key.ID}, known.validator)
	p.Version, p.History, p.TTL = raw.Version, raw.History, c.cfg.TTL
	fetched.record = raw.Record
	p.parts = fetched
	e, err := c.withParts(known, p)
	return e, []*entry{p}, err
}

// sharedParts returns an organization with the parts that another sidecar has fetched; nil if they do not prove what it is now.
func (c *Cache) sharedParts(ctx context.Context, n requirement, known *entry) *entry {
	p := c.sharedEntry(ctx, n, membership.Key{Kind: membership.OrganizationParts, ID: known.Key.ID})
	if p == nil || p.Version < known.Version {
		return nil
	}
	e, err := c.withParts(known, p)
	if err != nil || c.check(e, n) != freshness.Fresh || c.behind(e) {
		return nil
	}
	c.remember(e)
	c.counters.shared.Add(1)
	return e
}

// withParts returns what an organization has become, if the announcements since prove that nothing but the parts has changed.
func (c *Cache) withParts(known, p *entry) (*entry, error) {
	if p.History != known.History || p.Version < known.Version {
		return nil, errUnknown
	}
	changes, ok := c.tracker.LocationChanges(&known.Provenance)
	ids := p.parts.ids()
	left := func(id string) bool { return !changes.AtMostOnce(id, p.Version) }
	switch {
	case !ok:
		return nil, errUnknown
	case !changes.CompleteAt(p.Version, ids):
		return nil, errAhead
	case slices.ContainsFunc(p.parts.alone, left):
		return nil, record.ErrMoved
	}
	locations, faults, err := known.validator.Locations(known.validator.Tokens(p.parts.record))
	if err != nil || faults.Count() > 0 {
		return nil, errParts
	}
	if locations, err = known.tree.Complete(ids, p.parts.alone, locations); err != nil {
		return nil, err
	}
	tree, err := known.validator.Patch(known.tree, ids, locations, p.Version)
	if err != nil {
		return nil, err
	}
	e := newEntry(p.Provenance, known.Key, known.validator)
	e.TTL = known.TTL - known.Age(e.AsOf) // the whole organization is fetched as often as if nothing had changed
	e.setTree(tree)
	e.hashLater = sync.OnceValue(func() [32]byte { return sha256.Sum256(record.EncodeLocations(nil, tree.InOrder())) })
	e.bytes = known.bytes / len(known.tree.All) * len(tree.All)
	if newer, _ := c.tracker.ClaimedNewer(&e.Provenance); newer || c.observeHistory(e) != nil {
		return nil, errUnknown
	}
	return e, nil
}

// partsJSON is what the shared store has of parts.
type partsJSON struct {
	Asked  []string        `json:"asked"` // with what is beneath them: all that earlier releases know
	Alone  []string        `json:"alone,omitempty"`
	Record json.RawMessage `json:"record"`
}

func (p *parts) encode(b []byte) []byte {
	text, err := json.Marshal(partsJSON{p.asked, p.alone, p.record})
	if err != nil {
		return b // nothing that decodes
	}
	return append(b, text...)
}

func decodeParts(text []byte) (*parts, error) {
	var p partsJSON
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, errParts
	}
	found := &parts{p.Asked, p.Alone, p.Record}
	ids := found.ids()
	invalid := func(id string) bool { return !facts.ValidID(id) }
	sorted := slices.IsSorted(p.Asked) && slices.IsSorted(p.Alone)
	if len(ids) == 0 || len(ids) > maxBranches || !sorted || len(slices.Compact(slices.Clone(ids))) < len(ids) ||
		slices.ContainsFunc(ids, invalid) {
		return nil, errParts
	}
	return found, nil
}
