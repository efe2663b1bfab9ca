package client

import (
	"crypto/tls"
	"net"
	"sync/atomic"
)

// conn is a connection that tracks whether anything has been received since a request was sent. Anything received before is a
// surplus of the answer to another question, and must not be taken for the answer to this one.
type conn struct {
	net.Conn
	state atomic.Int32
}

// States of a connection.
const (
	quiet    int32 = iota // the request has not been sent
	asked                 // sending has begun
	received              // data has been received since then
)

// connOf returns the conn beneath a transport's connection, or nil.
func connOf(c net.Conn) *conn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	own, _ := c.(*conn)
	return own
}

// begin is called before a request is sent.
func (c *conn) begin() { c.state.Store(quiet) }

// Write implements [net.Conn].
func (c *conn) Write(p []byte) (int, error) {
	c.state.CompareAndSwap(quiet, asked)
	return c.Conn.Write(p)
}

// Read implements [net.Conn].
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.state.CompareAndSwap(asked, received)
	}
	return n, err
}
