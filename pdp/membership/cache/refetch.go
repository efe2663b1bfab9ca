package cache

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

const (
	refetchers   = 2
	maxRefetches = 1024 // that wait; when more records change at a time, whoever needs them fetches them
	maxReserved  = 64   // at a time, for what is announced
)

// refetching is the tracker's handler of the stream. While this sidecar leads, it also fetches what has changed, for all: the leader has
// a connection to the origin, and any other sidecar would open one for a single record.
type refetching struct {
	membership.StreamHandler
	c *Cache
}

// refetch is a changed record to fetch for all.
type refetch struct {
	pdp.Change
	reserved bool // by this sidecar, when it announced the change
}

func (h refetching) Changed(a membership.Announcement) {
	h.StreamHandler.Changed(a)
	for _, change := range a.Changes {
		change.Record = nil
		if state := h.c.announced.pass(change); state != reserving && !h.c.enqueue(refetch{change, state == reserved}) {
			return
		}
	}
}

// enqueue lets a changed record be fetched, if this sidecar is to do so. It reports whether more can be.
func (c *Cache) enqueue(one refetch) bool {
	if !one.reserved && (c.cfg.Leads == nil || !c.cfg.Leads()) {
		return true
	}
	select {
	case c.refetches <- one:
		return true
	default:
		return false
	}
}

// reservable returns the key that reserves the fetch of a changed record.
func reservable(change pdp.Change) membership.Key {
	switch {
	case change.Kind == pdp.UserChanged:
		return membership.Key{Kind: membership.UserRecord, ID: change.ID}
	case change.Kind == pdp.LocationChanged && change.Organization != "":
		return membership.Key{Kind: membership.OrganizationParts, ID: change.Organization}
	}
	return membership.Key{}
}

// announced are the records whose changes this sidecar announces, by what reserves their fetch.
type announced struct {
	mu  sync.Mutex
	all map[membership.Key]*reservation
}

// reservation is that of a fetch, or will be.
type reservation struct {
	state  reservationState
	passed *pdp.Change // what the stream has reported while the fetch was being reserved; nil: nothing
	until  time.Time
}

type reservationState int

const (
	notReserved reservationState = iota
	reserving
	reserved
)

// add notes that a fetch is being reserved. It returns false if it is already, or too many are.
func (a *announced) add(key membership.Key, until time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(a.all, func(_ membership.Key, r *reservation) bool { return now.After(r.until) && r.state == reserved })
	if a.all[key] != nil || len(a.all) >= maxReserved {
		return false
	}
	if a.all == nil {
		a.all = map[membership.Key]*reservation{}
	}
	a.all[key] = &reservation{state: reserving, until: until}
	return true
}

// pass notes that the stream reports a change. If the fetch of the record is reserved, it is no longer kept here.
func (a *announced) pass(change pdp.Change) reservationState {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := reservable(change)
	r := a.all[key]
	switch {
	case r == nil:
		return notReserved
	case r.state == reserving:
		r.passed = &change
		return reserving
	}
	delete(a.all, key)
	if time.Now().After(r.until) {
		return notReserved
	}
	return reserved
}

// settle notes whether a fetch has been reserved. It returns what the stream has reported meanwhile.
func (a *announced) settle(key membership.Key, mine bool) (passed *pdp.Change) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.all[key]
	if r.state = reserved; !mine || r.passed != nil {
		delete(a.all, key)
	}
	return r.passed
}

// Announcing reserves the fetches of records whose changes of the origin this sidecar is about to announce, and that are in use. Those who
// miss them wait, instead of one of them connecting to the origin: this sidecar has a connection, and fetches the records once the
// stream reports the changes. It does not block.
func (c *Cache) Announcing(changes []pdp.Change) {
	if len(changes) > maxReserved || !c.storeUsable() {
		return
	}
	most := c.cfg.FetchTimeout / reservedShare
	for _, change := range changes {
		if key := reservable(change); key.ID != "" && c.announced.add(key, time.Now().Add(most)) {
			go c.reserveAnnounced(change, key, most)
		}
	}
}

func (c *Cache) reserveAnnounced(change pdp.Change, key membership.Key, most time.Duration) {
	mine := false
	if c.inUse(c.ctx, change) {
		mine, _ = c.store.Reserve(c.ctx, key, most) // if another one has, it fetches the record
	}
	if passed := c.announced.settle(key, mine); passed != nil && !c.enqueue(refetch{*passed, mine}) && mine {
		_ = c.store.Unreserve(c.ctx, key)
	}
}

// inUse reports whether the shared store or, for an organization, this process has a changed record: somebody uses it.
func (c *Cache) inUse(ctx context.Context, change pdp.Change) bool {
	switch change.Kind {
	case pdp.UserChanged:
		value, err := c.store.Get(ctx, membership.Key{Kind: membership.UserRecord, ID: change.ID})
		return err == nil && value != nil
	case pdp.LocationChanged:
		return change.Organization != "" && c.memory.get(membership.Key{Kind: membership.OrganizationRecord, ID: change.Organization}) != nil
	}
	return false
}

func (c *Cache) refetchAll() {
	for {
		select {
		case one := <-c.refetches:
			c.refetch(one)
		case <-c.ctx.Done():
			return
		}
	}
}

// refetch fetches a changed record that is in use. Whoever needs it will see why that fails.
func (c *Cache) refetch(one refetch) {
	ctx, cancel := context.WithTimeout(c.ctx, c.cfg.FetchTimeout)
	defer cancel()
	n := requirement{validator: c.validator.Load(), maxAge: c.cfg.MaxAgeChange, since: c.tracker.NextOrder()}
	if one.reserved {
		n.reserved = true
		c.refetchReserved(ctx, n, one.Change)
		return
	}
	if !c.inUse(ctx, one.Change) {
		return
	}
	switch one.Kind {
	case pdp.UserChanged:
		_, _ = c.user(ctx, n, one.ID)
	case pdp.LocationChanged:
		_, _ = c.organization(ctx, n, one.Organization)
	}
}

// refetchReserved does not join a question that waits for what this sidecar has reserved.
func (c *Cache) refetchReserved(ctx context.Context, n requirement, change pdp.Change) {
	key := reservable(change)
	e, _ := c.recovering(ctx, n, func(ctx context.Context, n requirement) (*entry, error) {
		if key.Kind == membership.UserRecord {
			return c.loadUser(ctx, n, key)
		}
		if origin, ok := c.origin.(membership.Branches); ok {
			return c.patched(ctx, n, origin, key.ID), nil
		}
		return nil, nil
	})
	if e == nil && key.Kind == membership.OrganizationParts {
		_ = c.store.Unreserve(ctx, key)
	}
}
