package pdp

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// User is one account, joined with the locations of its assignments; immutable and safe for concurrent use.
//
// The facts that rules see of it are built once for each organization that asks, and kept.
type User struct {
	rec         UserRecord
	version     uint64
	assignments []assignment // sorted by location id

	faults map[string]error // by organization; "" is the record as such

	mu    sync.RWMutex
	views map[string]*userView // by organization; "" is the whole account
}

type assignment struct {
	AssignmentRecord
	at     *Location
	active bool // gives something: active itself, and in a practice group the one at the group too
}

// NewUser joins a record with the locations that locate finds. It fails where an assignment is at a location that
// locate does not know; nothing else is checked: that is the source's task (DOMAIN.md section 1).
func NewUser(rec UserRecord, version uint64, locate func(id string) *Location) (*User, error) {
	u := &User{rec: rec, version: version, assignments: make([]assignment, 0, len(rec.Assignments))}
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
		u.assignments = append(u.assignments, assignment{AssignmentRecord: a, at: at})
	}
	slices.SortFunc(u.assignments, func(a, b assignment) int {
		return strings.Compare(a.Location, b.Location)
	})
	for i := range u.assignments {
		a := &u.assignments[i]
		a.active = a.Status == StatusActive
		if a.at.Model() == ModelPracticeGroup && a.at.root != a.at {
			group := u.assignmentAt(a.at.root.ID())
			a.active = a.active && group != nil && group.Status == StatusActive
		}
	}
	return u, nil
}

// ID is unique in the whole directory, and compared byte by byte.
func (u *User) ID() string { return u.rec.ID }

// Username is what the person signs in with; it may be empty.
func (u *User) Username() string { return u.rec.Username }

// Record is the user as its source delivered it, with statuses filled in. It must not be changed.
func (u *User) Record() UserRecord { return u.rec }

// Version only grows while the user's record changes.
func (u *User) Version() uint64 { return u.version }

func (u *User) assignmentAt(location string) *assignment {
	i, ok := slices.BinarySearchFunc(u.assignments, location, func(a assignment, id string) int {
		return strings.Compare(a.Location, id)
	})
	if !ok {
		return nil
	}
	return &u.assignments[i]
}
