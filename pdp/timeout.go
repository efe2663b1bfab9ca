package pdp

import (
	"context"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/deadline"
)

// overrunGrace is how long work may take to stop after its deadline. Most stops within microseconds, but some built-in
// functions, such as a large bits.lsh, run to their end.
const overrunGrace = 250 * time.Millisecond

type overrunKey struct{}

// WithOverrun returns a context for calls to the engine. An evaluation inside a built-in function that does not check
// for cancellation cannot be stopped, so the engine may return late. In that case it calls overrun from another
// goroutine, so that the caller can still be answered in time.
func WithOverrun(ctx context.Context, overrun func()) context.Context {
	return context.WithValue(ctx, overrunKey{}, overrun)
}

// timeLimit is the context of one question, with the timer that reports an overrun; nil if nobody wants to know.
type timeLimit struct {
	*deadline.Context
	overrun *time.Timer
}

// limitTime returns a context with the engine's timeout. The caller must call end when the work is done.
func (e *Engine) limitTime(ctx context.Context) timeLimit {
	l := timeLimit{Context: deadline.New(ctx, time.Now().Add(e.timeout))}
	if overrun, ok := ctx.Value(overrunKey{}).(func()); ok {
		l.overrun = time.AfterFunc(l.untilOverrun(), overrun)
	}
	return l
}

// limitTime is like [Engine.limitTime] for one question after another. They share a timer.
func (ev *evaluation) limitTime(ctx context.Context) timeLimit {
	if ev.overrun == nil {
		l := ev.engine.limitTime(ctx)
		ev.overrun = l.overrun
		return l
	}
	l := timeLimit{deadline.New(ctx, time.Now().Add(ev.engine.timeout)), ev.overrun}
	l.overrun.Reset(l.untilOverrun())
	return l
}

func (l timeLimit) untilOverrun() time.Duration {
	at, _ := l.Deadline()
	return time.Until(at) + overrunGrace
}

func (l timeLimit) end() {
	if l.overrun != nil {
		l.overrun.Stop()
	}
	l.Cancel()
}
