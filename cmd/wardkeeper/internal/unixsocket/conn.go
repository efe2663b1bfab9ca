package unixsocket

import "net"

// conn is an accepted connection that says who connected.
type conn struct {
	*net.UnixConn
	peer peer
}

// RemoteAddr returns an address such as "unix:uid=1000,pid=4711". The client's own address is empty.
func (c *conn) RemoteAddr() net.Addr { return c.peer }

// peer describes a process that connected.
type peer string

// Network implements [net.Addr].
func (peer) Network() string { return "unix" }

// String implements [net.Addr].
func (p peer) String() string { return string(p) }
