package httpapi

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// slowAfter is how long a connection may take to say its first request, or to send a body, before it is the first to be
// closed where there are too many.
const slowAfter = time.Second

// connections bounds how many connections there are. A new one always gets a place, as long as there is one on which no
// answer is being worked out: the slowest goes, or else the one that was idle for longest.
type connections struct {
	net.Listener
	most    int
	dropped *prometheus.CounterVec

	mu  sync.Mutex
	all map[*connection]struct{}
}

// connection is one of them.
type connection struct {
	net.Conn
	of    *connections
	phase atomic.Int32
	since atomic.Int64 // when the phase began, in nanoseconds of [time.Time.UnixNano]

	streams  atomic.Bool  // it speaks HTTP/2, where working says no more than that something has begun
	answered atomic.Int32 // its requests of HTTP/2 whose answers are worked out
}

// What a connection is doing.
const (
	opening int32 = iota // nothing that it sent was a whole head yet
	sending              // a body is on its way
	idle                 // it waits for its next request
	working              // an answer is worked out, or on its way
)

// The order in which connections go.
const (
	first  = iota // what is slow to say anything
	second        // what is idle
	third         // what has only just begun to say something
	never         // where an answer is worked out
)

func (c *connection) rank(now int64) int {
	switch c.phase.Load() {
	case working:
		if !c.streams.Load() || c.answered.Load() > 0 {
			return never
		}
	case idle:
		return second
	}
	if now-c.since.Load() > int64(slowAfter) {
		return first
	}
	return third
}

// Accept waits for the next connection, and makes room for it.
func (l *connections) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &connection{Conn: conn, of: l}
		c.is(opening)
		gone, ok := l.add(c)
		if gone != nil {
			_ = gone.Conn.Close() // it has ended for its client either way
			l.dropped.WithLabelValues("closed").Inc()
		}
		if ok {
			return c, nil
		}
		l.dropped.WithLabelValues("refused").Inc()
		turnAway(conn)
	}
}

// add takes a connection in. Where there are too many, gone is another one that has to go; not ok means that none can.
func (l *connections) add(c *connection) (gone *connection, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) >= l.most {
		if gone = l.dispensable(c.since.Load()); gone == nil {
			return nil, false
		}
		delete(l.all, gone)
	}
	l.all[c] = struct{}{}
	return gone, true
}

// dispensable is the connection that goes first; nil where an answer is worked out on all of them.
func (l *connections) dispensable(now int64) (found *connection) {
	least := never
	for c := range l.all {
		rank := c.rank(now)
		if rank < least || found != nil && rank == least && c.since.Load() < found.since.Load() {
			found, least = c, rank
		}
	}
	return found
}

// turnAway answers a connection that there is no room for.
func turnAway(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write([]byte("HTTP/1.1 503 Service Unavailable\r\nRetry-After: " + retryAfter + "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
	_ = conn.Close()
}

func (c *connection) is(phase int32) {
	c.phase.Store(phase)
	c.since.Store(time.Now().UnixNano())
}

// Close ends the connection, and gives its place back.
func (c *connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.all, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// Listener bounds the connections of a listener that the server of [Server.HTTPServer] is to serve.
func (s *Server) Listener(l net.Listener, most int) net.Listener {
	return &connections{Listener: l, most: most, dropped: s.metrics.connections, all: make(map[*connection]struct{})}
}

// follow tells a connection what net/http says that it is doing.
func follow(conn net.Conn, state http.ConnState) {
	c, ok := conn.(*connection)
	if !ok {
		return
	}
	switch state {
	case http.StateActive:
		c.is(working)
	case http.StateIdle:
		c.is(idle)
	}
}

type connectionKey struct{}

// remember lets requests find the connection that they came on.
func remember(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, conn)
}

// streamed gives the connection that a request of HTTP/2 came on; nil for any other.
func (x *exchange) streamed() *connection {
	if x.r.ProtoMajor < 2 {
		return nil
	}
	c, _ := x.r.Context().Value(connectionKey{}).(*connection)
	return c
}

// works says that the answer to a request of HTTP/2 is worked out, so that its connection stays, and stops that it is.
func (x *exchange) works(now bool) {
	c := x.streamed()
	if c == nil || x.counted == now {
		return
	}
	x.counted = now
	c.since.Store(time.Now().UnixNano())
	if now {
		c.answered.Add(1)
	} else {
		c.answered.Add(-1)
	}
}

// sends says whether the request's body is on its way, so that one that does not come keeps nobody out.
func (x *exchange) sends(body bool) {
	c, ok := x.r.Context().Value(connectionKey{}).(*connection)
	switch {
	case !ok || x.r.ProtoMajor != 1: // other requests may be worked on beside it
	case body:
		c.is(sending)
	default:
		c.is(working)
	}
}
