package client

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
	"time"
)

// dialer opens connections. The transport keeps connecting after a request has ended: the time-out keeps attempts that hang
// from occupying connections.
type dialer struct {
	socket  string // the path of a Unix socket; "" means TCP
	timeout time.Duration
	tls     *tls.Config // nil means the system's certificate authorities
}

func (d dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	dialed, err := d.open(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: dialed}, nil
}

func (d dialer) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	dialed, err := d.open(ctx, network, address)
	if err != nil {
		return nil, err
	}
	config := d.tls.Clone()
	if config == nil {
		config = &tls.Config{}
	}
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(address)
	}
	secured := tls.Client(dialed, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = dialed.Close()
		return nil, err
	}
	return &conn{Conn: secured}, nil
}

func (d dialer) open(ctx context.Context, network, address string) (net.Conn, error) {
	if d.socket != "" {
		network, address = "unix", d.socket
	}
	var n net.Dialer
	return n.DialContext(ctx, network, address)
}

// conn is a connection that knows whether what it has received came after the request that was sent last. What came before is
// a surplus of the answer to another question, and must not be taken for the answer to this one.
type conn struct {
	net.Conn
	// state is odd once the current request has been sent, at least in part, and even before that. It only increases.
	state atomic.Int64

	// The following are used where the connection is read, which is never done concurrently.
	buffer   [4 << 10]byte
	rest     []byte // of the buffer
	received int64  // the state when the rest was received
	answer   framing
}

// begin is called before a request is sent.
func (c *conn) begin() {
	if state := c.state.Load(); state%2 == 1 {
		c.state.Store(state + 1)
	}
}

// Write implements [net.Conn].
func (c *conn) Write(p []byte) (int, error) {
	if state := c.state.Load(); state%2 == 0 {
		c.state.Store(state + 1)
	}
	return c.Conn.Write(p)
}

// Read implements [net.Conn].
func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(c.rest) == 0 {
		n, err := c.Conn.Read(c.buffer[:])
		if n == 0 {
			return 0, err
		}
		state := c.state.Load()
		if state != c.received {
			c.answer = framing{}
		}
		c.rest, c.received = c.buffer[:n], state
	}
	n := copy(p, c.rest[:c.answer.piece(c.rest)])
	c.answer.advance(c.rest[:n])
	c.rest = c.rest[n:]
	return n, nil
}

// answers reports whether the byte that was read last was received after the current request had been sent. It is called where
// the connection is read.
func (c *conn) answers() bool { return c.received%2 == 1 && c.received == c.state.Load() }
