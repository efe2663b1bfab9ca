package record

import (
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// CheckUsers also fills in who has which id and username.
func (c *Checker) CheckUsers() {
	ids := make(map[string]bool, len(c.Users))
	names := make(map[string]*User, len(c.Users))
	for i := range c.Users {
		u := &c.Users[i]
		if u.ID != "" && u.ID != Unreadable {
			if ids[u.ID] {
				c.Faults.Add(u.About, "another user has this id")
			}
			ids[u.ID] = true
		}
		if u.Username != "" && u.Username != Unreadable {
			folded := facts.FoldCanonical(u.Username)
			if other := names[folded]; other == nil {
				names[folded] = u
			} else {
				c.Faults.Add(u.About, "username is that of %s too", other.About.record())
			}
		}
		held := c.heldBy(u)
		for j := range u.Assignments {
			c.checkAssignment(u, held, j)
		}
		c.checkDefaultLocation(u, held)
	}
}

// heldBy finds a user's first assignment at each location. What it gives is good until the next user.
func (c *Checker) heldBy(u *User) map[string]*facts.AssignmentRecord {
	if c.held == nil || len(c.held) > 64 { // clearing a large map for each of many small users is slow
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

func (c *Checker) checkAssignment(u *User, held map[string]*facts.AssignmentRecord, i int) {
	a := &u.Assignments[i]
	if a.Location == "" || a.Location == Unreadable {
		return
	}
	s := u.About
	s.assignment, s.location = i+1, a.Location
	if held[a.Location] != a {
		c.Faults.Add(s, "the user has another at this location")
	}
	if c.suspended != nil && c.suspended(a.Location) {
		return
	}
	l := c.Locations[a.Location]
	if l == nil {
		s.location = "" // it is no record's id
		c.Faults.Add(s, "location is unknown")
		return
	}
	at, known := levels[l.Kind]
	if !known {
		return
	}
	if a.Role != "" && a.Role != Unreadable && !c.Vocab.Offers(l.Kind, a.Role) {
		c.Faults.Add(s, "role is not offered at %s", at.title)
	}
	if at.model != facts.ModelPracticeGroup && a.Status != facts.StatusActive && a.Status != Unreadable {
		c.Faults.Add(s, "its status belongs to model %s alone", facts.ModelPracticeGroup)
	}
	if l.Kind == "practice" {
		c.checkPractice(s, held, a, l)
	}
	if l.Kind != "group" {
		for bit, name := range carriedNames {
			if u.Carries[i]&(1<<bit) != 0 {
				c.Faults.Add(s, "%s belongs to the assignment at a practice group", name)
			}
		}
	}
}

// checkPractice wants the same role at the group, where membership is held.
func (c *Checker) checkPractice(s Subject, held map[string]*facts.AssignmentRecord, a *facts.AssignmentRecord, practice *Location) {
	if group := c.Locations[practice.Parent]; group == nil || group.Kind != "group" {
		return // told already
	}
	atGroup := held[practice.Parent]
	switch {
	case atGroup == nil:
		c.Faults.Add(s, "there is none at the group %s", membership.Quote(practice.Parent))
	case a.Role == "" || a.Role == Unreadable || atGroup.Role == "" || atGroup.Role == Unreadable: // told already
	case atGroup.Role != a.Role:
		c.Faults.Add(s, "role is not the one at the group %s", membership.Quote(practice.Parent))
	}
}

func (c *Checker) checkDefaultLocation(u *User, held map[string]*facts.AssignmentRecord) {
	if u.DefaultLocation == Unreadable || held[u.DefaultLocation] != nil {
		return
	}
	if u.DefaultLocation != "" {
		c.Faults.Add(u.About, "default_location is none of the user's assignments")
		return
	}
	for at := range held {
		if l := c.Locations[at]; l != nil && levels[l.Kind].model == facts.ModelRegional {
			c.Faults.Add(u.About, "default_location is missing, for an assignment in a regional organization")
			return
		}
	}
}
