package unixsocket

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// MaxPath is the maximum length of a socket's path, in bytes: 107 on Linux.
const MaxPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// Replaceable returns the folder in which every user of the machine can replace the socket at path, or "" if there is none.
// Clients would ask the replacement, and believe it.
func Replaceable(path string) (dir string) {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return ""
	}
	if mode(dir)&0o002 != 0 { // the sticky bit protects a socket only while it exists
		return dir
	}
	for parent := filepath.Dir(dir); parent != dir; parent = filepath.Dir(dir) {
		dir = parent
		if m := mode(dir); m&0o002 != 0 && m&fs.ModeSticky == 0 {
			return dir
		}
	}
	return ""
}

// OpenToAll reports whether every user of the machine can connect to the socket at path.
func OpenToAll(path string) bool {
	if !filepath.IsAbs(path) { // an abstract socket has no mode
		return true
	}
	if mode(path)&0o002 == 0 {
		return false
	}
	path, err := filepath.EvalSymlinks(path)
	for dir := filepath.Dir(path); err == nil && mode(dir)&0o001 != 0; dir = filepath.Dir(dir) {
		if dir == filepath.Dir(dir) {
			return true
		}
	}
	return false
}

// mode returns the mode of a file, 0 if it cannot be read.
func mode(path string) fs.FileMode {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Mode()
}

// notSocketError returns the error for a path at which something other than a socket exists.
func notSocketError(path string, m fs.FileMode) error {
	kind := "a device or pipe"
	switch {
	case m.IsRegular():
		kind = "a file"
	case m.IsDir():
		kind = "a folder"
	case m&fs.ModeSymlink != 0:
		kind = "a symbolic link"
	}
	return fmt.Errorf("%s is %s, not a socket, and is left alone: choose another path", path, kind)
}
