//go:build linux

package rotation

import (
	"os"

	"golang.org/x/sys/unix"
)

// beingWritten reports whether the file is open for writing, and whether that is known. The kernel grants a read lease only
// on a file that is not open for writing; the lease is released at once. Other errors mean nothing: not every file system
// has leases, and only the file's owner, or a process with CAP_LEASE, may take one.
func beingWritten(file *os.File) (writing, known bool) {
	raw, err := file.SyscallConn()
	if err != nil {
		return false, false
	}
	_ = raw.Control(func(fd uintptr) {
		switch _, err := unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_RDLCK); err {
		case nil:
			known = true
			_, _ = unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_UNLCK) // if it fails, closing the file releases it
		case unix.EAGAIN:
			writing, known = true, true
		}
	})
	return writing, known
}
