package servertest

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
)

// FreePort returns a TCP port of 127.0.0.1 for a server of the test. It is reserved until the end of the test: see
// [ReservePort].
func FreePort(t testing.TB) int {
	t.Helper()
	port, release, err := ReservePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return port
}

// ReservePort returns a TCP port of 127.0.0.1 for a server. On Linux the port stays reserved until release is called: no
// other process is given it, even while the server is stopped. A server can listen on it because it sets SO_REUSEADDR, as
// nearly all servers do. Until then, connections to the port are refused.
func ReservePort() (port int, release func(), err error) {
	syscall.ForkLock.RLock()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(socket)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return 0, nil, fmt.Errorf("reserve a port: %w", err)
	}
	release = func() { _ = syscall.Close(socket) }
	// With SO_REUSEADDR before bind, two servers could be given the same port.
	err = syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	if err == nil {
		err = syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	}
	var address syscall.Sockaddr
	if err == nil {
		address, err = syscall.Getsockname(socket)
	}
	if err != nil {
		release()
		return 0, nil, fmt.Errorf("reserve a port: %w", err)
	}
	if runtime.GOOS != "linux" { // two sockets cannot share an address there
		release()
		release = func() {}
	}
	return address.(*syscall.SockaddrInet4).Port, release, nil
}
