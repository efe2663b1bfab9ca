package membership

import (
	"context"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// Sent is a record as an origin delivers it, not checked yet.
type Sent struct {
	// Record is JSON in the shape of DOMAIN.md section 1: a user, or a list of locations.
	Record []byte
	// Version only grows; 0 where the origin has none.
	Version uint64
}

// SentUsers is a stretch of a list of users.
type SentUsers struct {
	Users []Sent
	// Offsets has, for each of Users, how many of the list, unfiltered by text, came up to and including it.
	Offsets []int
	More    bool // whether any follow the last
}

// Origin is a system of record: each call reads it anew. What is unknown is nil, never an error; an error means that
// nothing could be learned. Implementations are safe for concurrent use, bound what they read by [MaxRecord] and the
// limit asked for, and try again by themselves where that is worth while, within the context.
type Origin interface {
	// User finds an account by id, compared byte by byte.
	User(ctx context.Context, id string) (*Sent, error)
	// UserByUsername finds accounts whose username may be this one, without regard to case: at most two, for two are a
	// fault. Whoever asks compares by [pdp.Fold].
	UserByUsername(ctx context.Context, username string) ([]Sent, error)
	// Organization delivers all the locations of the organization that a location belongs to.
	Organization(ctx context.Context, location string) (*Sent, error)
	// Users pages through the users with an assignment at or beneath a location, in the order of [pdp.UserQuery].
	Users(ctx context.Context, q pdp.UserQuery) (SentUsers, error)
	// Locations pages through the ids of all locations, ascending, behind one of them.
	Locations(ctx context.Context, after string, limit int) ([]string, error)
	// Check fails where the origin cannot be reached or cannot answer.
	Check(ctx context.Context) error
	Close() error
}

// MaxRecord is how many bytes a record may have: a user, or all the locations of an organization.
const (
	MaxRecord       = 1 << 20
	MaxOrganization = 64 << 20
)

// Listener is an origin that tells of its changes by itself.
type Listener interface {
	// Listen tells hear until the context ends, and connects again by itself. Calls of hear do not overlap.
	Listen(ctx context.Context, hear Hearing)
}

// Hearing takes what a [Listener] hears.
type Hearing interface {
	// Began says that every change committed after this moment will be told, until Lost.
	Began(at time.Time)
	// Changed tells of changes.
	Changed([]pdp.Change)
	// Beat says that everything committed before this moment has been told.
	Beat(at time.Time)
	// Lost says that changes may have been missed since the last beat.
	Lost(err error)
}
