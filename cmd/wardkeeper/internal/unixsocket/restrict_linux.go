package unixsocket

import (
	"io/fs"
	"syscall"
)

// restrict makes bind create the file of a socket with the mode, less the umask. On Linux, the file gets the mode of the socket
// that is bound. Setting the umask would do the same, but the umask belongs to the whole process: it would affect files that
// other goroutines create.
func restrict(fd int, mode fs.FileMode) error { return syscall.Fchmod(fd, uint32(mode.Perm())) }
