package pdp

import "github.com/wardkeeper/wardkeeper/pdp/facts"

// Sources still use these names of package facts.
type (
	Fact             = facts.Fact
	User             = facts.User
	Location         = facts.Location
	UserRecord       = facts.UserRecord
	LocationRecord   = facts.LocationRecord
	AssignmentRecord = facts.AssignmentRecord
	Access           = facts.Access
	Name             = facts.Name
	Suspended        = facts.Suspended
	UserQuery        = facts.UserQuery
	Users            = facts.Users
	Cursor           = facts.Cursor
	LocationQuery    = facts.LocationQuery
	SortKey          = facts.SortKey
)

// The same for constants.
const (
	ModelRegional      = facts.ModelRegional
	ModelHealthSystem  = facts.ModelHealthSystem
	ModelPracticeGroup = facts.ModelPracticeGroup
	ModelVendor        = facts.ModelVendor

	StatusActive      = facts.StatusActive
	StatusInvited     = facts.StatusInvited
	StatusDeactivated = facts.StatusDeactivated

	SortName            = facts.SortName
	SortUsername        = facts.SortUsername
	SortDefaultLocation = facts.SortDefaultLocation
	SortLastLogin       = facts.SortLastLogin
)

// NewLocation is [facts.NewLocation].
func NewLocation(rec LocationRecord, parent *Location, version uint64) *Location {
	return facts.NewLocation(rec, parent, version)
}

// NewUser is [facts.NewUser].
func NewUser(rec UserRecord, version uint64, locate func(id string) *Location) (*User, error) {
	return facts.NewUser(rec, version, locate)
}

// NewSuspendedUser is [facts.NewSuspendedUser].
func NewSuspendedUser(rec UserRecord, version uint64, locate func(id string) *Location, faults map[string]error) *User {
	return facts.NewSuspendedUser(rec, version, locate, faults)
}

// NewSuspendedLocation is [facts.NewSuspendedLocation].
func NewSuspendedLocation(root, at LocationRecord) *Location {
	return facts.NewSuspendedLocation(root, at)
}

// Fold is [facts.Fold].
func Fold(s string) string { return facts.Fold(s) }

// FoldCanonical is [facts.FoldCanonical].
func FoldCanonical(s string) string { return facts.FoldCanonical(s) }

// IsUsername is [facts.IsUsername].
func IsUsername(s string) bool { return facts.IsUsername(s) }
