package membership

import (
	"context"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// Stream carries announcements of changes between sidecars. It is ordered, and keeps the newest entries for sidecars
// that reconnect.
//
// Implementations must be safe for concurrent use. Each call except Follow is limited in time.
type Stream interface {
	// Announce appends changes, at most [MaxChanges], and returns the position of the last entry once it is written. After
	// an error the changes may or may not be in the stream. Announcing them again is harmless.
	Announce(ctx context.Context, changes []pdp.Change) (Position, error)
	// Follow reports the stream to h until the context ends, and reconnects automatically. Calls of h do not overlap.
	Follow(ctx context.Context, h StreamHandler)
	// Now returns the time of the clock that all sidecars share, as of the last heartbeat; zero before the first one.
	Now() time.Time
}

// StreamHandler receives the entries of a [Stream] from Follow.
type StreamHandler interface {
	// Began reports where following begins. tail has every change after floor, up to at. Every later change will be
	// reported, until Lost. asOf is the time of the request to the stream.
	Began(at, floor Position, tail []Announcement, asOf time.Time)
	// Changed reports an entry.
	Changed(Announcement)
	// Heartbeat reports that everything announced before asOf has been reported.
	Heartbeat(asOf time.Time)
	// Lost reports that changes since the last heartbeat may have been missed, and again for each attempt to follow the
	// stream that fails.
	Lost(err error)
}

// Announcement is an entry of a [Stream].
type Announcement struct {
	At      Position
	Changes []pdp.Change
}

// Position is a position in a [Stream]. The zero Position is before every entry and belongs to no epoch.
type Position struct {
	// Epoch identifies a continuous period of the stream. A restart, a failover or a loss of entries begins another epoch.
	// Positions of different epochs cannot be compared.
	Epoch    string
	Sequence uint64
}

// MaxChanges is the maximum number of changes of one announcement.
const MaxChanges = 1000
