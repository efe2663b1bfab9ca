package unixsocket

import "net"

// Inherited returns a listener on a socket that another process made and keeps: closing it leaves the file alone. The remote address
// of its connections identifies the client.
func Inherited(l *net.UnixListener) net.Listener {
	l.SetUnlinkOnClose(false)
	return inherited{l}
}

type inherited struct{ *net.UnixListener }

// Accept implements [net.Listener].
func (l inherited) Accept() (net.Conn, error) { return accept(l.UnixListener) }
