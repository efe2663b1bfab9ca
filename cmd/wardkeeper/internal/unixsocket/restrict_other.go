//go:build unix && !linux

package unixsocket

import "io/fs"

// restrict does nothing: until [Listen] has set the mode, only the umask restricts who may connect to a socket.
func restrict(int, fs.FileMode) error { return nil }
