package servertest

import (
	"runtime"
	"syscall"
	"testing"
)

// FreePort returns a TCP port of 127.0.0.1 for a server of the test. On Linux the port stays reserved until the end of
// the test: no other process is given it, even while the server is stopped. A server can listen on it because it sets
// SO_REUSEADDR, as nearly all servers do. Until then, connections to the port are refused.
func FreePort(t testing.TB) int {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal("reserve a port: ", err)
		}
	}
	syscall.ForkLock.RLock()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(socket)
	}
	syscall.ForkLock.RUnlock()
	must(err)
	closeSocket := func() { _ = syscall.Close(socket) }
	if runtime.GOOS == "linux" {
		t.Cleanup(closeSocket)
	} else { // two sockets cannot share an address there
		defer closeSocket()
	}
	// With SO_REUSEADDR before bind, two tests could be given the same port.
	must(syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	must(syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	address, err := syscall.Getsockname(socket)
	must(err)
	return address.(*syscall.SockaddrInet4).Port
}
