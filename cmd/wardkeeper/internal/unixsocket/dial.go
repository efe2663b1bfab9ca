package unixsocket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"
)

// Dial connects to the server that listens at path. Its errors say what to do.
func Dial(ctx context.Context, path string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "unix", path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no socket %s: start the server, with --addr unix:%s", path, path)
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("no server listens at the socket %s: start the server again", path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("permission to connect to the socket %s is denied: join its group, or see --socket-mode of the server", path)
	}
	return c, err
}
