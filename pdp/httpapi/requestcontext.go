package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi/connlimit"
	"github.com/wardkeeper/wardkeeper/pdp/tracing"
)

// requestContext is one request and its response. It is reused: nothing may refer to it or its buffers after the response.
type requestContext struct {
	server     *Server
	w          http.ResponseWriter
	r          *http.Request
	conn       *connlimit.Conn // nil if the server does not use [Server.Listener]
	route      *route
	start      time.Time
	id         string // the request id
	callerName string // the name of the caller; "" if it is not known
	mayExplain bool   // answers may be explained to the caller
	stats      requestStats
	span       tracing.Span // of the whole request; none if it is not traced
	failure    httpError    // why the request, or a part of it, failed; without a status if the server is not at fault

	body   []byte // buffer for the request body
	out    []byte // the response body
	status int    // of the response
	sent   bool   // the response has been sent

	bodyRead bool // the whole body of the request

	batchWork bool       // counts as a batch, whatever its size
	semaphore *semaphore // acquired by admit; nil if none is
	reserved  int64      // bytes of the body that count against admission.maxBodyBytes
	deadline  time.Time  // for the response; zero until work begins
	watchdog  *watchdog  // nil until work begins

	flush       bool          // flush the response, because the handler has not returned yet
	returnEarly chan struct{} // closed when an HTTP/2 handler may return before the work is done; nil for HTTP/1
	responding  bool          // conn knows that an HTTP/2 response is in progress
}

// maxPooledBuffer is the size of the largest buffer that is kept for later requests, in bytes.
const maxPooledBuffer = 64 << 10

// serve handles one request: it always sends a response, and counts and logs the request. Every route calls it.
func (s *Server) serve(c echo.Context, rt *route, h handler) {
	rc := s.contexts.Get().(*requestContext)
	rc.start, rc.route = time.Now(), rt
	rc.w, rc.r = c.Response().Writer, c.Request()
	rc.conn = connlimit.FromContext(rc.r.Context())
	rc.status = http.StatusOK
	if rc.r.ProtoMajor < 2 {
		s.process(rc, h)
		return
	}
	s.serveHTTP2(rc, h)
}

// serveHTTP2 processes the request in a separate goroutine. An HTTP/2 response ends only when the handler returns, so
// the handler must return once the watchdog has answered, even though the work continues.
func (s *Server) serveHTTP2(rc *requestContext, h handler) {
	rc.conn.SetHTTP2()
	defer s.admission.streams.Add(-1)
	if s.admission.streams.Add(1) > s.admission.maxStreams {
		s.process(rc, func(rc *requestContext) error { return rc.reject("streams", serverBusy) })
		return
	}
	rc.returnEarly = make(chan struct{})
	returnEarly, done := rc.returnEarly, make(chan any, 1)
	go func() {
		defer func() { done <- recover() }()
		s.process(rc, h)
	}()
	select {
	case panicked := <-done:
		if panicked != nil {
			panic(panicked)
		}
	case <-returnEarly:
	}
}

// process runs a handler to its end, then recycles rc.
func (s *Server) process(rc *requestContext, h handler) {
	reusable := rc.run(h)
	if rc.alreadyAnswered() {
		return // the watchdog has recorded the request
	}
	rc.record()
	if !reusable || cap(rc.body) > maxPooledBuffer || cap(rc.out) > maxPooledBuffer {
		return
	}
	*rc = requestContext{server: s, body: rc.body[:0], out: rc.out[:0]}
	s.contexts.Put(rc)
}

// run calls a handler and sends the response. A panic becomes an error response, never an allow. rc is then not
// reusable, because the code that panicked may still refer to it.
func (rc *requestContext) run(h handler) (reusable bool) {
	defer rc.release()
	defer func() {
		v := recover()
		if v == nil || rc.alreadyAnswered() {
			return
		}
		if v == http.ErrAbortHandler {
			panic(v) // asks net/http to close the connection; not a failure
		}
		rc.fail(&pdp.Error{Kind: pdp.Internal, Err: fmt.Errorf("panic: %v\n%s", v, debug.Stack())})
	}()
	rc.setRequestID()
	rc.closeIfStopping()
	err := h(rc)
	switch {
	case rc.alreadyAnswered():
	case err != nil:
		rc.fail(err)
	case !rc.sent:
		rc.send()
	}
	return true
}

// record counts and logs an answered request.
func (rc *requestContext) record() {
	elapsed := time.Since(rc.start)
	rc.server.metrics.observe(rc, elapsed)
	rc.logAccess(elapsed)
	rc.endTrace()
}

// beginSending is called before anything of the response is sent. net/http first reads what is left of an HTTP/1 body.
func (rc *requestContext) beginSending() {
	rc.sent = true
	if rc.r.ProtoMajor == 1 && rc.r.ContentLength != 0 && !rc.bodyRead {
		rc.conn.ReadingBody()
	}
}

// send sends rc.status and rc.out.
func (rc *requestContext) send() {
	rc.beginSending()
	rc.closeIfStopping()
	h := rc.w.Header()
	if h["Content-Type"] == nil {
		h["Content-Type"] = rc.server.jsonType
	}
	if rc.flush || len(rc.out) > 2048 { // net/http adds the length of shorter responses itself, unless they are flushed
		h.Set("Content-Length", strconv.Itoa(len(rc.out)))
	}
	rc.w.WriteHeader(rc.status)
	_, _ = rc.w.Write(rc.out) // an error means that the client has disconnected
	if rc.flush {
		_ = http.NewResponseController(rc.w).Flush()
	}
}

// fail sends an error response. If the client has disconnected, it records status 499 but sends the response anyway:
// otherwise net/http would send an empty response with status 200 to a client that is still connected.
func (rc *requestContext) fail(err error) {
	e := httpErrorOf(err)
	gone := rc.clientGone() // before sending, since the client may disconnect as soon as it has the response
	if !gone {
		rc.countFailure()
	}
	if rc.sent {
		return
	}
	rc.status = e.status
	rc.out = rc.route.errorFormat(rc.out[:0], e)
	rc.send()
	if gone {
		rc.status = statusClientClosedRequest
		if e.kind != pdp.Internal || errors.Is(err, context.Canceled) {
			return // the disconnect of the client is the only cause
		}
	}
	rc.noteFailure(e)
}

// noteFailure keeps an error for the access log, which has its cause. Errors of the client are of no interest there.
func (rc *requestContext) noteFailure(e httpError) {
	if e.status >= http.StatusInternalServerError {
		rc.failure = e
	}
}

// clientGone reports whether the client has disconnected.
func (rc *requestContext) clientGone() bool { return rc.r.Context().Err() != nil }
