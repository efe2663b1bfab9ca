package record

// Carries returns the part of a user outside its record that tests compare.
func Carries(u User) []carried { return u.carries }

// AssignmentStatuses lists the statuses that an assignment may have.
var AssignmentStatuses = assignmentStatuses
