package membership

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// RawRecord is a record as an origin delivers it, not checked yet.
type RawRecord struct {
	// Record is JSON in the shape of DOMAIN.md section 1: a user, or a list of locations.
	Record []byte
	// Version only grows within one history; 0 where the origin has none.
	Version uint64
	// History identifies the line of versions that Version belongs to: at most [MaxHistory] printable ASCII characters, ""
	// for an origin that has only ever one. A database that was restored or replaced has another. Versions of two histories
	// are never compared.
	History string
}

// MaxHistory bounds [RawRecord.History].
const MaxHistory = 64

// RawUsers is a stretch of a list of users.
type RawUsers struct {
	Users []RawRecord
	// Offsets has, for each of Users, how many of the list, unfiltered by text, came up to and including it.
	Offsets []int
	More    bool // whether any follow the last
}

// Origin is a system of record: each call reads it anew. What is unknown is nil, never an error; an error means that
// nothing could be learned. Implementations are safe for concurrent use, bound what they read by [MaxRecord] and the
// limit asked for, and try again by themselves where that is worth while, within the context.
type Origin interface {
	// User finds an account by id, compared byte by byte.
	User(ctx context.Context, id string) (*RawRecord, error)
	// UserByUsername finds accounts whose username may be this one, without regard to case: at most two, for two are a
	// fault. Whoever asks compares by [pdp.Fold].
	UserByUsername(ctx context.Context, username string) ([]RawRecord, error)
	// Organization delivers all the locations of the organization that a location belongs to.
	Organization(ctx context.Context, location string) (*RawRecord, error)
	// Users pages through the users with an assignment at or beneath a location, in the order of [pdp.UserQuery].
	Users(ctx context.Context, q pdp.UserQuery) (RawUsers, error)
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

// Watcher is an origin that tells of its changes by itself.
type Watcher interface {
	// Listen tells hear until the context ends, and connects again by itself. Calls of hear do not overlap.
	Watch(ctx context.Context, hear ChangeHandler)
}

// ChangeHandler takes what a [Watcher] hears.
type ChangeHandler interface {
	// Began says that every change committed after this moment to records of this history will be told, until Lost. Records
	// of another history were read elsewhere, and are not confirmed by what is heard here.
	Began(at time.Time, history string)
	// Changed tells of changes.
	Changed([]pdp.Change)
	// Beat says that everything committed before this moment has been told.
	Heartbeat(at time.Time)
	// Lost says that changes may have been missed since the last beat. The error is an [*Unproven] where the channel works,
	// but is not known to carry every change.
	Lost(err error)
}

// ErrContract is matched by an error of an [Origin] that answered, and whose answer breaks the contract. ErrSchema is matched by
// one of them that any other question would meet as well.
var (
	ErrContract = errors.New("the source breaks the contract")
	ErrSchema   = errors.New("the source has not what every question needs")
)

// contractError is an error that [ErrContract] matches.
type contractError string

func NewContractError(text string) error { return contractError(text) }

func (e contractError) Error() string { return string(e) }

func (e contractError) Is(target error) bool { return target == ErrContract }

// Unproven says why silence on a channel of changes is no evidence that nothing has changed.
type Unproven struct {
	// Missing names the proofs that are missing, for metrics and readiness: stable words of lower-case letters and "_".
	Missing []string
	// Reason is a sentence for the log that says what to do.
	Reason string
}

func (e *Unproven) Error() string { return e.Reason }

// longest is how many bytes an id may have, and a username as it is written and as it is compared.
const MaxID = 1 << 10

// PageLimit is the page size of a query.
func PageLimit(asked int) int {
	if asked < 1 {
		return 1000
	}
	return asked
}

// sortKeys are the orders a list can have, each in two directions.
var SortKeys = [...]pdp.SortKey{pdp.SortName, pdp.SortUsername, pdp.SortDefaultLocation, pdp.SortLastLogin}

// ValidHistory says whether an origin can have such a history.
func ValidHistory(text string) bool {
	return len(text) <= MaxHistory && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// MaxChanges is how many changes an announcement may have.
const MaxChanges = 1000
