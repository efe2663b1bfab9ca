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
)

// user gives what is known of an account.
func (c *Cache) user(ctx context.Context, n requirement, id string) (*entry, error) {
	key := membership.Key{Kind: membership.UserRecord, ID: id}
	return c.lookup(ctx, n, func() *entry { return c.memory.get(key) }, key,
		func(ctx context.Context, n requirement) (*entry, error) {
			shared, usable := c.fromShared(ctx, n, key)
			if usable {
				return shared, nil
			}
			e, err := c.fetch(ctx, n, key, func(ctx context.Context, began freshness.Provenance) (*entry, error) {
				sent, err := c.origin.User(ctx, id)
				if err != nil || sent == nil {
					return c.nothing(n, key, began), err
				}
				return c.userEntry(n, key, *sent, began, shared)
			})
			if err != nil {
				return shared, err
			}
			return c.keep(e, true), nil
		})
}

// username asks the origin whose a username is, where that is not known to be nobody's.
func (c *Cache) username(ctx context.Context, n requirement, folded string) (*entry, error) {
	key := membership.Key{Kind: membership.UsernamePointer, ID: folded}
	known := func() *entry { return c.memory.get(key) }
	return c.lookup(ctx, n, known, key, func(ctx context.Context, n requirement) (*entry, error) {
		return c.fetch(ctx, n, key, func(ctx context.Context, began freshness.Provenance) (*entry, error) {
			sent, err := c.origin.UserByUsername(ctx, folded)
			if err != nil {
				return nil, err
			}
			return c.namesake(n, key, sent, began)
		})
	})
}

// namesake gives the pointer to the one account that a username is of, and keeps both.
func (c *Cache) namesake(n requirement, key membership.Key, sent []membership.RawRecord, began freshness.Provenance) (*entry, error) {
	var found *entry
	for _, one := range sent {
		e, err := c.userEntry(n, membership.Key{Kind: membership.UserRecord}, one, began, nil)
		if err != nil {
			return nil, err
		}
		if facts.FoldCanonical(e.user.draft.Username) != key.ID {
			continue
		}
		if found != nil && found.Key == e.Key {
			return nil, fmt.Errorf("%s: %w", e.Key, errListedTwice)
		}
		if found != nil {
			err := fmt.Errorf("users %s and %s have the same username", membership.Quote(found.Key.ID), membership.Quote(e.Key.ID))
			c.quarantine.addAs(n.validator, "username of "+found.Key.String(), key, err) // each is good by itself
			return nil, quarantined(key, err)
		}
		found = e
	}
	c.quarantine.remove(n.validator, key)
	if found == nil {
		return c.keep(c.nothing(n, key, began), false), nil
	}
	c.keep(found, true)
	pointer := newEntry(began, key, found.validator)
	pointer.bytes, pointer.pointer = entryBytes+len(key.ID), found.Key.ID
	pointer.Version, pointer.Synthetic, pointer.History = 1, true, found.History
	pointer.TTL = c.life(false)
	return c.keep(pointer, true), nil
}

// tree gives the organization that a location belongs to, or that the location is absent.
func (c *Cache) tree(ctx context.Context, n requirement, location string) (*entry, error) {
	absent := membership.Key{Kind: membership.LocationPointer, ID: location}
	flight := absent
	if root := c.orgIndex.find(location); root != "" {
		flight = membership.Key{Kind: membership.OrganizationRecord, ID: root}
	}
	known := func() *entry {
		if root := c.orgIndex.find(location); root != "" {
			if e := c.memory.get(membership.Key{Kind: membership.OrganizationRecord, ID: root}); e != nil && e.tree.Has(location) {
				return e
			}
		}
		return c.memory.get(absent)
	}
	at := location
	if flight.Kind == membership.OrganizationRecord {
		at = flight.ID // whoever else asks for a location of it waits for the same
	}
	e, err := c.lookup(ctx, n, known, flight, func(ctx context.Context, n requirement) (*entry, error) { return c.loadTree(ctx, n, at) })
	if err != nil || at == location || e.tree != nil && e.tree.Has(location) {
		return e, err
	}
	// The tree is not any more what it was: the location has moved, or is gone.
	return c.lookup(ctx, n, func() *entry { return c.memory.get(absent) }, absent,
		func(ctx context.Context, n requirement) (*entry, error) { return c.loadTree(ctx, n, location) })
}

