//go:build unix && !linux

package unixsocket

import "io/fs"

// restrict does nothing: until [Listen] has set its mode, the umask alone restricts who may connect to a socket.
func restrict(int, fs.FileMode) error { return nil }
