package connlimit

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// slowAfter is how long a connection may take to send its first request head, or a body, before it counts as slow.
const slowAfter = time.Second

// Conn is an accepted connection. The methods that report its activity are safe for concurrent use, and do nothing if c
// is nil.
type Conn struct {
	net.Conn
	limiter    *Limiter
	phase      atomic.Int32
	phaseStart atomic.Int64 // by monotonic

	http2     atomic.Bool  // if set, phaseBusy means only that a request has begun
	responses atomic.Int32 // HTTP/2 responses being computed
}

// Phases of a connection.
const (
	phaseNew         int32 = iota // no complete request head has arrived yet
	phaseReadingBody              // a request body is arriving
	phaseIdle                     // between requests
	phaseBusy                     // a response is being computed or sent
)

// Eviction ranks: the lowest is evicted first.
const (
	rankSlow = iota // has not sent what is expected for longer than slowAfter
	rankIdle        // between requests
	rankNew         // has only just begun to send something
	rankBusy        // is never evicted
)

func (c *Conn) evictionRank(now int64) int {
	switch c.phase.Load() {
	case phaseBusy:
		if !c.http2.Load() || c.responses.Load() > 0 {
			return rankBusy
		}
	case phaseIdle:
		return rankIdle
	}
	if now-c.phaseStart.Load() > int64(slowAfter) {
		return rankSlow
	}
	return rankNew
}

func (c *Conn) setPhase(phase int32) {
	c.phase.Store(phase)
	c.phaseStart.Store(monotonic())
}

var start = time.Now()

// monotonic returns the time since the start in nanoseconds. Setting the clock back would make the connections of before look
// younger than those that are at work.
func monotonic() int64 { return int64(time.Since(start)) }

// Close closes the connection and makes room for another one.
func (c *Conn) Close() error {
	c.limiter.remove(c)
	return c.Conn.Close()
}

// ReadingBody reports that the body of an HTTP/1 request is being read, so that a client that sends nothing counts as
// slow.
func (c *Conn) ReadingBody() {
	if c != nil {
		c.setPhase(phaseReadingBody)
	}
}

// BodyRead reports the end of the reading that ReadingBody reported.
func (c *Conn) BodyRead() {
	if c != nil {
		c.setPhase(phaseBusy)
	}
}

// SetHTTP2 reports that the connection uses HTTP/2.
func (c *Conn) SetHTTP2() {
	if c != nil {
		c.http2.Store(true)
	}
}

// BeginResponse reports that the response to an HTTP/2 request is being computed, which keeps the connection open.
func (c *Conn) BeginResponse() { c.addResponse(1) }

// EndResponse reports the end of the response that BeginResponse reported.
func (c *Conn) EndResponse() { c.addResponse(-1) }

func (c *Conn) addResponse(n int32) {
	if c != nil {
		c.phaseStart.Store(monotonic())
		c.responses.Add(n)
	}
}

// ConnState implements the hook [http.Server.ConnState].
func ConnState(conn net.Conn, state http.ConnState) {
	c := accepted(conn)
	if c == nil {
		return
	}
	switch state {
	case http.StateActive:
		c.setPhase(phaseBusy)
	case http.StateIdle:
		c.setPhase(phaseIdle)
	}
}

type contextKey struct{}

// ConnContext implements the hook [http.Server.ConnContext].
func ConnContext(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, contextKey{}, accepted(conn))
}

// accepted returns the connection that a limiter accepted, below TLS where there is any; nil if there is none.
func accepted(conn net.Conn) *Conn {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	c, _ := conn.(*Conn)
	return c
}

// FromContext returns the connection of a request, or nil if the server uses another listener.
func FromContext(ctx context.Context) *Conn {
	c, _ := ctx.Value(contextKey{}).(*Conn)
	return c
}
