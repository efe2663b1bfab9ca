//go:build !unix

package limits

import "math"

// OpenFiles returns how many files the process may have open, connections included.
func OpenFiles() int { return math.MaxInt32 }
