package membership

import (
	"context"
	"errors"
	"time"
)

// Store is the cache that several sidecars share. It may lose values at any time. Readers must validate values, because
// others write them too.
//
// Implementations must be safe for concurrent use. Each call is limited in time, and fails fast while the store is known to
// be down.
type Store interface {
	// Get returns the value of a key; nil if there is none.
	Get(ctx context.Context, key Key) ([]byte, error)
	// Put stores a value that package record has packed, for the duration of ttl. It keeps the existing value if that has a
	// greater version of the same history or, if the versions do not decide, was fetched later.
	Put(ctx context.Context, key Key, value []byte, ttl time.Duration) error
	// Drop removes the values of keys. It tries all keys even if one fails.
	Drop(ctx context.Context, keys ...Key) error
	// Reserve reserves the fetch of a record from the origin for this sidecar, until Unreserve, and for a duration at most. It
	// returns false if another sidecar has reserved it. A reservation saves the origin questions, and proves nothing.
	Reserve(ctx context.Context, key Key, most time.Duration) (bool, error)
	// Reserved reports whether a sidecar has reserved the fetch of a record.
	Reserved(ctx context.Context, key Key) (bool, error)
	// Unreserve ends the reservation of a fetch, whoever has it.
	Unreserve(ctx context.Context, key Key) error
	// TakeSlot takes one of the slots that all sidecars have together for questions to the origin, under a name of its own and for a
	// duration at most. It returns false if all are taken, or if the name is "". Then the record named by request, unless that is the zero
	// Key, is requested of those who have one, for as long; otherwise it no longer is. A request proves nothing, and may be lost.
	TakeSlot(ctx context.Context, name string, slots int, most time.Duration, request Key) (bool, error)
	// NextRequest keeps a slot for a duration at most, and returns a record that is requested; the zero Key if none is. Then last
	// returns the slot instead of keeping it. It returns [ErrNoSlot] if the slot was not kept in time.
	NextRequest(ctx context.Context, name string, most time.Duration, last bool) (Key, error)
	// Close releases the connections of the store, and those of its [Stream].
	Close() error
}

// ErrNoSlot is the error for a slot that somebody else may have by now.
var ErrNoSlot = errors.New("the slot was not kept in time")

// Key is the name of a value in a [Store].
type Key struct {
	Kind Kind
	ID   string
}

// Kind is the kind of value that a [Key] names.
type Kind byte

// The kinds of keys. They are part of the names in Redis. Usernames are not kept in Redis: only invitations look up
// usernames, after looking up an id, and Redis cannot prove that no user has the id or the username.
const (
	UserRecord         Kind = 'u' // by user id
	OrganizationParts  Kind = 'b' // by the id of its root location; what [Branches] delivered last
	OrganizationRecord Kind = 'o' // by the id of its root location
	UsernamePointer    Kind = 'n' // by folded username; contains a user id; in memory only
	LocationPointer    Kind = 'l' // by location id; contains the id of the organization's root
)

// Name returns the name of a kind.
func (k Kind) Name() string {
	switch k {
	case UserRecord:
		return "user"
	case OrganizationRecord:
		return "organization"
	case OrganizationParts:
		return "parts of an organization"
	case LocationPointer:
		return "location"
	}
	return "username"
}

// String returns a name for logs. It omits a username, which is personal.
func (k Key) String() string {
	switch k.Kind {
	case UserRecord:
		return "user " + Quote(k.ID)
	case OrganizationRecord:
		return "organization " + Quote(k.ID)
	case OrganizationParts:
		return "parts of organization " + Quote(k.ID)
	case LocationPointer:
		return "location " + Quote(k.ID)
	}
	return "a username"
}

// Stamp is what is known about a fetched record in addition to its content.
type Stamp struct {
	Version uint64    // see [RawRecord]
	History string    // of Version
	At      Position  // the position up to which the stream had been followed when the fetch began
	AsOf    time.Time // when the fetch began
}
