package servertest

import (
	"fmt"
	"net"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFreePortStaysReservedWhileItsServerIsStopped(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("ports are reserved on Linux only")
	}
	address := fmt.Sprintf("127.0.0.1:%d", FreePort(t))
	for range 2 {
		_, err := net.Dial("tcp", address)
		require.ErrorContains(t, err, "refused")
		server, err := net.Listen("tcp", address)
		require.NoError(t, err)
		client, err := net.Dial("tcp", address)
		require.NoError(t, err)
		require.NoError(t, client.Close())
		require.NoError(t, server.Close())
	}
	for range 100 {
		require.NotEqual(t, address, fmt.Sprintf("127.0.0.1:%d", FreePort(t)))
	}
}
