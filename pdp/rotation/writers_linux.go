//go:build linux

package rotation

import (
	"os"

	"golang.org/x/sys/unix"
)

// beingWritten says whether anybody has the file open for writing, and whether that can be known. The kernel grants a
// read lease on exactly the files that nobody has; it is given back at once. Any other answer tells nothing: file
// systems differ, and only the file's owner, or who has CAP_LEASE, may ask.
func beingWritten(file *os.File) (writing, known bool) {
	raw, err := file.SyscallConn()
	if err != nil {
		return false, false
	}
	_ = raw.Control(func(fd uintptr) {
		switch _, err := unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_RDLCK); err {
		case nil:
			known = true
			_, _ = unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_UNLCK) // or else closing does it
		case unix.EAGAIN:
			writing, known = true, true
		}
	})
	return writing, known
}
