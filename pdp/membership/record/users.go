package record

import (
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// checkUsers checks each user, and the users against each other and against the locations.
func (c *checker) checkUsers(all []User) {
	ids := make(map[string]bool, len(all))
	names := make(map[string]*User, len(all))
	for i := range all {
		u := &all[i]
		if u.ID != "" && u.ID != Unreadable {
			if ids[u.ID] {
				c.faults.Add(u.About, "another user has this id")
			}
			ids[u.ID] = true
		}
		if u.Username != "" && u.Username != Unreadable {
			folded := facts.FoldCanonical(u.Username)
			if other := names[folded]; other == nil {
				names[folded] = u
			} else {
				c.faults.Add(u.About, "username is that of %s too", other.About.record())
			}
		}
		held := c.heldBy(u)
		for j := range u.Assignments {
			c.checkAssignment(u, held, j)
		}
		c.checkDefaultLocation(u, held)
	}
}

// heldBy returns a user's first assignment at each location. The map is valid until the next call.
func (c *checker) heldBy(u *User) map[string]*facts.AssignmentRecord {
	if c.held == nil || len(c.held) > 64 { // clearing a large map for each of many small users would be slow
		c.held = make(map[string]*facts.AssignmentRecord, 8)
	}
	clear(c.held)
	for i := range u.Assignments {
		a := &u.Assignments[i]
		if a.Location != "" && a.Location != Unreadable && c.held[a.Location] == nil {
			c.held[a.Location] = a
		}
	}
	return c.held
}

func (c *checker) checkAssignment(u *User, held map[string]*facts.AssignmentRecord, i int) {
	a := &u.Assignments[i]
	if a.Location == "" || a.Location == Unreadable {
		return
	}
	s := u.About
	s.assignment, s.location = i+1, a.Location
	if held[a.Location] != a {
		c.faults.Add(s, "the user has another at this location")
	}
	if c.suspended != nil && c.suspended(a.Location) {
		return
	}
	l := c.locations[a.Location]
	if l == nil {
		s.location = "" // not the id of a record, so it must not be quoted
		c.faults.Add(s, "location is unknown")
		return
	}
	at, known := levels[l.Kind]
	if !known {
		return
	}
	if a.Role != "" && a.Role != Unreadable && !c.vocab.offers(l.Kind, a.Role) {
		c.faults.Add(s, "role is not offered at %s", at.title)
	}
	if at.model != facts.ModelPracticeGroup && a.Status != facts.StatusActive && a.Status != Unreadable {
		c.faults.Add(s, "its status belongs to model %s alone", facts.ModelPracticeGroup)
	}
	if l.Kind == "practice" {
		c.checkPractice(s, held, a, l)
	}
	if l.Kind != "group" {
		for bit, name := range carriedNames {
			if u.carries[i]&(1<<bit) != 0 {
				c.faults.Add(s, "%s belongs to the assignment at a practice group", name)
			}
		}
	}
}

// checkPractice requires the same role at the group. The assignment at the group is the membership.
func (c *checker) checkPractice(s Subject, held map[string]*facts.AssignmentRecord, a *facts.AssignmentRecord, practice *Location) {
	if group := c.locations[practice.Parent]; group == nil || group.Kind != "group" {
		return // already reported
	}
	atGroup := held[practice.Parent]
	switch {
	case atGroup == nil:
		c.faults.Add(s, "there is none at the group %s", membership.Quote(practice.Parent))
	case a.Role == "" || a.Role == Unreadable || atGroup.Role == "" || atGroup.Role == Unreadable: // already reported
	case atGroup.Role != a.Role:
		c.faults.Add(s, "role is not the one at the group %s", membership.Quote(practice.Parent))
	}
}

func (c *checker) checkDefaultLocation(u *User, held map[string]*facts.AssignmentRecord) {
	if u.DefaultLocation == Unreadable || held[u.DefaultLocation] != nil {
		return
	}
	if u.DefaultLocation != "" {
		c.faults.Add(u.About, "default_location is none of the user's assignments")
		return
	}
	for at := range held {
		if l := c.locations[at]; l != nil && levels[l.Kind].model == facts.ModelRegional {
			c.faults.Add(u.About, "default_location is missing, for an assignment in a regional organization")
			return
		}
	}
}
