package pdp

import "context"

// ChangeKind says what a change of the directory is about.
type ChangeKind string

// The kinds of change.
const (
	UserChanged     ChangeKind = "user"
	LocationChanged ChangeKind = "location"
	// AnythingChanged is for what cannot be told record by record, such as a table that was emptied.
	AnythingChanged ChangeKind = "anything"
)

// MaxVersion is the greatest version that a record may have: what JSON numbers count to exactly.
const MaxVersion = 1<<53 - 1

// Change says that a record is not any more what it was: it was written, or is gone.
type Change struct {
	Kind ChangeKind
	ID   string
	// Organization is the root above a location, where it is known.
	Organization string
	// Version is the record's from now on; 0 where it is not known.
	Version uint64
	// Record is the record itself, as JSON in the shape of DOMAIN.md section 1 and not checked yet; nil where only the
	// change is told.
	Record []byte
}

// Announcer takes announcements of changes: what has been announced is not decided by as it was before.
type Announcer interface {
	// Announce returns once every sidecar is bound to learn of the changes, all of them or none. The token is for
	// context.at_least of questions that must know of them. Its error is an [*Error], [Invalid] where a change is
	// malformed; then and in any other case the caller may announce the same again. Safe for concurrent use.
	Announce(ctx context.Context, changes []Change) (token string, err error)
}
