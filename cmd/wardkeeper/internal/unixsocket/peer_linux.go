package unixsocket

import (
	"fmt"
	"net"
	"syscall"
)

// peerOf returns the user and the process of a client, as the kernel recorded them when it connected.
func peerOf(c *net.UnixConn) peer {
	raw, err := c.SyscallConn()
	if err != nil {
		return "unix"
	}
	var ucred *syscall.Ucred
	if raw.Control(func(fd uintptr) {
		ucred, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}) != nil || err != nil {
		return "unix"
	}
	return peer(fmt.Sprintf("unix:uid=%d,pid=%d", ucred.Uid, ucred.Pid))
}
