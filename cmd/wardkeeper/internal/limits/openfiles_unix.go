//go:build unix

package limits

import (
	"math"
	"syscall"
)

// OpenFiles returns how many files the process may have open, connections included. The Go runtime raises the soft limit to the
// hard limit at startup.
func OpenFiles() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil || uint64(limit.Cur) > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(limit.Cur)
}
