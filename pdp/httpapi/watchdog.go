package httpapi

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/deadline"
)

// overdueGrace is how long work may take to stop after its deadline. Work that stops in time gives a better response
// than the watchdog.
const overdueGrace = 250 * time.Millisecond

// watchdog answers a request whose work does not stop at its deadline. HTTP/1 requests are processed by net/http's own
// goroutine, so a request in time costs nothing extra; only the response to an overdue one comes from another goroutine.
// Overdue work keeps its slot until it ends.
type watchdog struct {
	rc    *requestContext
	ctx   *deadline.Context // of the work
	timer *time.Timer       // calls fire

	mu      sync.Mutex
	stopped bool // the work is done, so the handler answers
	fired   bool // the watchdog has answered
}

// errAlreadyAnswered ends a handler after the watchdog has answered.
var errAlreadyAnswered = errors.New("answered before the work was done")

// startWork starts a watchdog and returns the context for the work. Until the work is done and
// [requestContext.timeoutIfExpired] or endWork has been called, rc must not be modified, since the watchdog may use it
// concurrently.
func (rc *requestContext) startWork() context.Context {
	w := &watchdog{rc: rc}
	rc.watchdog = w
	if rc.deadline.IsZero() {
		rc.deadline = time.Now().Add(rc.server.timeout)
	}
	fire := w.fire
	parent := pdp.WithOverrun(rc.r.Context(), fire)
	if rc.server.recorded || rc.callerName != "" {
		parent = pdp.WithCaller(parent, pdp.Caller{Door: rc.route.door, Name: rc.caller(), Proven: rc.callerName != "", RequestID: rc.id})
	}
	w.ctx = deadline.New(parent, rc.deadline)
	w.timer = time.AfterFunc(time.Until(rc.deadline)+overdueGrace, fire)
	return w.ctx
}

// caller returns the name of who asks, or else the address.
func (rc *requestContext) caller() string {
	if rc.callerName != "" {
		return rc.callerName
	}
	return rc.r.RemoteAddr
}

// endWork stops the watchdog and ends the context of startWork.
func (rc *requestContext) endWork() {
	rc.watchdog.timer.Stop()
	rc.watchdog.ctx.Cancel()
	rc.watchdog.stop()
}

// timeoutIfExpired stops the watchdog. It returns the error of the work, or a timeout if the context ended before the
// work did: interrupted work may return a result without an error, and that result must not be used.
func (rc *requestContext) timeoutIfExpired(ctx context.Context, err error) error {
	if rc.alreadyAnswered() {
		return errAlreadyAnswered
	}
	if err == nil && ctx.Err() != nil {
		return &pdp.Error{Kind: pdp.Timeout, Err: ctx.Err()}
	}
	return err
}

// alreadyAnswered stops the watchdog and reports whether it has answered.
func (rc *requestContext) alreadyAnswered() bool { return rc.watchdog != nil && !rc.watchdog.stop() }

// stop prevents the watchdog from answering. It returns false if the watchdog has already answered. It may be called
// repeatedly.
func (w *watchdog) stop() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	return !w.fired
}

// fire answers with a timeout unless the watchdog has been stopped.
func (w *watchdog) fire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped || w.fired {
		return
	}
	w.fired = true
	rc := w.rc
	rc.server.admission.overdue.Add(1)
	rc.server.metrics.overdue.Inc()
	if rc.r.ProtoMajor == 1 {
		rc.w.Header().Set("Connection", "close") // the goroutine of the connection is busy with this request
	}
	rc.flush = true
	rc.fail(&pdp.Error{Kind: pdp.Timeout, Err: errors.New("the work goes on after its deadline and cannot be stopped")})
	rc.record()
	if rc.returnEarly != nil {
		close(rc.returnEarly)
	}
}
