package membership

import "time"

// Elapsed returns the time between two moments according to the clock that advanced further. The monotonic clock stops
// while a machine is suspended, and the wall clock can be set back.
func Elapsed(now, then time.Time) time.Duration {
	return max(now.Sub(then), now.Round(0).Sub(then.Round(0)))
}
