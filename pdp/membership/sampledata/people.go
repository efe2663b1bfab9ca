package sampledata

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// generatedUntil is when the last person of a generated directory signed in: the present would make every run another.
var generatedUntil = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// person makes a member of an organization, the first of whom heads it.
func (g *generator) person(o *plannedOrganization, member int) {
	u := &g.user
	*u = facts.UserRecord{ID: "u" + strconv.Itoa(g.made.Users), Assignments: u.Assignments[:0]}
	g.identify(u)
	if member > 1 && g.chance(40) {
		u.Status = facts.StatusDeactivated
	}
	g.signIn(u)
	switch o.kind {
	case "region":
		g.inRegion(o, member)
	case "system":
		g.inSystem(o, member)
	case "group":
		g.inGroup(o, member == 0)
		if member > 1 && g.chance(40) {
			g.inGroup(&g.organizations[g.groups[g.IntN(len(g.groups))]], false)
		}
	default:
		g.assign(o.root(), g.role(o.kind, member == 0))
	}
}

// identify gives a person a name and a username that nobody else has: no other ends in the same number.
func (g *generator) identify(u *facts.UserRecord) {
	u.Name.Given, u.Name.Family = g.pick(givenNames), g.pick(familyNames)
	if g.chance(60) {
		u.Name.Family += "-" + g.pick(familyNames)
	}
	if g.chance(300) {
		u.Name.Title = g.pick(titles)
	}
	local := u.Name.Given + "." + u.Name.Family
	if !g.chance(30) { // a few write it as their name
		local = plainLetters.Replace(strings.ToLower(local))
	}
	u.Username = local + strings.TrimPrefix(u.ID, "u") + "@" + g.pick(mailHosts)
}

// signIn says when a person was last there: most of them lately, some long ago, a few never.
func (g *generator) signIn(u *facts.UserRecord) {
	if g.chance(50) {
		return
	}
	const day = 24 * 60 * 60
	x := g.IntN(1000)
	ago := x * x / 1000 * x / 1000 // of a thousand days
	if u.Status == facts.StatusDeactivated {
		ago += 30
	}
	u.LastLogin = generatedUntil.Add(-time.Duration(ago*day+g.IntN(day)) * time.Second)
}

// assign gives the user at work a role at a location, unless there is no role or the user has one there. It gives the
// assignment, or nil.
func (g *generator) assign(location, role string) *facts.AssignmentRecord {
	u := &g.user
	if role == "" || slices.ContainsFunc(u.Assignments, func(a facts.AssignmentRecord) bool { return a.Location == location }) {
		return nil
	}
	u.Assignments = append(u.Assignments, facts.AssignmentRecord{Location: location, Role: role})
	return &u.Assignments[len(u.Assignments)-1]
}

func (g *generator) inRegion(o *plannedOrganization, member int) {
	at := g.crowded(o.places)
	switch rank := g.IntN(1000); {
	case member == 0 || member > 1 && rank < 3:
		g.assign(o.root(), g.role("region", member == 0))
	case member == 1 || rank < 45:
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

// inSystem gives nobody a second entity on the free plan.
func (g *generator) inSystem(o *plannedOrganization, member int) {
	switch rank := g.IntN(1000); {
	case member == 0 || member > 1 && rank < 10:
		g.assign(o.root(), g.role("system", member == 0))
	case member > 1 && rank < 15: // taken from the last entity
	default:
		at := g.crowded(o.places)
		g.assign(o.place(at), g.role("entity", member == 1))
		for i := 0; o.plan == "paid" && i < 3 && g.chance(200); i++ {
			g.assign(o.place(g.IntN(o.places)), g.role("entity", false))
		}
	}
}

// inGroup makes the user at work a member of a practice group, and assigns the member to practices.
func (g *generator) inGroup(o *plannedOrganization, first bool) {
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

// access draws a level, and now and then switches over it; nil where none is recorded.
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

// crowded draws one of several places, some of which are larger than others.
func (g *generator) crowded(places int) int { return min(g.IntN(places), g.IntN(places)) }
