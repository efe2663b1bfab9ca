package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// handler answers a request: it puts a body into x.out, or fails and leaves the answer to fail.
type handler func(x *exchange) error

// exchange is one request and its answer. It is reused: nothing may keep it, or its buffers, after the answer.
type exchange struct {
	s *Server
	w http.ResponseWriter
	r *http.Request

	rt    *route
	start time.Time

	form   errorForm // the route's
	id     string    // the request's
	in     []byte    // the body
	out    []byte    // the answer
	status int       // of the answer
	sent   bool      // whether the answer is on its way
	tally  tally

	place   *gate     // that it has a place of; nil where it has none
	held    int64     // bytes of the body that count
	counted bool      // among those that its connection's answers are worked out for
	large   bool      // it is work like a batch's, whatever its size
	until   time.Time // when it has to be answered; zero until it is worked on
	watch   *watch    // nil until it is worked on
	flush   bool      // the answer is sent before the work is done

	returns chan struct{} // is closed when the handler may return though the work is not done; nil where it cannot
}

// maxPooled is the largest buffer that is kept for the next request.
const maxPooled = 64 << 10

// serve answers a request, whatever happens, and counts and logs it.
func (s *Server) serve(c echo.Context, rt *route, h handler) {
	x := s.exchanges.Get().(*exchange)
	x.start, x.rt = time.Now(), rt
	x.w, x.r, x.form = c.Response().Writer, c.Request(), rt.form
	x.status = http.StatusOK
	if x.r.ProtoMajor < 2 {
		s.work(x, h)
		return
	}
	if c := x.streamed(); c != nil {
		c.streams.Store(true)
	}
	defer s.admission.streams.Add(-1)
	if s.admission.streams.Add(1) > s.admission.maxStreams {
		h = func(x *exchange) error { return x.refuse("streams", "The server is busy: try again after a second.") }
		s.work(x, h)
		return
	}
	// An answer of HTTP/2 has its end where the handler returns, and not where it is as long as it says.
	x.returns = make(chan struct{})
	overdue, done := x.returns, make(chan any, 1)
	go func() {
		defer func() { done <- recover() }()
		s.work(x, h)
	}()
	select {
	case cause := <-done:
		if cause != nil {
			panic(cause)
		}
	case <-overdue:
	}
}

// work runs a handler to its end.
func (s *Server) work(x *exchange, h handler) {
	intact := x.run(h)
	if x.watch.answered() {
		return // it has been recorded
	}
	x.record()
	if !intact || cap(x.in) > maxPooled || cap(x.out) > maxPooled {
		return // after a panic somebody may still hold on to it
	}
	*x = exchange{s: s, in: x.in[:0], out: x.out[:0]}
	s.exchanges.Put(x)
}

// record counts and logs a request that has been answered.
func (x *exchange) record() {
	elapsed := time.Since(x.start)
	x.s.metrics.observe(x, x.rt, elapsed)
	x.logAccess(x.rt, elapsed)
}

// run answers a request. It says whether that went without a panic, which is answered with an error and never an allow.
func (x *exchange) run(h handler) (intact bool) {
	defer x.leave()
	defer func() {
		v := recover()
		if v == nil || x.watch.answered() {
			return
		}
		if v == http.ErrAbortHandler {
			panic(v) // the wish to drop the connection, not a fault
		}
		x.fail(&pdp.Error{Kind: pdp.Internal, Err: fmt.Errorf("panic: %v\n%s", v, debug.Stack())})
	}()
	x.identify()
	err := h(x)
	switch {
	case x.watch.answered():
	case err != nil:
		x.fail(err)
	case !x.sent:
		x.send()
	}
	return true
}

// send writes the answer.
func (x *exchange) send() {
	x.sent = true
	h := x.w.Header()
	h["Content-Type"] = x.s.jsonType
	if x.flush || len(x.out) > 2048 { // net/http measures shorter ones by itself
		h.Set("Content-Length", strconv.Itoa(len(x.out)))
	}
	x.w.WriteHeader(x.status)
	_, _ = x.w.Write(x.out) // where it fails, nobody is left to be told
	if x.flush {
		x.flushed()
	}
}

// fail answers with an error. A caller who has gone away is counted, and answered all the same: an answer that is
// never read does no harm, and an empty one with status 200 might.
func (x *exchange) fail(err error) {
	f := faultOf(err)
	gone := x.gone() // and not whether the caller leaves with the answer
	if !gone {
		x.failed()
	}
	if x.sent {
		return
	}
	x.status = f.status
	x.out = x.form(x.out[:0], f)
	x.send()
	if gone {
		x.status = statusGone
		if f.kind != pdp.Internal || errors.Is(err, context.Canceled) {
			return // the failure is nothing but the caller's leaving
		}
	}
	x.logCause(f)
}

// logCause logs what callers are not told.
func (x *exchange) logCause(f fault) {
	level := slog.LevelWarn // the way out is to try again
	switch {
	case f.status < http.StatusInternalServerError:
		return // the caller's own fault, and told to the caller
	case f.kind == pdp.Internal:
		level = slog.LevelError
	}
	x.s.log.LogAttrs(context.Background(), level, "request failed", slog.String("kind", string(f.kind)),
		slog.String("request_id", x.id), slog.Any("cause", f.cause))
}

// gone says whether the caller has gone away.
func (x *exchange) gone() bool { return x.r.Context().Err() != nil }
