package membership

import (
	"context"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// Stream carries announcements of changes between sidecars. It is ordered, and keeps the newest entries for sidecars that
// reconnect.
//
// Implementations are safe for concurrent use. Each call but Follow is bounded in time.
type Stream interface {
	// Announce appends changes, at most [MaxChanges], and returns the position of the last entry once it is written.
	// After an error the changes may or may not be in the stream; announcing them again does no harm.
	Announce(ctx context.Context, changes []pdp.Change) (Position, error)
	// Follow reports the stream to h until the context ends, and reconnects by itself. Calls of h do not overlap.
	Follow(ctx context.Context, h StreamHandler)
	// Now is the time by the clock that all sidecars share, as of the last heartbeat; zero before the first.
	Now() time.Time
}

// StreamHandler receives what a follower of a [Stream] reads.
type StreamHandler interface {
	// Began says where following begins. Tail holds every change after floor, up to at. Every later change will be
	// reported, until Lost. asOf is when the stream was asked.
	Began(at, floor Position, tail []Announcement, asOf time.Time)
	// Changed reports an entry.
	Changed(Announcement)
	// Heartbeat says that everything announced before asOf has been reported.
	Heartbeat(asOf time.Time)
	// Lost says that changes since the last heartbeat may have been missed.
	Lost(err error)
}

// Announcement is an entry of a [Stream].
type Announcement struct {
	At      Position
	Changes []pdp.Change
}

// Position is a place in a [Stream]. The zero Position is before every entry, in no epoch.
type Position struct {
	// Epoch is a life of the stream. A restart, a failover or a loss of entries begins another, and positions of two
	// epochs are not comparable.
	Epoch    string
	Sequence uint64
}

// MaxChanges is the maximum number of changes of one announcement.
const MaxChanges = 1000
