package facts

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// AnyOrganization stands for all organizations together where the id of one is expected.
const AnyOrganization = ""

// User is one account, joined with the locations of its assignments. It is immutable and safe for concurrent use: its facts
// are built once for each organization that asks, and kept.
type User struct {
	rec         UserRecord
	version     uint64
	assignments []Assignment // sorted by location id

	faults map[string]error // by organization; under AnyOrganization, of the record as a whole

	mu    sync.RWMutex
	built map[string]*userFacts // by organization
}

// Assignment is one role of a user, with the location at which it is held.
type Assignment struct {
	AssignmentRecord
	At *Location
	// Active reports whether the assignment has any effect: it is active itself and, in a practice group, so is the
	// assignment at the group.
	Active bool
}

// NewUser joins a record with the locations that locate finds. It fails if locate does not know the location of an
// assignment; nothing else is validated: that is the source's task (policies/DOMAIN.md section 1).
func NewUser(rec UserRecord, version uint64, locate func(id string) *Location) (*User, error) {
	u := &User{rec: rec, version: version, assignments: make([]Assignment, 0, len(rec.Assignments))}
	if u.rec.Status == "" {
		u.rec.Status = StatusActive
	}
	for _, a := range rec.Assignments {
		at := locate(a.Location)
		if at == nil {
			return nil, fmt.Errorf("user %q: assignment at an unknown location", rec.ID)
		}
		if a.Status == "" {
			a.Status = StatusActive
		}
		u.assignments = append(u.assignments, Assignment{AssignmentRecord: a, At: at})
	}
	slices.SortFunc(u.assignments, func(a, b Assignment) int {
		return strings.Compare(a.Location, b.Location)
	})
	for i := range u.assignments {
		a := &u.assignments[i]
		a.Active = a.Status == StatusActive
		if a.At.Model() == ModelPracticeGroup && a.At.root != a.At {
			group := u.AssignmentAt(a.At.root.ID())
			a.Active = a.Active && group != nil && group.Status == StatusActive
		}
	}
	return u, nil
}

// ID returns the id, which is unique in the whole directory and compared byte by byte.
func (u *User) ID() string { return u.rec.ID }

// Username returns the name that the person signs in with, which may be empty.
func (u *User) Username() string { return u.rec.Username }

// Record returns the user as its source delivered it, with absent statuses filled in. It must not be changed.
func (u *User) Record() UserRecord { return u.rec }

// Version returns a number that grows whenever the user's record changes.
func (u *User) Version() uint64 { return u.version }

// Assignments returns the user's assignments, by ascending location id. They must not be changed.
func (u *User) Assignments() []Assignment { return u.assignments }

// AssignmentAt returns the assignment at a location, or nil if there is none.
func (u *User) AssignmentAt(location string) *Assignment {
	i, ok := slices.BinarySearchFunc(u.assignments, location, func(a Assignment, id string) int {
		return strings.Compare(a.Location, id)
	})
	if !ok {
		return nil
	}
	return &u.assignments[i]
}

// HeldIn returns the locations of an organization at which the user has an active assignment, by ascending id.
func (u *User) HeldIn(organization string) []*Location {
	var held []*Location
	for _, a := range u.assignments {
		if a.Active && (organization == AnyOrganization || a.At.Organization() == organization) {
			held = append(held, a.At)
		}
	}
	return held
}

// BelongsTo reports whether the user has an assignment of any status in an organization.
func (u *User) BelongsTo(organization string) bool {
	if organization != AnyOrganization && u.faults[organization] != nil {
		return true
	}
	for _, a := range u.assignments {
		if a.At.Organization() == organization {
			return true
		}
	}
	return false
}

// onlyHeld returns the location of the user's only active assignment, or nil if there is none or more than one.
func (u *User) onlyHeld() *Location {
	var only *Location
	for _, a := range u.assignments {
		if !a.Active {
			continue
		}
		if only != nil {
			return nil
		}
		only = a.At
	}
	return only
}
