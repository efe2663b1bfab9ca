//go:build !unix

package unixsocket

import (
	"errors"
	"io/fs"
	"net"
)

var errUnsupported = errors.New("this system has no Unix sockets: listen on HOST:PORT")

// Listen returns an error.
func Listen(string, fs.FileMode) (net.Listener, error) { return nil, errUnsupported }

// Check returns an error.
func Check(string) error { return errUnsupported }
