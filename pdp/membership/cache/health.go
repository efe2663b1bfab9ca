package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/freshness"
)

var _ pdp.Checker = (*Cache)(nil)

// checkInterval is how long the result of a check of the origin is reused. Readiness needs no token, so it must not be a
// way to overload the origin.
const checkInterval = time.Second

// originCheck is the result of a check of the origin.
type originCheck struct {
	at  time.Time
	err error
}

// CheckFacts implements [pdp.Checker]. It returns an error if the origin is unreachable or has no locations: a
// [*pdp.DegradedError] while memory has facts that are fresh enough. What only the shared store may have does not count,
// because nothing proves that it is there. Quarantined records are not an error here.
func (c *Cache) CheckFacts(ctx context.Context) error {
	if last := c.lastCheck.Load(); last != nil && membership.Elapsed(time.Now(), last.at) < checkInterval {
		return last.err
	}
	done := c.flights.DoChan("?", func() (any, error) {
		ctx, cancel := context.WithTimeout(c.ctx, c.cfg.FetchTimeout)
		defer cancel()
		last := &originCheck{err: c.checkOrigin(ctx)}
		if last.err != nil && !errors.Is(last.err, pdp.ErrNoLocations) && c.canAnswer() {
			last.err = &pdp.DegradedError{Err: last.err}
		}
		last.at = time.Now()
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
