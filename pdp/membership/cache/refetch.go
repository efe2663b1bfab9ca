package cache

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/freshness"
)

const (
	refetchers   = 2
	maxRefetches = 1024 // that wait; when more records change at a time, whoever needs them fetches them
	maxReserved  = 64   // at a time, for what is announced
)

// refetching is the tracker's handler of the stream. If this sidecar has announced a change, or leads, it also fetches what has changed,
// for all: it has a connection to the origin, and any other sidecar would open one for a single record.
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
		switch state := h.c.announced.pass(h.c.reservable(change), change); state {
		case reserving: // whoever reserves it sees that this has passed
		case reserved:
			h.c.enqueue(refetch{change, true})
		case notReserved:
			if h.c.cfg.Leads != nil && h.c.cfg.Leads() {
				h.c.enqueue(refetch{change, false})
			}
		}
	}
}

// enqueue lets a changed record be fetched. If too many are waiting, whoever needs it fetches it.
func (c *Cache) enqueue(one refetch) {
	select {
	case c.refetches <- one:
	default:
	}
}

// reservable returns the key that reserves the fetch of a changed record; the zero Key if there is none.
func (c *Cache) reservable(change pdp.Change) membership.Key {
	switch {
	case change.Kind == pdp.UserChanged:
		return membership.Key{Kind: membership.UserRecord, ID: change.ID}
	case change.Kind != pdp.LocationChanged || change.Organization == "":
		return membership.Key{}
	}
	whole := membership.Key{Kind: membership.OrganizationRecord, ID: change.Organization}
	if _, inParts := c.origin.(membership.Branches); inParts && c.memory.get(whole) != nil {
		return membership.Key{Kind: membership.OrganizationParts, ID: change.Organization}
	}
	return whole
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
func (a *announced) pass(key membership.Key, change pdp.Change) reservationState {
	a.mu.Lock()
	defer a.mu.Unlock()
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

// Announcing reserves the fetches of records whose changes of the origin this sidecar is about to announce. Those who miss them wait,
// instead of one of them connecting to the origin: this sidecar has a connection, and fetches the records once the stream reports the
// changes. It does not block.
func (c *Cache) Announcing(changes []pdp.Change) {
	if len(changes) > maxReserved || !c.storeUsable() {
		return
	}
	most := c.cfg.FetchTimeout / reservedShare
	for _, change := range changes {
		if key := c.reservable(change); key.ID != "" && c.announced.add(key, time.Now().Add(most)) {
			go c.reserveAnnounced(key, most)
		}
	}
}

func (c *Cache) reserveAnnounced(key membership.Key, most time.Duration) {
	mine, _ := c.store.Reserve(c.ctx, key, most) // if another one has, it fetches the record
	if passed := c.announced.settle(key, mine); passed != nil && mine {
		c.enqueue(refetch{*passed, true})
	}
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

// refetch fetches a changed record, if it is in use and no other sidecar has reserved the fetch. Whoever needs it will see why that fails.
func (c *Cache) refetch(one refetch) {
	ctx, cancel := context.WithTimeout(c.ctx, c.cfg.FetchTimeout)
	defer cancel()
	key := c.reservable(one.Change)
	if key.ID == "" {
		return
	}
	if !one.reserved {
		if mine, err := c.store.Reserve(ctx, key, c.cfg.FetchTimeout/reservedShare); err != nil || !mine {
			return
		}
	}
	n := requirement{validator: c.validator.Load(), maxAge: c.cfg.MaxAgeChange, since: c.tracker.NextOrder(), reserved: true}
	if !c.inUse(ctx, key) || key.Kind == membership.OrganizationParts && c.check(c.memory.get(wholeOf(key)), n) == freshness.Fresh {
		_ = c.store.Unreserve(ctx, key)
		return
	}
	_, _ = c.recovering(ctx, n, func(ctx context.Context, n requirement) (*entry, error) { // not as part of a question, which may wait for it
		switch key.Kind {
		case membership.UserRecord:
			return c.loadUser(ctx, n, key)
		case membership.OrganizationParts:
			if e := c.patched(ctx, n, c.origin.(membership.Branches), key.ID); e != nil {
				return e, nil
			}
			_ = c.store.Unreserve(ctx, key)
			n.reserved = false
			gone, leave := context.WithCancel(ctx)
			leave() // other changes are waiting to be fetched, which this may need too
			return c.reload(gone, n, wholeOf(key))
		}
		return c.loadWhole(ctx, n, key.ID, key)
	})
}

// reload loads an organization as questions do that need it now, and once for all of them.
func (c *Cache) reload(ctx context.Context, n requirement, whole membership.Key) (*entry, error) {
	return c.loadOnce(ctx, n, whole, func(ctx context.Context, n requirement) (*entry, error) { return c.loadOrganization(ctx, n, whole.ID) })
}

// beginning is the tracker's handler of the origin's changes. What was fetched before they were listened to is not confirmed by that, and
// the locations that change cannot replace it: organizations in use are loaded anew, before a question or a change needs them.
type beginning struct {
	membership.ChangeHandler
	c *Cache
}

func (h beginning) Began(at time.Time, history string) {
	h.ChangeHandler.Began(at, history)
	h.c.work.Go(h.c.reconfirm)
}

// reconfirm loads the organizations in memory that are not confirmed. Of sidecars that share them the leader does.
func (c *Cache) reconfirm() {
	if c.store != nil && (c.cfg.Leads == nil || !c.cfg.Leads()) {
		return
	}
	n := requirement{validator: c.validator.Load(), maxAge: c.cfg.MaxAgeChange, since: c.tracker.NextOrder()}
	for _, e := range c.memory.latest()[1] {
		if c.check(e, n) != freshness.Fresh {
			_, _ = c.reload(c.ctx, n, e.Key) // whoever needs it will see why that fails
		}
	}
}

// inUse reports whether the shared store has a user, or this process an organization: somebody needs it.
func (c *Cache) inUse(ctx context.Context, key membership.Key) bool {
	if key.Kind != membership.UserRecord {
		return c.memory.get(wholeOf(key)) != nil
	}
	value, err := c.store.Get(ctx, key)
	return err == nil && value != nil
}

// wholeOf returns the key of the organization that a key is about.
func wholeOf(key membership.Key) membership.Key {
	return membership.Key{Kind: membership.OrganizationRecord, ID: key.ID}
}
