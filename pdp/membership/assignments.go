package membership

import (
	"github.com/wardkeeper/wardkeeper/pdp"
)

// checkUsers also fills in who has which id and username.
func (c *structure) checkUsers() {
	ids := make(map[string]bool, len(c.users))
	names := make(map[string]*userDraft, len(c.users))
	for i := range c.users {
		u := &c.users[i]
		if u.ID != "" && u.ID != unreadable {
			if ids[u.ID] {
				c.faults.add(u.about, "another user has this id")
			}
			ids[u.ID] = true
		}
		if u.Username != "" && u.Username != unreadable {
			folded := pdp.FoldCanonical(u.Username)
			if other := names[folded]; other == nil {
				names[folded] = u
			} else {
				c.faults.add(u.about, "username is that of %s too", other.about.record())
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
func (c *structure) heldBy(u *userDraft) map[string]*pdp.AssignmentRecord {
	if c.held == nil || len(c.held) > 64 { // clearing a large map for each of many small users is slow
		c.held = make(map[string]*pdp.AssignmentRecord, 8)
	}
	clear(c.held)
	for i := range u.Assignments {
		a := &u.Assignments[i]
		if a.Location != "" && a.Location != unreadable && c.held[a.Location] == nil {
			c.held[a.Location] = a
		}
	}
	return c.held
}

func (c *structure) checkAssignment(u *userDraft, held map[string]*pdp.AssignmentRecord, i int) {
	a := &u.Assignments[i]
	if a.Location == "" || a.Location == unreadable {
		return
	}
	s := u.about
	s.assignment, s.location = i+1, a.Location
	if held[a.Location] != a {
		c.faults.add(s, "the user has another at this location")
	}
	if c.suspended != nil && c.suspended(a.Location) {
		return
	}
	l := c.locations[a.Location]
	if l == nil {
		s.location = "" // it is no record's id
		c.faults.add(s, "location is unknown")
		return
	}
	at, known := levels[l.Kind]
	if !known {
		return
	}
	if a.Role != "" && a.Role != unreadable && !c.vocab.offers(l.Kind, a.Role) {
		c.faults.add(s, "role is not offered at %s", at.title)
	}
	if at.model != pdp.ModelPracticeGroup && a.Status != pdp.StatusActive && a.Status != unreadable {
		c.faults.add(s, "its status belongs to model %s alone", pdp.ModelPracticeGroup)
	}
	if l.Kind == "practice" {
		c.checkPractice(s, held, a, l)
	}
	if l.Kind != "group" {
		for bit, name := range carriedNames {
			if u.carries[i]&(1<<bit) != 0 {
				c.faults.add(s, "%s belongs to the assignment at a practice group", name)
			}
		}
	}
}

// checkPractice wants the same role at the group, where membership is held.
func (c *structure) checkPractice(s subject, held map[string]*pdp.AssignmentRecord, a *pdp.AssignmentRecord, practice *locationDraft) {
	if group := c.locations[practice.Parent]; group == nil || group.Kind != "group" {
		return // told already
	}
	atGroup := held[practice.Parent]
	switch {
	case atGroup == nil:
		c.faults.add(s, "there is none at the group %s", quote(practice.Parent))
	case a.Role == "" || a.Role == unreadable || atGroup.Role == "" || atGroup.Role == unreadable: // told already
	case atGroup.Role != a.Role:
		c.faults.add(s, "role is not the one at the group %s", quote(practice.Parent))
	}
}

func (c *structure) checkDefaultLocation(u *userDraft, held map[string]*pdp.AssignmentRecord) {
	if u.DefaultLocation == unreadable || held[u.DefaultLocation] != nil {
		return
	}
	if u.DefaultLocation != "" {
		c.faults.add(u.about, "default_location is none of the user's assignments")
		return
	}
	for at := range held {
		if l := c.locations[at]; l != nil && levels[l.Kind].model == pdp.ModelRegional {
			c.faults.add(u.about, "default_location is missing, for an assignment in a regional organization")
			return
		}
	}
}
