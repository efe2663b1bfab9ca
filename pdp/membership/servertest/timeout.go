package servertest

import (
	"strings"
	"time"
)

// Timeout limits the wait for a condition that must hold sooner or later, even on a busy machine.
const Timeout = time.Minute

// PollInterval is the interval between checks of such a condition.
const PollInterval = 10 * time.Millisecond

// tail returns the last lines of the log of a server, for the report of a failed test.
func tail(log string) string {
	const most = 40
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}
