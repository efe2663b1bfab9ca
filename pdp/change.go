package pdp

// ChangeKind is the kind of record that a change of the directory is about.
type ChangeKind string

// The kinds of change.
const (
	UserChanged     ChangeKind = "user"
	LocationChanged ChangeKind = "location"
	// AnythingChanged is for changes that cannot be reported record by record, such as a truncated table.
	AnythingChanged ChangeKind = "anything"
)

// MaxVersion is the greatest version of a record: integers up to it are exact in JSON.
const MaxVersion = 1<<53 - 1

// Change reports that a record was written or deleted.
type Change struct {
	Kind ChangeKind
	ID   string
	// Organization is the root above a location, if known.
	Organization string
	// Version is the version of the record after the change; 0 if unknown.
	Version uint64
	// Since is an earlier version of the organization, if all locations that have changed after it, up to Version, have been
	// announced by now. Only the source itself can know. 0 says nothing.
	Since uint64
	// Record is the new record, as JSON in the shape of policies/DOMAIN.md section 1. It has not been validated. It is nil
	// if the change does not include it.
	Record []byte
}
