package unixsocket

import "net"

// conn is an accepted connection whose remote address identifies the client.
type conn struct {
	*net.UnixConn
	peer peer
}

// RemoteAddr returns an address such as "unix:uid=1000,pid=4711": the socket address of a client is empty.
func (c *conn) RemoteAddr() net.Addr { return c.peer }

func accept(l *net.UnixListener) (net.Conn, error) {
	c, err := l.AcceptUnix()
	if err != nil {
		return nil, err
	}
	return &conn{UnixConn: c, peer: peerOf(c)}, nil
}

// peer describes a process that connected.
type peer string

// Network implements [net.Addr].
func (peer) Network() string { return "unix" }

// String implements [net.Addr].
func (p peer) String() string { return string(p) }