// finders is how many organizations are looked for at a time by locations of which it is not known where they belong.
const finders = 8

func (c *Cache) loadTree(ctx context.Context, n requirement, location string) (*entry, error) {
	if c.orgIndex.find(location) == "" {
		// At the start many ask for many locations of one large organization: it need not be loaded for each of them.
		select {
		case c.finding <- struct{}{}:
			defer func() { <-c.finding }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if e := c.memory.get(membership.Key{Kind: membership.OrganizationRecord, ID: c.orgIndex.find(location)}); e != nil && e.tree.Has(location) && c.usable(e, n) == freshness.Fresh {
			return e, nil
		}
	}
	shared, usable := c.sharedTree(ctx, n, location)
	key := membership.Key{Kind: membership.LocationPointer, ID: location}
	if usable {
		if shared.tree.Faults == nil {
			c.quarantine.remove(n.validator, key)
			c.quarantine.remove(n.validator, shared.Key)
		}
		return shared, nil
	}
	e, err := c.fetch(ctx, n, key, func(ctx context.Context, began freshness.Provenance) (*entry, error) {
		sent, err := c.origin.Organization(ctx, location)
		if err != nil || sent == nil {
			return c.nothing(n, key, began), err
		}
		e, err := c.treeEntry(n, *sent, began, shared)
		switch {
		case err != nil:
			c.quarantine.add(n.validator, key, err)
			return nil, quarantined(key, err)
		case !e.tree.Has(location):
			return nil, fmt.Errorf("the origin gave an organization without %s for it", key)
		}
		return e, nil
	})
	if err != nil {
		return shared, err
	}
	c.quarantine.remove(n.validator, key) // where no organization could be made of it before
	if e.sound() {
		pointer := newEntry(e.Provenance, key, nil)
		pointer.pointer, pointer.Absent, pointer.Locations = e.Key.ID, false, nil
		pointer.Version, pointer.Synthetic = 1, true
		c.share(pointer)
	}
	return c.keep(e, true), nil
}

// sharedTree finds the organization of a location in the shared tier.
func (c *Cache) sharedTree(ctx context.Context, n requirement, location string) (e *entry, usable bool) {
	root := c.orgIndex.find(location)
	if root == "" {
		if root = c.sharedPointer(ctx, membership.Key{Kind: membership.LocationPointer, ID: location}); root == "" {
			return nil, false
		}
	}
	if e, usable = c.fromShared(ctx, n, membership.Key{Kind: membership.OrganizationRecord, ID: root}); e != nil && !e.tree.Has(location) {
		return nil, false
	}
	return e, usable
}

// attempts bounds how often an origin is asked that gives what is older than what was seen of it, or than is claimed.
const (
	attempts        = 4
	claimedAttempts = 3
)

// errLagging is for an origin, such as a replica, that gives what is older than is known.
var errLagging = errors.New("the origin is behind what has been announced or seen of it")

// fetch asks the origin. What is older than what was seen of it is asked for again, and not taken. What is older than was
// announced is asked for again, and taken then: the origin knows better than whoever announces.
func (c *Cache) fetch(ctx context.Context, n requirement, key membership.Key, ask func(context.Context, freshness.Provenance) (*entry, error)) (*entry, error) {
	for attempt := 1; ; attempt++ {
		began := c.tracker.BeginFetch()
		c.counters.origin.Add(1)
		e, err := ask(ctx, began)
		switch {
		case err != nil:
			c.counters.failures.Add(1)
			return nil, err
		case c.behind(e):
			if attempt == attempts {
				return nil, fmt.Errorf("%s: %w", key, errLagging)
			}
		default:
			exceeded, worthwhile := c.tracker.ClaimedNewer(&e.Provenance)
			if !exceeded || !worthwhile && len(n.atLeast) == 0 {
				return e, nil
			}
			if attempt >= claimedAttempts {
				c.counters.lagging.Add(1)
				c.tracker.ClaimUnmet(e.Key)
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

// nothing is the entry of a record that is not there.
func (c *Cache) nothing(n requirement, key membership.Key, began freshness.Provenance) *entry {
	e := newEntry(began, key, n.validator)
	e.bytes, e.Absent = entryBytes+len(key.ID), true
	e.TTL = c.life(true)
	return e
}

// userEntry reads a user that an origin delivered. A key without an id takes the record's.
func (c *Cache) userEntry(n requirement, key membership.Key, sent membership.RawRecord, began freshness.Provenance, known *entry) (*entry, error) {
	e := newEntry(began, key, n.validator)
	e.History = sent.History
	if err := c.learn(e); err != nil {
		return nil, err
	}
	draft, shape, err := e.validator.User(e.validator.Tokens(sent.Record))
	if err == nil && key.ID != "" && draft.ID != key.ID {
		err = errors.New("the record has another id than was asked for")
	}
	if err != nil {
		c.quarantine.add(n.validator, key, err)
		return nil, quarantined(key, err)
	}
	e.Key.ID = draft.ID
	e.user = &account{draft: draft, shape: shape}
	content := record.EncodeUser(nil, draft)
	e.bytes, e.hash = userBytes(draft, content), sha256.Sum256(content)
	c.setVersion(e, sent.Version, known)
	e.TTL = c.life(false)
	c.compare(e)
	return e, nil
}

// treeEntry reads the locations that an origin delivered.
func (c *Cache) treeEntry(n requirement, sent membership.RawRecord, began freshness.Provenance, known *entry) (*entry, error) {
	e := newEntry(began, membership.Key{}, n.validator)
	e.History = sent.History
	if err := c.learn(e); err != nil {
		return nil, err
	}
	drafts, faults, err := e.validator.Locations(e.validator.Tokens(sent.Record))
	if err != nil {
		return nil, err
	}
	content := record.EncodeLocations(nil, drafts)
	e.bytes, e.hash = organizationBytes(drafts, content), sha256.Sum256(content)
	err = c.grow(e, drafts, faults, sent.Version, known)
	if err == nil {
		c.compare(e)
	}
	return e, err
}

// grow makes the tree of an entry; it is the one that is known where that says the same.
func (c *Cache) grow(e *entry, drafts []record.Location, faults *record.Faults, version uint64, known *entry) error {
	root := rootOf(drafts)
	e.Key = membership.Key{Kind: membership.OrganizationRecord, ID: root}
	e.TTL = c.life(false)
	kept := c.memory.get(e.Key)
	if kept == nil {
		kept = known
	}
	c.setVersion(e, version, kept)
	// The hash does not show what is wrong with a record beside its content.
	if kept != nil && kept.tree != nil && kept.validator == e.validator && kept.hash == e.hash && kept.tree.Faults == nil && faults.Count() == 0 {
		e.plant(kept.tree)
		return nil
	}
	var previous *record.Tree
	if kept != nil && kept.validator == e.validator {
		previous = kept.tree
	}
	t, err := e.validator.Tree(drafts, faults, e.Version, previous)
	if err == nil {
		e.plant(t)
	}
	return err
}

// keep puts an entry into the in-process tier and, where it is worth it, into the shared one.
func (c *Cache) keep(e *entry, share bool) *entry {
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
	if c.remember(e) && share && e.sound() {
		c.share(e)
	}
	return e
}

// remember puts an entry into the in-process tier, and says whether it is there now. What a view of another policy has read
// is not kept: it would take the place of what is of use to others.
func (c *Cache) remember(e *entry) bool {
	if e.validator != c.validator.Load() || c.memory.put(e) != e {
		return false
	}
	if e.tree != nil {
		c.orgIndex.add(e.tree)
	}
	return true
}
