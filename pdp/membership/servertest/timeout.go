package servertest

import "time"

// Timeout limits the wait for a condition that holds sooner or later, on a busy machine too.
const Timeout = 40 * time.Second

// PollInterval is the interval between checks of such a condition.
const PollInterval = 10 * time.Millisecond
