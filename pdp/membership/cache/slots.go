package cache

import (
	"context"
	cryptorand "crypto/rand"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// A question to the origin may take a connection, and any of a thousand sidecars may be the one that has to ask. So they have a number
// of slots together ([Config.Slots]). Who finds none requests the record of those who have one: they have a connection already, fetch
// what others need when their own question is answered, and keep the slot for as long as the connection. This decides nothing: what they
// share is judged like any shared value, and whoever has waited in vain fetches.
const (
	// slotsOfOne is how many of the slots a sidecar has at most.
	slotsOfOne = 8
	// slotShare is the part of the time for a fetch that a sidecar waits at most for a slot or for what it has requested. It is longer
	// than for a fetch that another one has reserved, because one more question is of no use to an origin that cannot keep up.
	slotShare = 2
	// slotKept is how long a slot is kept while nobody needs it. It is longer than the connection, of which cmd/wardkeeper decides.
	slotKept = 400 * time.Millisecond
	// requestPause is between two looks for requests.
	requestPause = 20 * time.Millisecond
	// maxVain limits the requests for one record of which nothing usable came. A user who does not exist is not shared.
	maxVain = 2
)

// slot names a slot; "" is none.
type slot string

// slots are those of this sidecar.
type slots struct {
	unused chan slot // not taken; all of them at first
	used   chan slot // given back after a question, to serve others
	idle   chan slot // nobody needs it now; without a buffer, so that whoever finds one there has it
	// vain is when this sidecar waited in vain for what it had requested; nil if something has come since. A question can need several
	// records, and must not wait for each of them.
	vain atomic.Pointer[time.Time]
}

func newSlots() *slots {
	s := &slots{unused: make(chan slot, slotsOfOne), used: make(chan slot, slotsOfOne), idle: make(chan slot)}
	for range slotsOfOne {
		s.unused <- slot(cryptorand.Text())
	}
	return s
}

// giveBack gives a slot back, if there is one.
func (s *slots) giveBack(one slot) {
	if one != "" {
		s.used <- one
	}
}

func (s *slots) waitedInVain(requested time.Time) {
	if !requested.IsZero() {
		now := time.Now()
		s.vain.Store(&now)
	}
}

func (s *slots) helped(requested time.Time) {
	if !requested.IsZero() {
		s.vain.Store(nil)
	}
}

// takeSlot takes a slot for a question to the origin. If it is busy, others have all of them, and the record is requested, if it can be.
// Without a slot, and not busy, it is of no use to wait for one.
func (c *Cache) takeSlot(ctx context.Context, key membership.Key) (one slot, busy bool) {
	if c.cfg.Slots == 0 {
		return "", false
	}
	select {
	case one = <-c.slots.idle:
		return one, false
	default:
	}
	select {
	case one = <-c.slots.unused:
	default: // this sidecar has enough of them in use
	}
	if !requestable(key) {
		key = membership.Key{}
	}
	taken, err := c.store.TakeSlot(ctx, string(one), c.cfg.Slots, c.cfg.FetchTimeout, key)
	if taken {
		return one, false
	}
	if one != "" {
		c.slots.unused <- one
	}
	return "", c.patient() && (err == nil || c.storeUsable())
}

// storeStalls reports whether a shared store that does not answer is worth waiting for: its stream is followed, so it is not down. If all
// sidecars asked the origin because of a moment in which Redis is slow, they would all connect at once.
func (c *Cache) storeStalls() bool { return c.patient() && c.storeUsable() }

// patient reports whether others are likely to fetch what is requested.
func (c *Cache) patient() bool {
	vain := c.slots.vain.Load()
	return c.cfg.Slots > 0 && (vain == nil || membership.Elapsed(time.Now(), *vain) > c.cfg.FetchTimeout)
}

// requestable reports whether others can fetch a record for this sidecar. The parts of an organization depend on what it has of that:
// whoever has reserved their fetch needs no slot.
func requestable(key membership.Key) bool { return key.Kind != membership.OrganizationParts }

// serveSlots serves slots until the cache is closed.
func (c *Cache) serveSlots() {
	for {
		select {
		case one := <-c.slots.used:
			if c.serve(one) {
				c.slots.unused <- one
			}
		case <-c.ctx.Done():
			return
		}
	}
}

// serve fetches what others request, and returns true once nobody has needed the slot for a while. It returns false if this sidecar needs it.
func (c *Cache) serve(one slot) bool {
	for used := time.Now(); ; {
		last := membership.Elapsed(time.Now(), used) > slotKept
		request, err := c.store.NextRequest(c.ctx, string(one), c.cfg.FetchTimeout, last)
		switch {
		case err != nil:
			return true
		case request != membership.Key{}:
			c.fetchForOther(request)
			used = time.Now()
			continue
		case last:
			return true
		}
		select {
		case c.slots.idle <- one:
			return false
		case <-time.After(requestPause/2 + rand.N(requestPause)):
		case <-c.ctx.Done():
			return true
		}
	}
}

// fetchForOther fetches a record that another sidecar has requested, and shares it.
func (c *Cache) fetchForOther(key membership.Key) {
	if !facts.ValidID(key.ID) {
		return
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.cfg.FetchTimeout)
	defer cancel()
	n := requirement{validator: c.validator.Load(), maxAge: c.cfg.MaxAgeChange, since: c.tracker.NextOrder(), forOther: true}
	_, _ = c.recovering(ctx, n, func(ctx context.Context, n requirement) (*entry, error) { // whoever needs it will see why it fails
		switch key.Kind {
		case membership.UserRecord:
			return c.loadUser(ctx, n, key)
		case membership.OrganizationRecord, membership.LocationPointer:
			return c.loadWhole(ctx, n, key.ID, key)
		}
		return nil, nil
	})
}
