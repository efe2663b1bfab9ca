package record

// Carries returns what tests compare of a user beside its record.
func Carries(u User) []carried { return u.carries }

// AssignmentStatuses lists the statuses that an assignment may have.
var AssignmentStatuses = assignmentStatuses
