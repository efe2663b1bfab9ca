package cache

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/freshness"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
	"github.com/wardkeeper/wardkeeper/pdp/tracing"
)

// user returns the entry of a user. It has Absent set if there is no such user.
func (c *Cache) user(ctx context.Context, n requirement, id string) (*entry, error) {
	key := membership.Key{Kind: membership.UserRecord, ID: id}
	return c.lookup(ctx, n, func() *entry { return c.memory.get(key) }, key,
		func(ctx context.Context, n requirement) (*entry, error) { return c.loadUser(ctx, n, key) })
}

func (c *Cache) loadUser(ctx context.Context, n requirement, key membership.Key) (*entry, error) {
	return c.fetchForAll(ctx, n, key, func(ctx context.Context) (*entry, bool) { return c.fromShared(ctx, n, key) },
		func(shared *entry) (*entry, []*entry, error) {
			e, err := c.fetch(ctx, n, key, func(ctx context.Context, began freshness.Provenance) (*entry, error) {
				raw, err := c.origin.User(ctx, key.ID)
				if err != nil || raw == nil {
					return c.absent(n, key, began), err
				}
				return c.userEntry(n, key, *raw, began, shared)
			})
			return e, []*entry{e}, err
		})
}

// username returns the pointer for a username. It asks the origin, unless memory knows that no user has the username.
func (c *Cache) username(ctx context.Context, n requirement, folded string) (*entry, error) {
	key := membership.Key{Kind: membership.UsernamePointer, ID: folded}
	known := func() *entry { return c.memory.get(key) }
	return c.lookup(ctx, n, known, key, func(ctx context.Context, n requirement) (*entry, error) {
		return c.fetch(ctx, n, key, func(ctx context.Context, began freshness.Provenance) (*entry, error) {
			raw, err := c.origin.UserByUsername(ctx, folded)
			if err != nil {
				return nil, err
			}
			return c.pointerTo(n, key, raw, began)
		})
	})
}

// pointerTo returns the pointer to the user that has a username, and keeps the pointer and the user. Two users with the
// same username are a fault.
func (c *Cache) pointerTo(n requirement, key membership.Key, raw []membership.RawRecord, began freshness.Provenance) (*entry, error) {
	var found *entry
	for _, one := range raw {
		e, err := c.userEntry(n, membership.Key{Kind: membership.UserRecord}, one, began, nil)
		if err != nil {
			return nil, err
		}
		if facts.FoldCanonical(e.user.record.Username) != key.ID {
			continue
		}
		if found != nil && found.Key == e.Key {
			return nil, fmt.Errorf("%s: %w", e.Key, errListedTwice)
		}
		if found != nil {
			err := fmt.Errorf("users %s and %s have the same username", membership.Quote(found.Key.ID), membership.Quote(e.Key.ID))
			c.quarantine.addAs(n.validator, "username of "+found.Key.String(), key, err) // each record by itself is valid
			return nil, quarantined(key, err)
		}
		found = e
	}
	c.quarantine.remove(n.validator, key)
	if found == nil {
		absent := c.absent(n, key, began)
		c.keep(absent)
		return absent, nil
	}
	if c.keep(found) {
		c.share(nil, found)
	}
	pointer := newEntry(began, key, found.validator)
	pointer.bytes, pointer.pointer = entryBytes+len(key.ID), found.Key.ID
	pointer.History, pointer.TTL = found.History, c.randomTTL(false)
	c.keep(pointer)
	return pointer, nil
}

// organization returns the entry of the organization that a location belongs to. It has Absent set if there is no such
// location.
func (c *Cache) organization(ctx context.Context, n requirement, location string) (*entry, error) {
	pointer := membership.Key{Kind: membership.LocationPointer, ID: location}
	key := pointer
	if root := c.orgIndex.find(location); root != "" {
		key = membership.Key{Kind: membership.OrganizationRecord, ID: root}
	}
	known := func() *entry {
		if root := c.orgIndex.find(location); root != "" {
			if e := c.memory.get(membership.Key{Kind: membership.OrganizationRecord, ID: root}); e != nil && e.tree.Has(location) {
				return e
			}
		}
		return c.memory.get(pointer)
	}
	at := location
	if key.Kind == membership.OrganizationRecord {
		at = key.ID // lookups of all its locations share one load
	}
	e, err := c.lookup(ctx, n, known, key, func(ctx context.Context, n requirement) (*entry, error) { return c.loadOrganization(ctx, n, at) })
	if err != nil || at == location || e.tree != nil && e.tree.Has(location) {
		return e, err
	}
	// The location has moved to another organization or no longer exists.
	return c.lookup(ctx, n, func() *entry { return c.memory.get(pointer) }, pointer,
		func(ctx context.Context, n requirement) (*entry, error) { return c.loadOrganization(ctx, n, location) })
}

// maxOrgFetches limits how many organizations are loaded at a time for locations whose organization is unknown. After a
// start, many locations of one large organization are requested at once, and it should not be loaded for each of them.
const maxOrgFetches = 8

