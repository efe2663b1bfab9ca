package membership

import (
	"context"
	"errors"
	"time"
)

// Election chooses the sidecar that listens to the origin for all sidecars that follow the same [Stream], and the one that takes
// its place. Each holds a lease, which others can take as soon as it has not been renewed for some time.
//
// Implementations must be safe for concurrent use. Each call is limited in time.
type Election interface {
	// Campaign takes the lease of a role and begins a term. The result is nil if another sidecar holds it.
	Campaign(ctx context.Context, role Role) (*Term, error)
	// StartRound renews the lease, and returns the number of a new round. Numbers grow, over all terms. The error is
	// [ErrDeposed] if another term has begun.
	StartRound(ctx context.Context, t *Term) (uint64, error)
	// Attest publishes a watermark to whoever follows the stream. Nothing is published, and the error is [ErrDeposed], if
	// another term has begun. Only a leader attests.
	Attest(ctx context.Context, t *Term, w Watermark) error
	// Resign ends a term, so that another sidecar can take the lease at once.
	Resign(ctx context.Context, t *Term) error
}

// Role is what a sidecar is chosen for.
type Role byte

const (
	Leader  Role = iota // listens for all
	Standby             // listens too, so that it can lead at any time
)

// Term is the time in which one sidecar has a role.
type Term struct {
	Role   Role
	ID     string   // random, never used twice
	Number uint64   // grows with each term of the role
	At     Position // of the stream when the term began
}

// Watermark is the evidence of a leader that the stream is complete: every change to records of History that was committed
// after the leader began to listen and before Round was started is in the stream, not after Through.
type Watermark struct {
	Term    string // the ID
	Round   uint64
	Through Position
	History string
	// Since is a round that was started, as every later one, after the leader had begun to listen; 0: none is known.
	Since uint64
	// At is when the round was started, by the leader's clock. It is set only for a follower that cannot trust the numbers of
	// rounds, because others can write them. So is Began, a time at which the leader listened already.
	At, Began time.Time
}

// Leadership is what a follower of a [Stream] sees of an [Election] at one moment.
type Leadership struct {
	Term      uint64     // the number of the last leader's term; 0 before the first
	Vacant    bool       // nobody leads
	NoStandby bool       // nobody stands by
	Round     uint64     // the last one that was started, in any term
	Watermark *Watermark // the last one of the last term; nil if there is none that is valid at this place of the stream
}

// LeadershipObserver is a [StreamHandler] that also learns who leads.
type LeadershipObserver interface {
	StreamHandler
	// Observed reports what Leadership was at some time after asOf, before each Heartbeat. All entries of the stream up to
	// then have been reported.
	Observed(asOf time.Time, l Leadership)
}

// HeartbeatObserver is a [ChangeHandler] that is told before each heartbeat of a [Watcher].
type HeartbeatObserver interface {
	ChangeHandler
	// HeartbeatStarts returns before the moment that the next Heartbeat is about.
	HeartbeatStarts()
}

// ErrDeposed is the error of a leader whose term is over.
var ErrDeposed = errors.New("the term is over: another sidecar may listen for all now")
