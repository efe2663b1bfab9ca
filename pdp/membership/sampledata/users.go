package sampledata

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// latestLogin is the latest last_login of a generated directory. It is fixed so that the output depends only on the
// seed.
var latestLogin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// generateUser generates a user of an organization. member numbers the users of the organization; the first one
// administers it.
func (g *generator) generateUser(o *plannedOrganization, member int) {
	u := &g.user
	*u = facts.UserRecord{ID: "u" + strconv.Itoa(g.counts.Users), Assignments: u.Assignments[:0]}
	g.identify(u)
	if member > 1 && g.chance(40) {
		u.Status = facts.StatusDeactivated
	}
	g.setLastLogin(u)
	switch o.kind {
	case "region":
		g.assignInRegion(o, member)
	case "system":
		g.assignInSystem(o, member)
	case "group":
		g.assignInGroup(o, member == 0)
		if member > 1 && g.chance(40) {
			g.assignInGroup(&g.organizations[g.groups[g.IntN(len(g.groups))]], false)
		}
	default:
		g.assign(o.root(), g.role(o.kind, member == 0))
	}
}

// identify sets the name and the username, which is unique because it ends in the number of the id.
func (g *generator) identify(u *facts.UserRecord) {
	u.Name.Given, u.Name.Family = g.pick(givenNames), g.pick(familyNames)
	if g.chance(60) {
		u.Name.Family += "-" + g.pick(familyNames)
	}
	if g.chance(300) {
		u.Name.Title = g.pick(titles)
	}
	local := u.Name.Given + "." + u.Name.Family
	if !g.chance(30) { // a few usernames keep the spelling of the name
		local = plainLetters.Replace(strings.ToLower(local))
	}
	u.Username = local + strings.TrimPrefix(u.ID, "u") + "@" + g.pick(mailHosts)
}

// setLastLogin sets the last login: most are recent, some long ago, a few users have never logged in.
func (g *generator) setLastLogin(u *facts.UserRecord) {
	if g.chance(50) {
		return
	}
	const day = 24 * 60 * 60
	x := g.IntN(1000)
	ago := x * x / 1000 * x / 1000 // in days, up to a thousand
	if u.Status == facts.StatusDeactivated {
		ago += 30
	}
	u.LastLogin = latestLogin.Add(-time.Duration(ago*day+g.IntN(day)) * time.Second)
}

// assign assigns a role at a location to the current user and returns the assignment. It returns nil if the role is empty or the
// user has another assignment there.
func (g *generator) assign(location, role string) *facts.AssignmentRecord {
	u := &g.user
	if role == "" || slices.ContainsFunc(u.Assignments, func(a facts.AssignmentRecord) bool { return a.Location == location }) {
		return nil
	}
	u.Assignments = append(u.Assignments, facts.AssignmentRecord{Location: location, Role: role})
	return &u.Assignments[len(u.Assignments)-1]
}

func (g *generator) assignInRegion(o *plannedOrganization, member int) {
	at := g.skewed(o.places)
	switch draw := g.IntN(1000); {
	case member == 0 || member > 1 && draw < 3:
		g.assign(o.root(), g.role("region", member == 0))
	case member == 1 || draw < 45:
		g.assign(o.division(o.divisionOf(at)), g.role("division", member == 1))
		if g.chance(250) {
			g.assign(o.place(at), g.role("facility", false))
		}
	default:
		g.assign(o.place(at), g.role("facility", false))
		if g.chance(150) {
			g.assign(o.place((at+g.between(1, 5))%o.places), g.role("facility", false))
		}
		for i := 0; i < 3 && g.chance(60); i++ {
			g.assign(o.place(g.IntN(o.places)), g.role("facility", false))
		}
	}
	u := &g.user
	if n := len(u.Assignments); n > 0 {
		u.DefaultLocation = u.Assignments[0].Location
		if g.chance(100) {
			u.DefaultLocation = u.Assignments[g.IntN(n)].Location
		}
	}
}

// assignInSystem assigns at most one entity on the free plan.
func (g *generator) assignInSystem(o *plannedOrganization, member int) {
	switch draw := g.IntN(1000); {
	case member == 0 || member > 1 && draw < 10:
		g.assign(o.root(), g.role("system", member == 0))
	case member > 1 && draw < 15: // a user without assignments
	default:
		at := g.skewed(o.places)
		g.assign(o.place(at), g.role("entity", member == 1))
		for i := 0; o.plan == "paid" && i < 3 && g.chance(200); i++ {
			g.assign(o.place(g.IntN(o.places)), g.role("entity", false))
		}
	}
}

// assignInGroup makes the current user a member of a practice group, and assigns the member to practices.
func (g *generator) assignInGroup(o *plannedOrganization, first bool) {
	role := g.role("group", first)
	a := g.assign(o.root(), role)
	if a == nil {
		return
	}
	switch state := g.IntN(1000); {
	case first:
	case state < 60:
		a.Status = facts.StatusInvited
	case state < 110:
		a.Status = facts.StatusDeactivated
	}
	if role != "administrator" {
		a.Profession, a.RegistrationNumber = g.pick(professions), strconv.Itoa(g.between(100_000, 999_999))
	}
	a.Access = g.access()
	if !g.offers.offered("practice", role) {
		return
	}
	g.assign(o.place(g.IntN(o.places)), role)
	for i := 1; i < o.places && g.chance(300); i++ {
		g.assign(o.place(g.IntN(o.places)), role)
	}
}

// access draws an access level and sometimes areas that differ from it. It returns nil if no access is recorded.
func (g *generator) access() *facts.Access {
	level := g.draw(g.offers.levels)
	if level == "" || g.chance(100) {
		return nil
	}
	access := &facts.Access{Level: level}
	if len(g.offers.areas) > 0 && g.chance(120) {
		access.Areas = map[string]bool{g.pick(g.offers.areas): g.chance(700), g.pick(g.offers.areas): g.chance(700)}
	}
	return access
}

// skewed draws a place. Places with lower numbers are drawn more often, so that they have more users.
func (g *generator) skewed(places int) int { return min(g.IntN(places), g.IntN(places)) }