func (c *Cache) loadOrganization(ctx context.Context, n requirement, location string) (*entry, error) {
	if e := c.fromBranches(ctx, n, location); e != nil {
		return e, nil
	}
	if c.orgIndex.find(location) == "" {
		select {
		case c.orgFetches <- struct{}{}:
			defer func() { <-c.orgFetches }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if e := c.memory.get(membership.Key{Kind: membership.OrganizationRecord, ID: c.orgIndex.find(location)}); e != nil && e.tree.Has(location) && c.check(e, n) == freshness.Fresh {
			return e, nil
		}
	}
	reserved := membership.Key{Kind: membership.LocationPointer, ID: location}
	if root := c.orgIndex.find(location); root != "" {
		reserved = membership.Key{Kind: membership.OrganizationRecord, ID: root}
	}
	return c.loadWhole(ctx, n, location, reserved)
}

// loadWhole loads the organization of a location as a whole. The fetch is reserved under a key.
func (c *Cache) loadWhole(ctx context.Context, n requirement, location string, reserved membership.Key) (*entry, error) {
	at := membership.Key{Kind: membership.LocationPointer, ID: location}
	e, err := c.fetchForAll(ctx, n, reserved, func(ctx context.Context) (*entry, bool) { return c.sharedOrganization(ctx, n, location) },
		func(shared *entry) (*entry, []*entry, error) { return c.fetchOrganization(ctx, n, at, shared) })
	if err == nil && e.tree != nil && e.tree.Faults == nil {
		c.quarantine.remove(n.validator, at)
		c.quarantine.remove(n.validator, e.Key)
	}
	return e, err
}

// fetchOrganization fetches the organization of the location that a key names. It also returns what to share: the organization and
// a pointer to it.
func (c *Cache) fetchOrganization(ctx context.Context, n requirement, key membership.Key, shared *entry) (e *entry, all []*entry, err error) {
	e, err = c.fetch(ctx, n, key, func(ctx context.Context, began freshness.Provenance) (*entry, error) {
		raw, err := c.origin.Organization(ctx, key.ID)
		if err != nil || raw == nil {
			return c.absent(n, key, began), err
		}
		e, err := c.organizationEntry(n, *raw, began, shared)
		switch {
		case err != nil:
			c.quarantine.add(n.validator, key, err)
			return nil, quarantined(key, err)
		case !e.tree.Has(key.ID):
			return nil, fmt.Errorf("the origin gave an organization without %s for it", key)
		}
		return e, nil
	})
	if err != nil {
		return nil, nil, err
	}
	c.quarantine.remove(n.validator, key) // it may have been malformed before
	if !e.shareable() {
		return e, nil, nil
	}
	pointer := newEntry(e.Provenance, key, nil)
	pointer.pointer, pointer.Absent, pointer.Locations = e.Key.ID, false, nil
	pointer.Version, pointer.Synthetic = 1, true
	return e, []*entry{e, pointer}, nil
}

// sharedOrganization returns the organization of a location from the shared store.
func (c *Cache) sharedOrganization(ctx context.Context, n requirement, location string) (e *entry, usable bool) {
	root := c.orgIndex.find(location)
	if root == "" {
		if root = c.sharedRoot(ctx, location); root == "" {
			return nil, false
		}
	}
	if e, usable = c.fromShared(ctx, n, membership.Key{Kind: membership.OrganizationRecord, ID: root}); e != nil && !e.tree.Has(location) {
		return nil, false
	}
	return e, usable
}

const (
	maxAttempts      = 4 // while the origin delivers a record older than one already seen
	maxClaimAttempts = 3 // while the origin delivers a record older than announced
)

// errLagging is the error for an origin, such as a replica, that delivers a record older than one already known.
var errLagging = errors.New("the origin is behind what it has delivered or what was announced")

// fetch asks the origin for a record. If the record is older than one already seen, it asks again, and fails if that
// does not help. If the record is older than announced, it asks again, and then accepts the record: the origin is more
// trustworthy than the sender of an announcement.
func (c *Cache) fetch(ctx context.Context, n requirement, key membership.Key, ask func(context.Context, freshness.Provenance) (*entry, error)) (*entry, error) {
	for attempt := 1; ; attempt++ {
		began := c.tracker.BeginFetch()
		c.counters.origin.Add(1)
		asking, span := tracing.Start(ctx, "origin")
		e, err := ask(asking, began)
		span.EndWith(err)
		switch {
		case err != nil:
			c.failed(err)
			return nil, err
		case c.behind(e):
			if kept := c.memory.get(e.Key); c.check(kept, n) == freshness.Fresh && (kept.tree == nil || kept.tree.Has(key.ID)) {
				return kept, nil // its changes were fetched meanwhile
			}
			if attempt == maxAttempts {
				return nil, fmt.Errorf("%s: %w", key, errLagging)
			}
		default:
			newer, retry := c.tracker.ClaimedNewer(&e.Provenance)
			if !newer || !retry && len(n.atLeast) == 0 {
				return e, nil
			}
			if attempt >= maxClaimAttempts {
				c.counters.lagging.Add(1)
				c.tracker.ClaimUnmet(&e.Provenance)
				return e, nil
			}
		}
		c.counters.lagging.Add(1)
		select {
		case <-time.After(20 * time.Millisecond << attempt):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// absent returns the entry for a record that does not exist.
func (c *Cache) absent(n requirement, key membership.Key, began freshness.Provenance) *entry {
	e := newEntry(began, key, n.validator)
	e.bytes, e.Absent = entryBytes+len(key.ID), true
	e.TTL = c.randomTTL(true)
	return e
}

// userEntry reads a user delivered by an origin. If the key has no id, the record may be of any user.
func (c *Cache) userEntry(n requirement, key membership.Key, raw membership.RawRecord, began freshness.Provenance, known *entry) (*entry, error) {
	e := newEntry(began, key, n.validator)
	e.History = raw.History
	if err := c.observeHistory(e); err != nil {
		return nil, err
	}
	user, faults, err := e.validator.RawUser(raw)
	if err == nil && key.ID != "" && user.ID != key.ID {
		err = errors.New("the record has a different id from the one asked for")
	}
	if err != nil {
		c.quarantine.add(n.validator, key, err)
		return nil, quarantined(key, err)
	}
	e.Key.ID = user.ID
	e.user = &account{record: user, faults: faults}
	content := record.EncodeUser(nil, user)
	e.bytes, e.hash = userBytes(user, content), sha256.Sum256(content)
	c.setVersion(e, raw.Version, known)
	e.TTL = c.randomTTL(false)
	c.detectConflict(e)
	return e, nil
}

// organizationEntry reads the locations delivered by an origin.
func (c *Cache) organizationEntry(n requirement, raw membership.RawRecord, began freshness.Provenance, known *entry) (*entry, error) {
	e := newEntry(began, membership.Key{}, n.validator)
	e.History = raw.History
	if err := c.observeHistory(e); err != nil {
		return nil, err
	}
	locations, faults, err := e.validator.Locations(e.validator.Tokens(raw.Record))
	if err != nil {
		return nil, err
	}
	content := record.EncodeLocations(nil, locations)
	e.bytes, e.hash = organizationBytes(locations, content), sha256.Sum256(content)
	err = c.buildTree(e, locations, faults, raw.Version, known)
	if err == nil {
		c.detectConflict(e)
	}
	return e, err
}

// buildTree builds the tree of an entry, or reuses the known one if its content is the same.
func (c *Cache) buildTree(e *entry, locations []record.Location, faults *record.Faults, version uint64, known *entry) error {
	root := rootID(locations)
	e.Key = membership.Key{Kind: membership.OrganizationRecord, ID: root}
	e.TTL = c.randomTTL(false)
	kept := c.memory.get(e.Key)
	if kept == nil {
		kept = known
	}
	c.setVersion(e, version, kept)
	// The hash covers only the content, not the faults of a record.
	if kept != nil && kept.tree != nil && kept.validator == e.validator && kept.contentHash() == e.hash && kept.tree.Faults == nil && faults.Count() == 0 {
		e.setTree(kept.tree)
		return nil
	}
	var previous *record.Tree
	if kept != nil && kept.validator == e.validator {
		previous = kept.tree
	}
	t, err := e.validator.Tree(locations, faults, e.Version, previous)
	if err == nil {
		e.setTree(t)
	}
	return err
}

// keep puts an entry into memory, and updates the quarantine. It reports whether the entry may be shared.
func (c *Cache) keep(e *entry) bool {
	switch {
	case e.tree != nil && e.tree.Faults != nil:
		c.quarantine.add(e.validator, e.Key, e.tree.Faults)
	case e.tree != nil:
		c.quarantine.remove(e.validator, e.Key)
	case e.Absent:
		c.quarantine.remove(e.validator, e.Key)
		if e.Key.Kind == membership.LocationPointer {
			c.quarantine.remove(e.validator, membership.Key{Kind: membership.OrganizationRecord, ID: e.Key.ID})
		}
	}
	return c.remember(e) && e.shareable()
}

// remember puts an entry into memory, and reports whether it is there now. An entry validated under another policy than
// the current one is not kept: it would replace an entry that other views can use.
func (c *Cache) remember(e *entry) bool {
	if e.validator != c.validator.Load() {
		return false
	}
	kept, replaced := c.memory.put(e)
	if kept != e {
		return false
	}
	switch {
	case e.tree != nil && replaced != nil:
		c.orgIndex.add(e.tree, replaced.tree)
	case e.tree != nil:
		c.orgIndex.add(e.tree, nil)
	case replaced != nil && replaced.tree != nil:
		c.orgIndex.remove(replaced.tree)
	}
	return true
}
