package pdp_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// generator generates a small valid directory with organizations of all four models.
type generator struct {
	*rand.Rand
	world *world
	roots []*byID
}

// generate returns the world of a seed. The same seed gives the same world.
func generate(seed uint64) *world {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 1)), world: &world{}}
	g.regions()
	g.systems()
	g.groups()
	g.add("vendor", "vendor", nil)
	g.people()
	g.Shuffle(len(g.world.Locations), func(i, j int) {
		g.world.Locations[i], g.world.Locations[j] = g.world.Locations[j], g.world.Locations[i]
	})
	return g.world
}

func (g *generator) chance(percent int) bool { return chance(g.Rand, percent) }

// add adds a location. Some ids sort before the ids of their parents, some after.
func (g *generator) add(id, kind string, parent *byID) *byID {
	if parent != nil {
		id = pick(g.Rand, "", "a", "z") + id
	}
	l := &byID{ID: id, Name: "The " + id, Kind: kind}
	if parent != nil {
		l.Parent = parent.ID
	} else {
		l.Model = map[string]string{"region": "regional", "system": "health_system", "entity": "health_system",
			"group": "practice_group", "vendor": "vendor"}[kind]
		g.roots = append(g.roots, l)
	}
	g.world.Locations = append(g.world.Locations, l)
	return l
}

func (g *generator) regions() {
	large := g.chance(8) // more locations than ALL-11 tries
	for i := range 1 + g.IntN(2) {
		region := g.add(fmt.Sprintf("r%d", i), "region", nil)
		for j := range 1 + g.IntN(3) {
			division := g.add(fmt.Sprintf("r%dd%d", i, j), "division", region)
			facilities := g.IntN(4)
			if large && i == 0 && j == 0 {
				facilities = 26
			}
			for k := range facilities {
				g.add(fmt.Sprintf("r%dd%df%d", i, j, k), "facility", division)
			}
		}
	}
}

func (g *generator) systems() {
	for i, plan := range []string{"paid", "free", "paid"}[:2+g.IntN(2)] {
		system := g.add(fmt.Sprintf("s%d", i), "system", nil)
		system.Plan = plan
		for j := range 1 + g.IntN(4) {
			g.add(fmt.Sprintf("s%de%d", i, j), "entity", system)
		}
	}
	for i := range g.IntN(3) {
		g.add(fmt.Sprintf("e%d", i), "entity", nil).Plan = pick(g.Rand, "paid", "free")
	}
}

func (g *generator) groups() {
	for i := range 2 {
		group := g.add(fmt.Sprintf("g%d", i), "group", nil)
		for j := range g.IntN(4) {
			g.add(fmt.Sprintf("g%dp%d", i, j), "practice", group)
		}
	}
}

func (g *generator) people() {
	for _, root := range g.roots { // a user for each role at the roots, and for some roles below
		for _, l := range g.world.inside(root) {
			for _, role := range offered[l.Kind] {
				if root.Kind != "group" && (l == root || g.chance(20)) {
					g.give(g.newPerson(), l, role)
				}
			}
		}
		if root.Kind == "group" {
			for range 3 {
				g.join(g.newPerson(), root)
			}
		}
	}
	for range 8 {
		g.newPerson()
	}
	for _, u := range g.world.Users {
		for _, percent := range []int{45, 25} {
			if g.chance(percent) {
				g.join(u, pick(g.Rand, g.roots...))
			}
		}
	}
	var facilities []*byID
	for _, l := range g.world.inside(g.roots[0]) {
		if l.Kind == "facility" {
			facilities = append(facilities, l)
		}
	}
	if len(facilities) > 20 {
		u := pick(g.Rand, g.world.Users...)
		for _, l := range facilities {
			g.give(u, l, pick(g.Rand, offered["facility"]...))
		}
	}
	for _, u := range g.world.Users {
		g.settle(u)
	}
}

