package bench

import (
	"context"
	"syscall"
	"time"
)

// longestSleep is how long a sleep that cannot be interrupted may last.
const longestSleep = 100 * time.Millisecond

// sleepUntil sleeps until a time, or for a moment longer than ctx lasts. The kernel is late by less than 0.1 ms, Go's own timers by up to
// 1 ms, which would count as latency.
func sleepUntil(ctx context.Context, due time.Time) {
	for left := time.Until(due); left > 0 && ctx.Err() == nil; left = time.Until(due) {
		ts := syscall.NsecToTimespec(int64(min(left, longestSleep)))
		_ = syscall.Nanosleep(&ts, nil) // a signal interrupts it
	}
}
