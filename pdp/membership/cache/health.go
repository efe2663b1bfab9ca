package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/freshness"
)

var _ pdp.Checker = (*Cache)(nil)

const (
	// checkInterval is how long the result of a check of the origin is reused. Readiness needs no token, so it must not be a
	// way to overload the origin.
	checkInterval = time.Second
	// checkLife is how long a check that succeeded is reused, if it is known that the origin answers: up to the half less, so that
	// sidecars that began together do not check together. Each check takes a connection to the database.
	checkLife = 10 * time.Minute
	// takeoverLeases is how many leases a proof by another sidecar may be missing until the origin is checked, and at least how many more
	// until all have done so: as long as another one usually needs to take its place. All would connect at once.
	takeoverLeases = 5
)

// originCheck is the result of a check of the origin.
type originCheck struct {
	at  time.Time
	err error
}

// CheckFacts implements [pdp.Checker]. It returns an error if the origin is unreachable or has no locations: a
// [*pdp.DegradedError] while memory has facts that are fresh enough. What only the shared store may have does not count,
// because nothing proves that it is there. Quarantined records are not an error here.
//
// It does not ask the origin while that is proven to tell of its changes, to this sidecar or to the one that listens for all, and for some
// leases after the latter, if this sidecar has asked it within checkLife, and no question to it has failed since that proof began.
func (c *Cache) CheckFacts(ctx context.Context) error {
	now := time.Now()
	if last := c.lastCheck.Load(); last != nil && membership.Elapsed(now, last.at) < checkInterval {
		return last.err
	}
	if good := c.goodUntil.Load(); good != nil && now.Before(*good) && now.Round(0).Before(good.Round(0)) {
		if c.originProven(now) {
			return nil
		}
	}
	done := c.flights.DoChan("?", func() (any, error) {
		ctx, cancel := context.WithTimeout(c.ctx, c.cfg.FetchTimeout)
		defer cancel()
		last := &originCheck{err: c.checkOrigin(ctx)}
		if last.err != nil && !errors.Is(last.err, pdp.ErrNoLocations) && c.canAnswer() {
			last.err = &pdp.DegradedError{Err: last.err}
		}
		last.at = time.Now()
		if last.err == nil {
			good := last.at.Add(checkLife/2 + rand.N(checkLife/2))
			c.goodUntil.Store(&good)
			c.failedAt.Store(nil)
		}
		c.lastCheck.Store(last)
		return nil, last.err
	})
	select {
	case r := <-done:
		return r.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// originProven reports whether the origin is proven to answer, or was until lately.
func (c *Cache) originProven(now time.Time) bool {
	failed, last := c.failedAt.Load(), c.provenAt.Load()
	since, proven := c.tracker.ConfirmedByOriginSince()
	switch {
	case proven && (failed == nil || since.After(*failed)):
		c.provenAt.Store(&now)
		return true
	case proven || c.store == nil || last == nil || failed != nil && !failed.Before(*last):
		return false
	}
	return membership.Elapsed(now, *last) < takeoverLeases*c.cfg.Lease+rand.N(takeoverLeases*c.cfg.Lease)
}

// failed notes that a question to the origin failed. What a faulty record or a caller who has gone is to blame for says nothing about
// the origin.
func (c *Cache) failed(err error) {
	c.counters.failures.Add(1)
	if _, faulty := errors.AsType[*facts.Suspended](err); !faulty && !errors.Is(err, context.Canceled) {
		now := time.Now()
		c.failedAt.Store(&now)
	}
}

// canAnswer reports whether a question that changes nothing can be answered from memory: whether a user and an
// organization are fresh enough among those that were fetched last. Older ones hardly are if these are not.
func (c *Cache) canAnswer() bool {
	n := requirement{validator: c.validator.Load(), maxAge: c.cfg.MaxAgeUse, since: c.tracker.NextOrder()}
	for _, latest := range c.memory.latest() {
		if !slices.ContainsFunc(latest, func(e *entry) bool { return c.check(e, n) != freshness.Stale }) {
			return false
		}
	}
	return true
}

func (c *Cache) checkOrigin(ctx context.Context) (err error) {
	defer func() { // a panic in a singleflight call would end the process
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	if err := c.origin.Check(ctx); err != nil {
		return err
	}
	some, err := c.origin.Locations(ctx, "", 1)
	if err == nil && len(some) == 0 {
		err = pdp.ErrNoLocations
	}
	return err
}

// CheckShared returns an error if the shared store is unreachable.
func (c *Cache) CheckShared(ctx context.Context) error {
	if c.store == nil {
		return nil
	}
	_, err := c.store.Get(ctx, membership.Key{Kind: membership.UserRecord, ID: "nobody"})
	return err
}
