package unixsocket

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRemoteAddrSaysWhoConnected(t *testing.T) {
	path := filepath.Join(tempDir(t), "s")
	l := listen(t, path, 0o600)
	client, err := net.Dial("unix", path)
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close()) }()
	server, err := l.Accept()
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Close()) }()
	require.Equal(t, "unix", server.RemoteAddr().Network())
	require.Equal(t, fmt.Sprintf("unix:uid=%d,pid=%d", os.Getuid(), os.Getpid()), server.RemoteAddr().String())
}
