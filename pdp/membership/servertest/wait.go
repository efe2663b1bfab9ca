package servertest

import (
	"time"
)

// serverPatience is for what comes by itself, on a busy machine.
const ServerPatience = 40 * time.Second

const PollEvery = 10 * time.Millisecond
