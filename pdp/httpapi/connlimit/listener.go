package connlimit

import (
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// Config configures a limiter. All fields are required.
type Config struct {
	Max      int    // number of open connections
	Evicted  func() // called when a connection is closed in favor of a new one
	Rejected func() // called when a new connection is rejected because all others are busy
}

// Limiter limits the connections of a server. It is safe for concurrent use.
type Limiter struct {
	cfg Config

	mu   sync.Mutex
	open map[*Conn]struct{} // guarded by mu
}

// New returns a limiter.
func New(cfg Config) *Limiter { return &Limiter{cfg: cfg, open: make(map[*Conn]struct{})} }

// Connections returns how many connections are open, and how many may be.
func (l *Limiter) Connections() (open, limit int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open), l.cfg.Max
}

// Listen returns a listener that accepts connections from inner. The server that uses it must have [ConnState] and
// [ConnContext] as its hooks, and must report request bodies and HTTP/2 responses to the [Conn] of a request. Connections use
// TLS if secure is not nil.
func (l *Limiter) Listen(inner net.Listener, secure *tls.Config) net.Listener {
	limited := &listener{inner, l, secure != nil, false}
	if secure == nil {
		return limited
	}
	return tls.NewListener(limited, secure)
}

// ListenHTTP2 returns a listener for a server that speaks HTTP/2 alone and secures its connections itself. It has no hooks, but must
// report its responses to the [Conn], which is what it accepts.
func (l *Limiter) ListenHTTP2(inner net.Listener) net.Listener {
	return &listener{inner, l, true, true}
}

type listener struct {
	net.Listener
	*Limiter
	secure, http2 bool
}

// Accept waits for the next connection and makes room for it.
func (l *listener) Accept() (net.Conn, error) {
	for {
		netConn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &Conn{Conn: netConn, limiter: l.Limiter}
		c.setPhase(phaseNew)
		if l.http2 {
			c.SetHTTP2()
			c.setPhase(phaseBusy)
		}
		evicted, ok := l.add(c)
		if evicted != nil {
			_ = evicted.Conn.Close() // the client cannot be told about an error
			l.cfg.Evicted()
		}
		if ok {
			return c, nil
		}
		l.cfg.Rejected()
		if l.secure { // an answer would take a handshake
			_ = netConn.Close()
			continue
		}
		reject(netConn)
	}
}

// add registers a connection. If the limit is reached, it removes and returns another one, which the caller must close.
// ok is false if all other connections are busy.
func (l *Limiter) add(c *Conn) (evicted *Conn, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) >= l.cfg.Max {
		if evicted = l.evictionCandidate(c.phaseStart.Load()); evicted == nil {
			return nil, false
		}
		delete(l.open, evicted)
	}
	l.open[c] = struct{}{}
	return evicted, true
}

// evictionCandidate returns the connection to close next, or nil if all of them are busy. The caller must hold mu.
func (l *Limiter) evictionCandidate(now int64) (candidate *Conn) {
	lowest := rankBusy
	for c := range l.open {
		rank := c.evictionRank(now)
		if rank < lowest || candidate != nil && rank == lowest && c.phaseStart.Load() < candidate.phaseStart.Load() {
			candidate, lowest = c, rank
		}
	}
	return candidate
}

func (l *Limiter) remove(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
}

// reject answers a connection with status 503 and closes it.
func reject(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write([]byte("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
	_ = conn.Close()
}
