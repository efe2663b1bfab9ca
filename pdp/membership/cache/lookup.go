package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/freshness"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
	"github.com/wardkeeper/wardkeeper/pdp/tracing"
)

// requirement describes how fresh the records of one view must be.
type requirement struct {
	validator  *record.Validator // of the policy in force when the view was made
	maxAge     time.Duration     // of unconfirmed records
	since      uint64            // when the view was created, in the order of fetches
	fresh      bool              // records fetched before the view do not count
	traced     bool              // the view belongs to a request that is traced
	noFallback bool              // unconfirmed records do not count, even if the origin is down
	forOther   bool              // another sidecar needs the record, and finds none that it can use
	reserved   bool              // this sidecar has reserved the fetch of the record already
	// atLeast are positions in the stream of announcements that the records must include.
	atLeast []membership.Position
}

// check returns what an entry may be used for.
func (c *Cache) check(e *entry, n requirement) freshness.Verdict {
	if e == nil || e.validator != n.validator {
		return freshness.Stale
	}
	maxAge, fetchedForView := n.maxAge, e.Order > n.since
	if fetchedForView {
		// No record can be fresher, unless the machine was suspended in the meantime.
		maxAge += 2 * c.cfg.FetchTimeout
	}
	switch v, _ := c.tracker.Check(&e.Provenance, maxAge); {
	case v == freshness.Stale || c.tracker.BelowMinVersion(&e.Provenance, n.atLeast):
		return freshness.Stale
	case fetchedForView:
		return freshness.Fresh
	case n.fresh, n.noFallback && v == freshness.Unconfirmed:
		return freshness.Stale
	default:
		return v
	}
}

// maxFetches limits how often a changing record is fetched for one question.
const maxFetches = 4

var errChanging = errors.New("the record changes faster than it can be read")

// lookup returns a record that meets the requirement: from memory (known) if possible, or else from load. Concurrent
// lookups of the same key share one load.
func (c *Cache) lookup(ctx context.Context, n requirement, known func() *entry, key membership.Key,
	load func(context.Context, requirement) (*entry, error),
) (*entry, error) {
	e := known()
	v := c.check(e, n)
	if v == freshness.Fresh {
		c.counters.memory.Add(1)
		if n.traced {
			tracing.Event(ctx, "memory "+key.Kind.Name())
		}
		return e, nil
	}
	if n.traced {
		var span tracing.Span
		ctx, span = tracing.Start(ctx, "load "+key.Kind.Name())
		defer span.End()
	}
	loading := ctx
	if v == freshness.Unconfirmed {
		var cancel context.CancelFunc
		loading, cancel = context.WithTimeout(ctx, c.fallbackTimeout(ctx))
		defer cancel()
	}
	var last *entry
	for range maxFetches {
		got, err := c.loadOnce(loading, n, key, load)
		switch c.check(got, n) {
		case freshness.Fresh:
			return got, nil
		case freshness.Unconfirmed:
			if err != nil {
				return got, nil
			}
		}
		switch {
		case err != nil && c.check(e, n) != freshness.Stale: // the origin is down: an unconfirmed record is acceptable
			c.counters.fallbacks.Add(1)
			return e, nil
		case err != nil:
			return nil, unavailable(ctx, err)
		case c.tracker.BelowMinVersion(&got.Provenance, n.atLeast):
			return nil, unavailable(ctx, fmt.Errorf("%s: %w", key, errLagging))
		}
		last = got
	}
	if c.fetchedForView(last, n) {
		return last, nil
	}
	return nil, unavailable(ctx, fmt.Errorf("%s: %w", key, errChanging))
}

// fetchedForView reports whether a record was fetched after its view was created. Such a record is used even if further
// changes have been announced since then: announcements must not be able to prevent answers.
func (c *Cache) fetchedForView(e *entry, n requirement) bool {
	return e != nil && e.validator == n.validator && e.Order > n.since && e.Age(time.Now()) <= 2*c.cfg.FetchTimeout
}

// fallbackTimeout returns how long to wait for a fetch if an unconfirmed record is acceptable. It is a fraction of the
// time, because a question needs several records.
func (c *Cache) fallbackTimeout(ctx context.Context) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		return time.Until(end) / 4
	}
	return c.cfg.FetchTimeout / 4
}

// unavailable returns an error of kind Unavailable, unless err has a kind or the caller has gone.
func unavailable(ctx context.Context, err error) error {
	var e *pdp.Error
	if errors.As(err, &e) || ctx.Err() != nil {
		return err
	}
	return &pdp.Error{Kind: pdp.Unavailable, Message: "Membership facts are unavailable.", Err: err}
}

// flightResult is an entry, an error, or both if the entry is only a fallback.
type flightResult struct {
	entry *entry
	err   error
}

// loadOnce loads a record once for all callers that need it at the same time. It continues even if the first caller goes
// away.
func (c *Cache) loadOnce(ctx context.Context, n requirement, key membership.Key, load func(context.Context, requirement) (*entry, error)) (*entry, error) {
	name := n.validator.Name + string(key.Kind) + key.ID
	if n.fresh || len(n.atLeast) > 0 {
		name = "!" + name
	}
	first := ctx
	result := c.flights.DoChan(name, func() (any, error) {
		ctx, cancel := context.WithTimeout(c.ctx, c.cfg.FetchTimeout)
		defer cancel()
		if n.traced {
			ctx = tracing.Continue(ctx, first)
		}
		e, err := c.recovering(ctx, n, load)
		return flightResult{e, err}, nil
	})
	select {
	case r := <-result:
		l := r.Val.(flightResult)
		return l.entry, l.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// recovering turns a panic into an error. Otherwise the panic would end the process.
func (c *Cache) recovering(ctx context.Context, n requirement, load func(context.Context, requirement) (*entry, error)) (e *entry, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			c.log.Error("loading a record panicked", "cause", cause)
			e, err = nil, &pdp.Error{Kind: pdp.Internal, Message: "The question could not be decided.", Err: fmt.Errorf("panic: %v", cause)}
		}
	}()
	return load(ctx, n)
}

// randomTTL returns a TTL that varies by 10 %, so that records are not all fetched again at once.
func (c *Cache) randomTTL(absent bool) time.Duration {
	ttl := c.cfg.TTL
	if absent {
		ttl = c.cfg.NegativeTTL
	}
	return time.Duration(float64(ttl) * (0.9 + 0.2*rand.Float64()))
}
