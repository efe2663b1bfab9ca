package cache

import (
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
	if usable {
		return known, nil
	}
	var reserved *membership.Key
	if !n.fresh && c.storeUsable() {
		again, usable, mine := c.awaitFetch(ctx, key, read)
		if mine {
			reserved = &key
		}
		if usable {
			c.share(reserved)
			return again, nil
		}
		if again != nil {
			known = again
		}
	}
	e, shared, err := fetch(known)
	if err != nil {
		c.share(reserved)
		return known, err
	}
	if !c.keep(e) {
		shared = nil
	}
	c.share(reserved, shared...)
	return e, nil
}

// awaitFetch reserves the fetch of a record, or waits for that of another sidecar. It returns what read returned last, and whether
// this sidecar has the reservation now.
func (c *Cache) awaitFetch(ctx context.Context, key membership.Key, read func(context.Context) (*entry, bool)) (e *entry, usable, reserved bool) {
	w := waiting{began: time.Now(), pause: minWaitPause}
	for {
		reserved, err := c.store.Reserve(ctx, key, c.cfg.FetchTimeout/reservedShare)
		if err != nil {
			return e, false, false
		}
		if reserved { // another sidecar may have fetched it since
			e, usable = read(ctx)
			return e, usable, true
		}
		if !c.awaitEnd(ctx, &w, key) {
			return e, false, false
		}
		if e, usable = read(ctx); usable {
			c.counters.awaited.Add(1)
			return e, true, false
		}
	}
}

// waiting is how long a sidecar has waited for the fetch of another one, and how long it will until it looks again.
type waiting struct {
	began time.Time
	pause time.Duration
}

// awaitEnd waits until no sidecar has reserved the fetch of a record. It returns false if this takes too long, or cannot be known.
func (c *Cache) awaitEnd(ctx context.Context, w *waiting, key membership.Key) bool {
	ctx, span := tracing.Start(ctx, "wait")
	defer span.End()
	for {
		if membership.Elapsed(time.Now(), w.began) > c.cfg.FetchTimeout/waitShare {
			c.counters.overdue.Add(1)
			return false
		}
		select {
		case <-time.After(w.pause/2 + rand.N(w.pause)):
		case <-ctx.Done():
			return false
		}
		w.pause = min(2*w.pause, maxWaitPause)
		switch held, err := c.store.Reserved(ctx, key); {
		case err != nil:
			return false
		case !held:
			return true
		}
	}
}
