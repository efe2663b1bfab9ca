package servertest

import (
	"time"
)

// serverPatience is for what comes by itself, on a busy machine.
const Timeout = 40 * time.Second

const PollInterval = 10 * time.Millisecond
