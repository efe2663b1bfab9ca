package membership

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// Origin is a system of record. Each call reads it anew, and must read the primary, not a replica that may lag behind.
//
// A record that does not exist is nil, not an error. An error means that the result is unknown. Implementations must be safe
// for concurrent use, read no more than [MaxRecord], [MaxOrganization] and the limit of the call allow, and retry within the
// context if that can help. They need not validate records; their callers do. A user whose record is too large has a
// [RawRecord.Fault], and does not keep others from being delivered.
type Origin interface {
	// User returns the user with an id. Ids are compared byte by byte.
	User(ctx context.Context, id string) (*RawRecord, error)
	// UserByUsername returns the users that may have a username, ignoring case. It returns at most two: two users with one
	// username are a fault, which the caller reports. The caller compares by [facts.Fold], so an origin that folds case
	// differently may return users that do not match.
	UserByUsername(ctx context.Context, username string) ([]RawRecord, error)
	// Organization returns all locations of the organization that a location belongs to.
	Organization(ctx context.Context, location string) (*RawRecord, error)
	// Users returns a page of the users with an assignment at or below a location, in the order of [facts.UserQuery].
	Users(ctx context.Context, q facts.UserQuery) (RawUsers, error)
	// Locations returns the ids of locations after the given one, at most limit, in ascending byte order.
	Locations(ctx context.Context, after string, limit int) ([]string, error)
	// Check returns an error if the origin is unreachable or cannot answer.
	Check(ctx context.Context) error
	Close() error
}

// Branches is an [Origin] that can deliver parts of an organization.
type Branches interface {
	// Branches returns those of the given locations that are in the organization with this root, and all locations beneath
	// them, and those of alone that are, without what is beneath them: each once, as they are at one moment. Version and
	// History are those of the organization then. It returns nil if there is no such organization.
	Branches(ctx context.Context, root string, locations, alone []string) (*RawRecord, error)
}

// Snapshots is an [Origin] that can be read as it is at one moment.
type Snapshots interface {
	// Snapshot returns the records as they are now, until it is closed. Meanwhile it occupies a connection.
	Snapshot(ctx context.Context) (Snapshot, error)
}

// Snapshot is an [Origin] at one moment. It answers one call after another.
type Snapshot interface {
	Origin
	// AsOf returns the moment, by the clock of the system of record.
	AsOf() time.Time
	// AllUsers calls take for each user, in any order. take must not call the origin; its error ends the call.
	AllUsers(ctx context.Context, take func(RawRecord) error) error
}

// RawRecord is a record as an [Origin] delivers it, before validation.
type RawRecord struct {
	// Record is JSON in the form of policies/DOMAIN.md section 1: a user, or a list of locations.
	Record []byte
	// Version only increases within one history; 0 if the origin has no versions.
	Version uint64
	// History names the sequence of versions that Version belongs to. A database that was restored from a backup or
	// replaced has another history. Versions of different histories are never compared. It must satisfy [ValidHistory], and
	// is "" if the origin has only one history.
	History string
	// Fault is why the record cannot be delivered, and ID whose it is, if that is known. Record is nil then.
	Fault error
	ID    string
}

// MaxHistory is the maximum length of [RawRecord.History] in bytes.
const MaxHistory = 64

// ValidHistory reports whether an [Origin] can have a history: at most [MaxHistory] printable ASCII characters.
func ValidHistory(text string) bool {
	return len(text) <= MaxHistory && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// RawUsers is a page of a list of users.
type RawUsers struct {
	Users []RawRecord
	More  bool // the list continues
	// Next is where it continues; the zero Cursor is right after the last of Users. An origin that bounds the work of a query
	// needs it, because such a query can find fewer users than the limit, even none, before the end of the list.
	Next facts.Cursor
}

// Limits of the results of an [Origin].
const (
	MaxRecord       = 1 << 20  // bytes of a user's record
	MaxOrganization = 64 << 20 // bytes of all locations of an organization
)

// defaultPageLimit is the page size of a query without a limit.
const defaultPageLimit = 1000

// PageLimit returns the page size for the limit of a query.
func PageLimit(asked int) int {
	if asked < 1 {
		return defaultPageLimit
	}
	return asked
}

// SortKeys lists the orders in which [Origin.Users] can return users, each ascending or descending.
var SortKeys = [...]facts.SortKey{facts.SortName, facts.SortUsername, facts.SortDefaultLocation, facts.SortLastLogin}

// ErrRecordTooLarge is the [RawRecord.Fault] of a user.
var ErrRecordTooLarge = fmt.Errorf("the record has more than %d bytes", MaxRecord)

var (
	// ErrContract matches the error of an [Origin] whose answer violates the contract.
	ErrContract = errors.New("the source breaks the contract")
	// ErrSchema matches an ErrContract that every other query would return as well.
	ErrSchema = errors.New("the source lacks what every query needs")
)

// NewContractError returns an error with the given text that [ErrContract] matches.
func NewContractError(text string) error { return contractError(text) }

type contractError string

func (e contractError) Error() string { return string(e) }

func (e contractError) Is(target error) bool { return target == ErrContract }
