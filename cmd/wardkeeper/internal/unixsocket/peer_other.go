//go:build unix && !linux

package unixsocket

import "net"

// peerOf cannot identify a client on this system.
func peerOf(*net.UnixConn) peer { return "unix" }
