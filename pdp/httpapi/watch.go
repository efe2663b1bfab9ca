package httpapi

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// overdueGrace is how long work may take to stop once its time is over: what stops gives the better answer.
const overdueGrace = 250 * time.Millisecond

// watch sees to it that a request is answered in time, also where its work cannot be stopped. With HTTP/1 the work is done
// by the request's own goroutine, as always; only the answer of one that is overdue comes from another. So what is in time
// costs nothing more, and what is overdue keeps its place until it has ended.
type watch struct {
	x *exchange

	mu      sync.Mutex
	settled bool // the work is done: the request's own goroutine answers
	overdue bool // it has been answered, since the work was not done
}

// errOverdue ends a request that has been answered already.
var errOverdue = errors.New("answered before the work was done")

// deadline gives the context for answering. Between this and [exchange.settle], which ends the watch, the exchange must not
// be changed: it is answered meanwhile where it is overdue.
func (x *exchange) deadline() (context.Context, context.CancelFunc) {
	w := &watch{x: x}
	x.watch = w
	if x.until.IsZero() {
		x.until = time.Now().Add(x.s.timeout)
	}
	ctx, cancel := context.WithDeadline(x.r.Context(), x.until)
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(overdueGrace, w.late) })
	return pdp.WithOverrun(ctx, w.late), func() {
		stop()
		cancel()
		w.settle()
	}
}

// late answers, unless the work is done.
func (w *watch) late() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.settled || w.overdue {
		return
	}
	w.overdue = true
	x := w.x
	x.s.admission.overdue.Add(1)
	x.s.metrics.overdue.Inc()
	if x.r.ProtoMajor == 1 {
		x.w.Header().Set("Connection", "close") // it serves no other request until this one's work is done
	}
	x.flush = true
	x.fail(&pdp.Error{Kind: pdp.Timeout, Err: errors.New("the work goes on after its time, and cannot be stopped")})
	x.record()
	if x.returns != nil {
		close(x.returns)
	}
}

// settle ends the watch: nobody else answers from now on. It says whether nobody has. It may be called again.
func (w *watch) settle() bool {
	if w == nil {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settled = true
	return !w.overdue
}

// answered says whether the request was answered before its work was done.
func (w *watch) answered() bool { return !w.settle() }

// settle ends the watch, and is for the answer of a Decider: one that was interrupted is none, even where it does not say so.
func (x *exchange) settle(ctx context.Context, err error) error {
	if x.watch.answered() {
		return errOverdue
	}
	if err == nil && ctx.Err() != nil {
		return &pdp.Error{Kind: pdp.Timeout, Err: ctx.Err()}
	}
	return err
}

// flushed sends what has been written, though the handler has not returned.
func (x *exchange) flushed() {
	_ = http.NewResponseController(x.w).Flush() // where it fails, nobody is left to be told
}
