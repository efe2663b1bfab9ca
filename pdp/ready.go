package pdp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// checkedFor is how long an answer to [Engine.CheckPolicy] is good for, so that those who ask often cost nothing.
const checkedFor = time.Second

// check is what is known of how well a policy decides.
type check struct {
	mu      sync.Mutex
	running chan struct{} // is closed when the probe that is under way has ended; nil where none is
	at      time.Time     // of the last one that has
	err     error         // its result
}

// CheckPolicy fails where there is no policy that may decide, or where it does not decide well any more.
func (e *Engine) CheckPolicy(ctx context.Context) error {
	p, err := e.inForce()
	if err != nil {
		return err
	}
	c := p.check
	c.mu.Lock()
	if c.running == nil && time.Since(c.at) < checkedFor {
		defer c.mu.Unlock()
		return c.err
	}
	// One probe at a time, and nobody waits inside it: an evaluation may be such as cannot be stopped.
	if c.running == nil {
		c.running = make(chan struct{})
		go c.run(context.WithoutCancel(ctx), p, e.timeout)
	}
	running := c.running
	c.mu.Unlock()
	late := time.NewTimer(2 * e.timeout)
	defer late.Stop()
	select {
	case <-running:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.err
	case <-late.C:
		return &Error{Kind: Timeout, Message: "The policy does not answer."}
	case <-ctx.Done():
		return asError(ctx, ctx.Err())
	}
}

func (c *check) run(ctx context.Context, p *Policy, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := errors.New("the probe panicked")
	defer func() {
		cause := recover()
		if cause != nil {
			err = fmt.Errorf("%w: %v", err, cause)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.at, c.err = time.Now(), err
		close(c.running)
		c.running = nil
	}()
	err = p.probe(ctx)
}

// ErrNoLocations is for a directory by which nobody can be allowed anything.
var ErrNoLocations = errors.New("the directory has no locations")

// CheckFacts fails where no facts can be had, or where there are none. Without a source there is nothing to check.
func (e *Engine) CheckFacts(ctx context.Context) error {
	if e.source == nil {
		return nil
	}
	if c, ok := e.source.(Checker); ok {
		return c.CheckFacts(ctx)
	}
	view, err := e.source.View(ctx, Need{Using: true})
	if err != nil {
		return err
	}
	some, err := view.Locations(ctx, LocationQuery{Limit: 1})
	if err == nil && len(some) == 0 {
		err = ErrNoLocations
	}
	return err
}
