package membership

import (
	"context"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// position is a place in the stream of changes. The zero position is before everything, in no epoch.
type position struct {
	epoch    string // of the stream: another one after a restart, a failover or a loss
	sequence uint64
}

// stamp is what is known of a fact beside its content.
type stamp struct {
	version uint64
	history string // of the version: of no other are versions compared with it
	// at is how far the stream had been followed when the fetch from the origin began.
	at position
	// asOf is when that fetch began.
	asOf time.Time
}

// recordKind says what a key of the shared tier holds.
type recordKind byte

const (
	userRecord         recordKind = 'u' // by user id
	organizationRecord recordKind = 'o' // by the id of the root
	usernamePointer    recordKind = 'n' // by folded username, to a user id
	locationPointer    recordKind = 'l' // by location id, to the id of the root
)

// recordKey names a record.
type recordKey struct {
	kind recordKind
	id   string
}

// sharedTier is the cache that several sidecars share, and the stream by which they tell each other of changes. It is
// safe for concurrent use. Each call is bounded in time, and fails fast while the tier is known to be down.
type sharedTier interface {
	// get gives the value of a key, nil where there is none.
	get(ctx context.Context, key recordKey) ([]byte, error)
	// put keeps a packed fact, unless one of a greater version of the same history is there, or else one fetched later.
	put(ctx context.Context, key recordKey, value []byte, ttl time.Duration) error
	drop(ctx context.Context, keys ...recordKey) error
	// announce appends to the stream and gives the place of what was appended, once it is written.
	announce(ctx context.Context, changes []pdp.Change) (position, error)
	// follow tells hear of the stream until the context ends, and connects again by itself. Calls of hear do not overlap.
	follow(ctx context.Context, hear followed)
	// now is the tier's clock, by the last beat; zero where there was none.
	now() time.Time
	close() error
}

// announced is one entry of the stream.
type announced struct {
	at      position
	changes []pdp.Change
}

// followed takes what a follower of the stream hears.
type followed interface {
	// began says where the following begins: every change behind floor is known, those of tail among them, and every
	// later one will be told until lost. asOf is when the question was sent.
	began(at, floor position, tail []announced, asOf time.Time)
	changed(announced)
	// beat says that everything that had been announced before asOf has been told.
	beat(asOf time.Time)
	// lost says that changes may have been missed since the last beat.
	lost(err error)
}
