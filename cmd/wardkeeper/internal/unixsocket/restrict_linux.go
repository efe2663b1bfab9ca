package unixsocket

import (
	"io/fs"
	"syscall"
)

// restrict makes bind create the file of a socket with the mode, less the umask. On Linux it has the mode of the socket that is
// bound. The umask would do the same, but belongs to the whole process: files that other goroutines create would get it too.
func restrict(fd int, mode fs.FileMode) error { return syscall.Fchmod(fd, uint32(mode.Perm())) }
