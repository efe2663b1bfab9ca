package deadline

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Context is a context with a deadline. Err compares the clock with the deadline, so it is exact even if timers are late.
// Done returns the channel of a [context.WithDeadline] that is made when it is first called: work that only asks for Err
// needs no timer. It is safe for concurrent use.
type Context struct {
	parent   context.Context
	deadline time.Time
	byParent bool         // the deadline is the parent's, which ends by itself
	state    atomic.Int32 // stateActive until the context has ended, then never changed again

	mu      sync.Mutex
	waiting atomic.Pointer[waiting] // nil until Done is called; written while mu is held
}

// waiting is the context that somebody waits for.
type waiting struct {
	context.Context
	cancel context.CancelFunc
}

const (
	stateActive int32 = iota
	stateCanceled
	stateExpired
	stateParentEnded
)

// New returns a context that ends at the deadline, with its parent, or when Cancel is called.
func New(parent context.Context, deadline time.Time) *Context {
	if earlier, ok := parent.Deadline(); ok && earlier.Before(deadline) {
		return &Context{parent: parent, deadline: earlier, byParent: true}
	}
	return &Context{parent: parent, deadline: deadline}
}

// Deadline implements [context.Context].
func (c *Context) Deadline() (time.Time, bool) { return c.deadline, true }

// Err implements [context.Context].
func (c *Context) Err() error {
	state := c.state.Load()
	if state == stateActive {
		switch {
		case c.parentEnded():
			state = stateParentEnded
		case c.byParent || time.Until(c.deadline) > 0: // reads one clock, where time.Now reads two
			return nil
		default:
			state = stateExpired
		}
		if !c.state.CompareAndSwap(stateActive, state) {
			state = c.state.Load()
		}
	}
	switch state {
	case stateCanceled:
		return context.Canceled
	case stateParentEnded:
		return c.parent.Err()
	}
	return context.DeadlineExceeded
}

// parentEnded reports whether the parent has ended. A deadline of the parent that is not before that of c is of no interest.
func (c *Context) parentEnded() bool {
	if parent, ok := c.parent.(*Context); ok && !c.byParent {
		return parent.state.Load() != stateActive || parent.parentEnded()
	}
	return c.parent.Err() != nil
}

// Done implements [context.Context].
func (c *Context) Done() <-chan struct{} {
	if w := c.waiting.Load(); w != nil {
		return w.Done()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.waiting.Load()
	if w == nil {
		w = new(waiting)
		if c.byParent {
			w.Context, w.cancel = context.WithCancel(c.parent)
		} else {
			w.Context, w.cancel = context.WithDeadline(c.parent, c.deadline)
		}
		if c.state.Load() == stateCanceled {
			w.cancel()
		}
		c.waiting.Store(w)
	}
	return w.Done()
}

// Value implements [context.Context].
func (c *Context) Value(key any) any {
	if w := c.waiting.Load(); w != nil {
		return w.Value(key) // package context finds the owner of the channel by a value
	}
	return c.parent.Value(key)
}

// Cancel ends the context. It must be called when the work is done.
func (c *Context) Cancel() {
	if !c.state.CompareAndSwap(stateActive, stateCanceled) && c.waiting.Load() == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.waiting.Load(); w != nil {
		w.cancel()
	}
}