func (g *generator) newPerson() *person {
	i := len(g.world.Users)
	u := &person{ID: fmt.Sprintf("u%02d", i)}
	if g.chance(2) {
		u.ID = pick(g.Rand, g.world.Locations...).ID // a location and a user may share an id
	}
	switch g.IntN(12) {
	case 0: // none
	case 1:
		u.Username = fmt.Sprintf("U%02d", i+1) // the id of the next user in upper case
	case 2:
		u.Username = u.ID
	case 3:
		u.Username = fmt.Sprintf("NAME%02d@Example.ORG", i)
	default:
		u.Username = fmt.Sprintf("name%02d@example.org", i)
	}
	for _, other := range g.world.Users {
		if other.ID == u.ID {
			u.ID = fmt.Sprintf("u%02d", i)
		}
		if strings.EqualFold(other.Username, u.Username) {
			u.Username = ""
		}
	}
	if g.chance(80) {
		u.Name = &fullName{Given: pick(g.Rand, "Ann", "bo", "Cy", ""), Family: pick(g.Rand, "Ek", "fox", "Gru", "")}
	}
	if g.chance(60) {
		u.LastLogin = fmt.Sprintf("2026-0%d-0%dT10:00:00Z", 1+g.IntN(4), 1+g.IntN(4))
	}
	u.Status = pick(g.Rand, "", "", "", "", "active", "active", "active", "active", "active", "deactivated")
	g.world.Users = append(g.world.Users, u)
	return u
}

func (g *generator) give(u *person, l *byID, role string) {
	if u.at(l.ID) == nil {
		u.Assignments = append(u.Assignments, assignment{Location: l.ID, Role: role})
	}
}

// join gives a user an assignment in an organization, unless the user has one already.
func (g *generator) join(u *person, root *byID) {
	if g.world.belongs(u, root) {
		return
	}
	if root.Kind == "group" {
		g.joinGroup(u, root)
		return
	}
	all := g.world.inside(root)
	for range 1 + g.IntN(3) {
		l := pick(g.Rand, all...)
		g.give(u, l, pick(g.Rand, offered[l.Kind]...))
	}
}

func (g *generator) joinGroup(u *person, group *byID) {
	status := func() string { return pick(g.Rand, "invited", "deactivated", "active", "", "", "", "", "") }
	member := assignment{Location: group.ID, Role: pick(g.Rand, "owner", "practitioner", "administrator", "administrator"),
		Status: status(), Profession: "nurse"}
	if g.chance(80) {
		member.Access = &access{Level: pick(g.Rand, append(levelNames, "")...), Areas: map[string]bool{}}
		for _, area := range subset(g.Rand, 25, areaNames) {
			member.Access.Areas[area] = g.chance(60)
		}
		if g.chance(30) {
			member.Access.Areas["users"] = true
		}
	}
	if member.Role == "practitioner" {
		member.Registration = "R1"
	}
	u.Assignments = append(u.Assignments, member)
	for _, l := range g.world.inside(group) {
		if l != group && g.chance(50) {
			u.Assignments = append(u.Assignments, assignment{Location: l.ID, Role: member.Role, Status: status()})
		}
	}
}

// settle gives a user a default location, which a regional assignment requires, and shuffles the assignments.
func (g *generator) settle(u *person) {
	var regional []string
	for _, a := range u.Assignments {
		if slices.Contains([]string{"region", "division", "facility"}, g.world.byID(a.Location).Kind) {
			regional = append(regional, a.Location)
		}
	}
	switch {
	case len(regional) > 0 && g.chance(92):
		u.Default = pick(g.Rand, regional...)
	case len(regional) > 0 || len(u.Assignments) > 0 && g.chance(5):
		u.Default = pick(g.Rand, u.Assignments...).Location
	}
	g.Shuffle(len(u.Assignments), func(i, j int) {
		u.Assignments[i], u.Assignments[j] = u.Assignments[j], u.Assignments[i]
	})
}
