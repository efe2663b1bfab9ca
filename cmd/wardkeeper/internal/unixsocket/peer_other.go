//go:build unix && !linux

package unixsocket

import "net"

// peerOf does not know who a client is.
func peerOf(*net.UnixConn) peer { return "unix" }
