package pdp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// probeInterval is how long the result of a probe is reused, so that frequent health checks are cheap.
const probeInterval = time.Second

// health is the result of the last probe of a policy.
type health struct {
	mu      sync.Mutex
	running chan struct{} // closed when the running probe has ended; nil if none is running
	at      time.Time     // when the last probe ended
	err     error         // its result
}

// CheckPolicy returns an error if there is no policy that may decide, or if it no longer decides.
func (e *Engine) CheckPolicy(ctx context.Context) error {
	p, err := e.policyInForce()
	if err != nil {
		return err
	}
	h := p.health
	h.mu.Lock()
	if h.running == nil && time.Since(h.at) < probeInterval {
		defer h.mu.Unlock()
		return h.err
	}
	// One probe runs at a time, in its own goroutine, because an evaluation cannot always be stopped.
	if h.running == nil {
		h.running = make(chan struct{})
		go h.probe(context.WithoutCancel(ctx), p, e.timeout)
	}
	running := h.running
	h.mu.Unlock()
	late := time.NewTimer(2 * e.timeout)
	defer late.Stop()
	select {
	case <-running:
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.err
	case <-late.C:
		return &Error{Kind: Timeout, Message: "The policy does not answer."}
	case <-ctx.Done():
		return asError(ctx, ctx.Err())
	}
}

func (h *health) probe(ctx context.Context, p *Policy, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := errors.New("the probe panicked")
	defer func() {
		cause := recover()
		if cause != nil {
			err = fmt.Errorf("%w: %v", err, cause)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.at, h.err = time.Now(), err
		close(h.running)
		h.running = nil
	}()
	err = p.probe(ctx)
}

// Checker is a source that has its own check for whether facts are available. It is for sources where reading the first
// location proves too little. The error is a [*DegradedError] if facts are held that are fresh enough to decide by.
type Checker interface {
	CheckFacts(ctx context.Context) error
}

// DegradedError is the error of [Engine.CheckFacts] if facts cannot be had from their source now, but some are held that
// are fresh enough to decide by.
type DegradedError struct{ Err error }

func (e *DegradedError) Error() string { return e.Err.Error() }

// Unwrap returns why the source has no facts.
func (e *DegradedError) Unwrap() error { return e.Err }

// ErrNoLocations is the error for an empty directory, under which no user can be allowed anything.
var ErrNoLocations = errors.New("the directory has no locations")

// CheckFacts returns an error if facts are unavailable or the directory is empty. It is a [*DegradedError] if some
// questions can be decided all the same. Without a source it returns nil.
func (e *Engine) CheckFacts(ctx context.Context) error {
	if e.source == nil {
		return nil
	}
	if c, ok := e.source.(Checker); ok {
		return c.CheckFacts(ctx)
	}
	view, err := e.source.View(ctx, facts.Requirement{ReadOnly: true})
	if err != nil {
		return err
	}
	some, err := view.Locations(ctx, facts.LocationQuery{Limit: 1})
	if err == nil && len(some) == 0 {
		err = ErrNoLocations
	}
	return err
}
