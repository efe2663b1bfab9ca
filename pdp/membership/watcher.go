package membership

import (
	"context"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// Watcher is an [Origin] that reports its own changes.
type Watcher interface {
	// Watch reports changes to h until the context ends, and reconnects automatically. Calls of h do not overlap.
	Watch(ctx context.Context, h ChangeHandler)
}

// ChangeHandler receives what a [Watcher] reports.
type ChangeHandler interface {
	// Began promises that every change to records of this history that is committed after the given time will be reported,
	// until Lost. Records of another history come from another database, so silence does not confirm them.
	Began(at time.Time, history string)
	// Changed reports changes.
	Changed([]pdp.Change)
	// Heartbeat reports that everything committed before the given time has been reported.
	Heartbeat(at time.Time)
	// Lost reports that changes since the last heartbeat may have been missed, and again for each attempt to listen that
	// fails. The receiver logs it, so the error has no secrets. The error is an [*Unproven] if the channel
	// works but may not carry every change.
	Lost(err error)
}

// Unproven says why silence on a channel of changes does not prove that nothing has changed.
type Unproven struct {
	// Missing names the missing proofs for metrics and readiness. The names are stable and consist of lower-case letters
	// and "_".
	Missing []string
	// Reason is a sentence for the log that says what to do.
	Reason string
}

// Error implements error.
func (e *Unproven) Error() string { return e.Reason }
