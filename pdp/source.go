package pdp

import "context"

// Checker is a source that checks by itself whether facts are available, if reading the first location proves too little.
type Checker interface {
	CheckFacts(ctx context.Context) error
}

// ChangeKind says what a change of the directory is about.
type ChangeKind string

// The kinds of change.
const (
	UserChanged     ChangeKind = "user"
	LocationChanged ChangeKind = "location"
	// AnythingChanged is for what cannot be told record by record, such as a truncated table.
	AnythingChanged ChangeKind = "anything"
)

// MaxVersion is the greatest version that a record can have: integers up to it are exact in JSON.
const MaxVersion = 1<<53 - 1

// Change says that a record was written or deleted.
type Change struct {
	Kind ChangeKind
	ID   string
	// Organization is the root above a location, if known.
	Organization string
	// Version is the record's from now on; 0 if unknown.
	Version uint64
	// Record is the new record, as JSON in the shape of policies/DOMAIN.md section 1 and not validated; nil if it is not
	// sent along.
	Record []byte
}

// Announcer accepts announcements of changes: what has changed is not decided by as it was before.
type Announcer interface {
	// Announce returns once every sidecar is bound to learn of the changes, all of them or none. The token is for
	// context.at_least of questions whose facts must include them. The error is an [*Error], of kind [Invalid] if a change
	// is malformed; after any other error the caller may announce the same again. Safe for concurrent use.
	Announce(ctx context.Context, changes []Change) (token string, err error)
}
