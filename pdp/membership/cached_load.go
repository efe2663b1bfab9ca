package membership

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// user gives what is known of an account.
func (c *Cached) user(ctx context.Context, n needed, id string) (*record, error) {
	key := recordKey{userRecord, id}
	return c.lookup(ctx, n, func() *record { return c.memory.get(key) }, key,
		func(ctx context.Context, n needed) (*record, error) {
			shared, usable := c.fromShared(ctx, n, key)
			if usable {
				return shared, nil
			}
			e, err := c.fetch(ctx, n, key, func(ctx context.Context, began fact) (*record, error) {
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
func (c *Cached) username(ctx context.Context, n needed, folded string) (*record, error) {
	key := recordKey{usernamePointer, folded}
	known := func() *record { return c.memory.get(key) }
	return c.lookup(ctx, n, known, key, func(ctx context.Context, n needed) (*record, error) {
		return c.fetch(ctx, n, key, func(ctx context.Context, began fact) (*record, error) {
			sent, err := c.origin.UserByUsername(ctx, folded)
			if err != nil {
				return nil, err
			}
			return c.namesake(n, key, sent, began)
		})
	})
}

// namesake gives the pointer to the one account that a username is of, and keeps both.
func (c *Cached) namesake(n needed, key recordKey, sent []Sent, began fact) (*record, error) {
	var found *record
	for _, one := range sent {
		e, err := c.userEntry(n, recordKey{kind: userRecord}, one, began, nil)
		if err != nil {
			return nil, err
		}
		if pdp.FoldCanonical(e.user.draft.Username) != key.id {
			continue
		}
		if found != nil && found.key == e.key {
			return nil, fmt.Errorf("%s: %w", e.key, errListedTwice)
		}
		if found != nil {
			err := fmt.Errorf("users %s and %s have the same username", quote(found.key.id), quote(e.key.id))
			c.quarantine.addAs(n.judge, "username of "+found.key.String(), key, err) // each is good by itself
			return nil, quarantined(key, err)
		}
		found = e
	}
	c.quarantine.remove(n.judge, key)
	if found == nil {
		return c.keep(c.nothing(n, key, began), false), nil
	}
	c.keep(found, true)
	pointer := &record{fact: began, key: key, judge: found.judge, bytes: entryBytes + len(key.id), pointer: found.key.id}
	pointer.version, pointer.made, pointer.history = 1, true, found.history
	pointer.life = c.life(false)
	return c.keep(pointer, true), nil
}

// tree gives the organization that a location belongs to, or that the location is absent.
func (c *Cached) tree(ctx context.Context, n needed, location string) (*record, error) {
	absent := recordKey{locationPointer, location}
	flight := absent
	if root := c.roots.find(location); root != "" {
		flight = recordKey{organizationRecord, root}
	}
	known := func() *record {
		if root := c.roots.find(location); root != "" {
			if e := c.memory.get(recordKey{organizationRecord, root}); e != nil && e.tree.has(location) {
				return e
			}
		}
		return c.memory.get(absent)
	}
	at := location
	if flight.kind == organizationRecord {
		at = flight.id // whoever else asks for a location of it waits for the same
	}
	e, err := c.lookup(ctx, n, known, flight, func(ctx context.Context, n needed) (*record, error) { return c.loadTree(ctx, n, at) })
	if err != nil || at == location || e.tree != nil && e.tree.has(location) {
		return e, err
	}
	// The tree is not any more what it was: the location has moved, or is gone.
	return c.lookup(ctx, n, func() *record { return c.memory.get(absent) }, absent,
		func(ctx context.Context, n needed) (*record, error) { return c.loadTree(ctx, n, location) })
}

// has says whether a tree has a location. One that must not be used has all that its records name.
func (t *locationTree) has(location string) bool { return t.drafts[location] != nil }

// finders is how many organizations are looked for at a time by locations of which it is not known where they belong.
const finders = 8

func (c *Cached) loadTree(ctx context.Context, n needed, location string) (*record, error) {
	if c.roots.find(location) == "" {
		// At the start many ask for many locations of one large organization: it need not be loaded for each of them.
		select {
		case c.finding <- struct{}{}:
			defer func() { <-c.finding }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if e := c.memory.get(recordKey{organizationRecord, c.roots.find(location)}); e != nil && e.tree.has(location) && c.usable(e, n) == good {
			return e, nil
		}
	}
	shared, usable := c.sharedTree(ctx, n, location)
	key := recordKey{locationPointer, location}
	if usable {
		if shared.tree.faults == nil {
			c.quarantine.remove(n.judge, key)
			c.quarantine.remove(n.judge, shared.key)
		}
		return shared, nil
	}
	e, err := c.fetch(ctx, n, key, func(ctx context.Context, began fact) (*record, error) {
		sent, err := c.origin.Organization(ctx, location)
		if err != nil || sent == nil {
			return c.nothing(n, key, began), err
		}
		e, err := c.treeEntry(n, *sent, began, shared)
		switch {
		case err != nil:
			c.quarantine.add(n.judge, key, err)
			return nil, quarantined(key, err)
		case !e.tree.has(location):
			return nil, fmt.Errorf("the origin gave an organization without %s for it", key)
		}
		return e, nil
	})
	if err != nil {
		return shared, err
	}
	c.quarantine.remove(n.judge, key) // where no organization could be made of it before
	if e.sound() {
		pointer := &record{fact: e.fact, key: key, pointer: e.key.id}
		pointer.version, pointer.made = 1, true
		c.share(pointer)
	}
	return c.keep(e, true), nil
}

// sharedTree finds the organization of a location in the shared tier.
func (c *Cached) sharedTree(ctx context.Context, n needed, location string) (e *record, usable bool) {
	root := c.roots.find(location)
	if root == "" {
		if root = c.sharedPointer(ctx, recordKey{locationPointer, location}); root == "" {
			return nil, false
		}
	}
	if e, usable = c.fromShared(ctx, n, recordKey{organizationRecord, root}); e != nil && !e.tree.has(location) {
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
func (c *Cached) fetch(ctx context.Context, n needed, key recordKey, ask func(context.Context, fact) (*record, error)) (*record, error) {
	for attempt := 1; ; attempt++ {
		began := c.feed.start()
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
			exceeded, worthwhile := c.feed.exceeded(e)
			if !exceeded || !worthwhile && len(n.atLeast) == 0 {
				return e, nil
			}
			if attempt >= claimedAttempts {
				c.counters.lagging.Add(1)
				c.feed.askedInVain(e.key)
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
func (c *Cached) nothing(n needed, key recordKey, began fact) *record {
	e := &record{fact: began, key: key, judge: n.judge, bytes: entryBytes + len(key.id), absent: true}
	e.life = c.life(true)
	return e
}

// userEntry reads a user that an origin delivered. A key without an id takes the record's.
func (c *Cached) userEntry(n needed, key recordKey, sent Sent, began fact, known *record) (*record, error) {
	e := &record{fact: began, key: key, judge: n.judge}
	e.history = sent.History
	if err := c.learn(e); err != nil {
		return nil, err
	}
	draft, shape, err := e.judge.user(e.judge.json(sent.Record))
	if err == nil && key.id != "" && draft.ID != key.id {
		err = errors.New("the record has another id than was asked for")
	}
	if err != nil {
		c.quarantine.add(n.judge, key, err)
		return nil, quarantined(key, err)
	}
	e.key.id = draft.ID
	e.user = &account{draft: draft, shape: shape}
	content := encodeUser(nil, draft)
	e.bytes, e.hash = userBytes(draft, content), sha256.Sum256(content)
	c.setVersion(e, sent.Version, known)
	e.life = c.life(false)
	c.compare(e)
	return e, nil
}

// treeEntry reads the locations that an origin delivered.
func (c *Cached) treeEntry(n needed, sent Sent, began fact, known *record) (*record, error) {
	e := &record{fact: began, judge: n.judge}
	e.history = sent.History
	if err := c.learn(e); err != nil {
		return nil, err
	}
	drafts, faults, err := e.judge.locations(e.judge.json(sent.Record))
	if err != nil {
		return nil, err
	}
	content := encodeLocations(nil, drafts)
	e.bytes, e.hash = organizationBytes(drafts, content), sha256.Sum256(content)
	err = c.grow(e, drafts, faults, sent.Version, known)
	if err == nil {
		c.compare(e)
	}
	return e, err
}

// grow makes the tree of an entry; it is the one that is known where that says the same.
func (c *Cached) grow(e *record, drafts []locationDraft, faults *Faults, version uint64, known *record) error {
	root := rootOf(drafts)
	e.key = recordKey{organizationRecord, root}
	e.life = c.life(false)
	kept := c.memory.get(e.key)
	if kept == nil {
		kept = known
	}
	c.setVersion(e, version, kept)
	// The hash does not show what is wrong with a record beside its content.
	if kept != nil && kept.tree != nil && kept.judge == e.judge && kept.hash == e.hash && kept.tree.faults == nil && faults.count == 0 {
		e.tree = kept.tree
		return nil
	}
	var previous *locationTree
	if kept != nil && kept.judge == e.judge {
		previous = kept.tree
	}
	var err error
	e.tree, err = e.judge.tree(drafts, faults, e.version, previous)
	return err
}

// keep puts an entry into the in-process tier and, where it is worth it, into the shared one.
func (c *Cached) keep(e *record, share bool) *record {
	switch {
	case e.tree != nil && e.tree.faults != nil:
		c.quarantine.add(e.judge, e.key, e.tree.faults)
	case e.tree != nil:
		c.quarantine.remove(e.judge, e.key)
	case e.absent:
		c.quarantine.remove(e.judge, e.key)
		if e.key.kind == locationPointer {
			c.quarantine.remove(e.judge, recordKey{organizationRecord, e.key.id})
		}
	}
	if c.remember(e) && share && e.sound() {
		c.share(e)
	}
	return e
}

// remember puts an entry into the in-process tier, and says whether it is there now. What a view of another policy has read
// is not kept: it would take the place of what is of use to others.
func (c *Cached) remember(e *record) bool {
	if e.judge != c.judge.Load() || c.memory.put(e) != e {
		return false
	}
	if e.tree != nil {
		c.roots.add(e.tree)
	}
	return true
}
