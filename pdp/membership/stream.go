package membership

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// Position is a place in the stream of changes. The zero position is before everything, in no epoch.
type Position struct {
	Epoch    string // of the stream: another one after a restart, a failover or a loss
	Sequence uint64
}

// Stamp is what is known of a fact beside its content.
type Stamp struct {
	Version uint64
	History string // of the version: of no other are versions compared with it
	// at is how far the stream had been followed when the fetch from the origin began.
	At Position
	// asOf is when that fetch began.
	AsOf time.Time
}

// Kind says what a key of the shared tier holds.
type Kind byte

const (
	UserRecord         Kind = 'u' // by user id
	OrganizationRecord Kind = 'o' // by the id of the root
	UsernamePointer    Kind = 'n' // by folded username, to a user id
	LocationPointer    Kind = 'l' // by location id, to the id of the root
)

// Key names a record.
type Key struct {
	Kind Kind
	ID   string
}

// SharedTier is the cache that several sidecars share, and the stream by which they tell each other of changes. It is
// safe for concurrent use. Each call is bounded in time, and fails fast while the tier is known to be down.
type SharedTier interface {
	// get gives the value of a key, nil where there is none.
	Get(ctx context.Context, key Key) ([]byte, error)
	// put keeps a packed fact, unless one of a greater version of the same history is there, or else one fetched later.
	Put(ctx context.Context, key Key, value []byte, ttl time.Duration) error
	Drop(ctx context.Context, keys ...Key) error
	// announce appends to the stream and gives the place of what was appended, once it is written.
	Announce(ctx context.Context, changes []pdp.Change) (Position, error)
	// follow tells hear of the stream until the context ends, and connects again by itself. Calls of hear do not overlap.
	Follow(ctx context.Context, hear StreamHandler)
	// now is the tier's clock, by the last beat; zero where there was none.
	Now() time.Time
	Close() error
}

// Announcement is one entry of the stream.
type Announcement struct {
	At      Position
	Changes []pdp.Change
}

// StreamHandler takes what a follower of the stream hears.
type StreamHandler interface {
	// began says where the following begins: every change behind floor is known, those of tail among them, and every
	// later one will be told until lost. asOf is when the question was sent.
	Began(at, floor Position, tail []Announcement, asOf time.Time)
	Changed(Announcement)
	// beat says that everything that had been announced before asOf has been told.
	Heartbeat(asOf time.Time)
	// lost says that changes may have been missed since the last beat.
	Lost(err error)
}

// String names a record in logs. A username is somebody's, and is left out.
func (k Key) String() string {
	switch k.Kind {
	case UserRecord:
		return "user " + Quote(k.ID)
	case OrganizationRecord:
		return "organization " + Quote(k.ID)
	case LocationPointer:
		return "location " + Quote(k.ID)
	}
	return "a username"
}

// quotedBytes is how much of an id or name a message quotes.
const QuotedBytes = 64

// Quote keeps a fault to one short line, whatever the file says.
func Quote(s string) string {
	if len(s) > QuotedBytes {
		return strconv.Quote(strings.ToValidUTF8(s[:QuotedBytes], "")) + "..."
	}
	return strconv.Quote(s)
}

// Elapsed is the time between two moments by the clock that went further: the monotonic one stands still while a machine is
// suspended, and the other can be set back.
func Elapsed(now, then time.Time) time.Duration {
	return max(now.Sub(then), now.Round(0).Sub(then.Round(0)))
}
