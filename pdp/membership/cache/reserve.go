package cache

import (
	"cmp"
	"context"
	"math/rand/v2"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/tracing"
)

// When a record changes, all sidecars that are asked about it miss it at once. One of them reserves the fetch, and the others
// wait for what it shares. This saves the origin questions and connections, and decides nothing: what comes of the wait is
// judged like any shared value, and whoever has waited in vain fetches.
const (
	// waitShare is the part of the time for a fetch that a sidecar waits at most for that of another one.
	waitShare = 8
	// reservedShare is the part of it for which a fetch is reserved at most. It is shorter: if a sidecar ends or stops after
	// it has reserved a fetch, another one of those that wait takes its place. An unconfirmed record is not preferred before
	// that, see [Cache.fallbackTimeout].
	reservedShare = 16

	minWaitPause = 2 * time.Millisecond // between two looks
	maxWaitPause = 16 * time.Millisecond
)

// fetchForAll returns a record that read finds in the shared store, or else the record that fetch returns, which also returns what to
// share of it, in this order. fetch is given what read has found if that is not usable. If fetch fails, the result is that too.
func (c *Cache) fetchForAll(ctx context.Context, n requirement, key membership.Key, read func(context.Context) (*entry, bool), fetch func(*entry) (*entry, []*entry, error)) (*entry, error) {
	known, usable := read(ctx)
	if usable && !n.forOther {
		if n.reserved {
			c.share(&key)
		}
		return known, nil
	}
	var t turn
	switch {
	case n.forOther, n.reserved:
		t.reserved = &key
	case !n.fresh && c.storeUsable():
		t = c.awaitTurn(ctx, key, read)
		defer c.slots.giveBack(t.slot)
		if t.usable {
			c.share(t.reserved)
			return t.read, nil
		}
		known = cmp.Or(t.read, known)
	}
	e, shared, err := fetch(known)
	if err != nil {
		c.share(t.reserved)
		return known, err
	}
	if !c.keep(e) {
		shared = nil
	}
	c.share(t.reserved, shared...)
	return e, nil
}

// turn is what becomes of waiting: a usable record, or that this sidecar fetches it.
type turn struct {
	read     *entry // what was read last
	usable   bool
	reserved *membership.Key // nil: this sidecar has not reserved the fetch
	slot     slot
}

// awaitTurn waits until this sidecar has reserved the fetch of a record and has a slot for it, or another one has fetched the record, or
// there is no use in waiting on.
func (c *Cache) awaitTurn(ctx context.Context, key membership.Key, read func(context.Context) (*entry, bool)) (t turn) {
	w := waiting{began: time.Now(), pause: minWaitPause, most: c.cfg.FetchTimeout / waitShare}
	var requested time.Time
	for vain, overdue := 0, false; ; {
		mine, err := c.store.Reserve(ctx, key, c.cfg.FetchTimeout/reservedShare)
		if err != nil {
			if !c.storeStalls() {
				return t
			}
			w.most = c.cfg.FetchTimeout / slotShare
		}
		if mine {
			if t.read, t.usable = read(ctx); t.usable { // another sidecar may have fetched it since
				t.reserved = &key
				return t
			}
		}
		if mine || overdue {
			var busy bool
			if t.slot, busy = c.takeSlot(ctx, key); !busy || vain == maxVain || mine && !requestable(key) {
				if mine {
					t.reserved = &key
				} else {
					c.counters.overdue.Add(1)
				}
				return t
			}
			requested, overdue, w.most = time.Now(), false, c.cfg.FetchTimeout/slotShare
		}
		switch c.awaitEnd(ctx, &w, key) {
		case unknown:
			return t
		case late:
			if overdue = requested.IsZero() && c.cfg.Slots > 0; !overdue {
				c.counters.overdue.Add(1)
				c.slots.waitedInVain(requested)
				return t
			}
		case ended:
			if t.read, t.usable = read(ctx); t.usable {
				c.counters.awaited.Add(1)
				c.slots.helped(requested)
				return t
			}
			if membership.Elapsed(time.Now(), requested) < c.cfg.FetchTimeout/reservedShare {
				vain++ // the reservation has not expired
			}
		}
	}
}

// waiting is how long a sidecar has waited for the fetch of another one, how long it may, and how long it will until it looks again.
type waiting struct {
	began       time.Time
	most, pause time.Duration
}

// outcome of waiting for the end of a reservation.
type outcome int

const (
	ended   outcome = iota
	late            // it takes too long
	unknown         // the shared store does not say, or nobody needs the record any more
)

// awaitEnd waits until no sidecar has reserved the fetch of a record.
func (c *Cache) awaitEnd(ctx context.Context, w *waiting, key membership.Key) outcome {
	ctx, span := tracing.Start(ctx, "wait")
	defer span.End()
	for {
		if membership.Elapsed(time.Now(), w.began) > w.most {
			return late
		}
		select {
		case <-time.After(w.pause/2 + rand.N(w.pause)):
		case <-ctx.Done():
			return unknown
		}
		w.pause = min(2*w.pause, maxWaitPause)
		switch held, err := c.store.Reserved(ctx, key); {
		case err != nil && !c.storeStalls():
			return unknown
		case err == nil && !held:
			return ended
		}
	}
}
