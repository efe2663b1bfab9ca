package record

import (
	"maps"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// SameUser reports whether two records are equal, including the order of assignments.
func SameUser(a, b facts.UserRecord) bool {
	return a.ID == b.ID && a.Username == b.Username && a.Name == b.Name && a.Status == b.Status &&
		a.DefaultLocation == b.DefaultLocation && a.LastLogin.Equal(b.LastLogin) &&
		slices.EqualFunc(a.Assignments, b.Assignments, sameAssignment)
}

func sameAssignment(a, b facts.AssignmentRecord) bool {
	if (a.Access == nil) != (b.Access == nil) {
		return false
	}
	if a.Access != nil && (a.Access.Level != b.Access.Level || !maps.Equal(a.Access.Areas, b.Access.Areas)) {
		return false
	}
	a.Access, b.Access = nil, nil
	return a == b
}
