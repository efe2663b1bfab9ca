package facts

import "time"

// The models by which an organization can run (policies/DOMAIN.md, first table).
const (
	ModelRegional      = "regional"
	ModelHealthSystem  = "health_system"
	ModelPracticeGroup = "practice_group"
	ModelVendor        = "vendor"
)

// The statuses of accounts and assignments (policies/DOMAIN.md section 1).
const (
	StatusActive      = "active"
	StatusInvited     = "invited"
	StatusDeactivated = "deactivated"
)

// The plans of organizations whose model has them (policies/DOMAIN.md section 1).
const (
	PlanFree = "free"
	PlanPaid = "paid"
)

// LocationRecord is a location as a membership source delivers it (policies/DOMAIN.md section 1). Only roots have Model and
// Plan.
type LocationRecord struct {
	ID, Name, Kind, Parent, Model, Plan string
}

// UserRecord is a user as a membership source delivers it (policies/DOMAIN.md section 1). Absent strings are empty, an
// absent Status means active, and an absent LastLogin is the zero time.
type UserRecord struct {
	ID, Username    string
	Name            Name
	Status          string
	DefaultLocation string
	LastLogin       time.Time
	Assignments     []AssignmentRecord
}

// Name is a person's name; the full name is title, given, family.
type Name struct {
	Title, Given, Family string
}

// AssignmentRecord is one role at one location. Only assignments at the root of a practice group have Access, Profession
// and RegistrationNumber.
type AssignmentRecord struct {
	Location, Role, Status string
	Access                 *Access
	Profession             string
	RegistrationNumber     string
}

// Access is what a member of a practice group may use: a level and, over it, switches for single areas.
type Access struct {
	Level string
	Areas map[string]bool
}
