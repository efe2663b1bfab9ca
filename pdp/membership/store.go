package membership

import (
	"context"
	"time"
)

// Store is the cache that several sidecars share. It may lose values at any time, and whoever reads one must check it:
// others write it too.
//
// Implementations are safe for concurrent use. Each call is bounded in time, and fails fast while the store is known to
// be down.
type Store interface {
	// Get returns the value of a key, nil if there is none.
	Get(ctx context.Context, key Key) ([]byte, error)
	// Put stores a value that package record has packed, for as long as ttl. It keeps what is there if that has a
	// greater version of the same history or, where versions do not tell, was fetched later.
	Put(ctx context.Context, key Key, value []byte, ttl time.Duration) error
	// Drop removes the values of keys. It tries all keys even if one fails.
	Drop(ctx context.Context, keys ...Key) error
	// Close releases the connections of the store, and those of its [Stream].
	Close() error
}

// Key names a value in a [Store].
type Key struct {
	Kind Kind
	ID   string
}

// Kind says what a [Key] names.
type Kind byte

// The kinds of keys. They are part of the names in Redis, where usernames are not kept: only an invitation asks for one, it asks
// for an id first, and finding in Redis that neither is anybody's is not possible.
const (
	UserRecord         Kind = 'u' // by user id
	OrganizationRecord Kind = 'o' // by the id of its root location
	UsernamePointer    Kind = 'n' // by folded username, leads to a user id; in memory alone
	LocationPointer    Kind = 'l' // by location id, leads to the id of the organization's root
)

// String names the key for logs. It leaves out a username, which is personal.
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

// Stamp is what is known of a fetched record beside its content.
type Stamp struct {
	Version uint64    // see [RawRecord]
	History string    // of Version
	At      Position  // how far the stream had been followed when the fetch began
	AsOf    time.Time // when the fetch began
}
