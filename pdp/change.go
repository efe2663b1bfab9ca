package pdp

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
