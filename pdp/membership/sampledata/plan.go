package sampledata

import (
	"strconv"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// plannedOrganization is all that an organization's records follow from, its streams of random numbers apart.
type plannedOrganization struct {
	model     string
	plan      string
	kind      string // of its root
	number    int    // from 1, among those of its model: part of its ids
	divisions int    // of a region
	places    int    // facilities, entities or practices beneath the root
	users     int    // who belong to it first
}

// plan divides the users among models, and draws organizations until all of them belong somewhere. Every model is there,
// with every kind of root and plan, however few the users.
func (g *generator) plan() {
	staff := 0
	if g.cfg.Users >= 20 {
		staff = 1 + g.cfg.Users/20_000
	}
	rest := g.cfg.Users - staff
	group, system := rest*20/100, rest*35/100
	region := rest - group - system

	g.fill(region, 1, func(int) (plannedOrganization, int) { return g.planRegion(region) })
	g.fill(system, 4, g.planSystem)
	g.fill(group, 2, g.planGroup)
	g.fill(staff, 1, func(int) (plannedOrganization, int) {
		return plannedOrganization{model: facts.ModelVendor, kind: "vendor"}, staff
	})
}

// fill draws organizations for so many users, and at least so many organizations. A few users are spread over these.
func (g *generator) fill(users, least int, draw func(i int) (o plannedOrganization, room int)) {
	for i := 0; i < least || users > 0; i++ {
		o, room := draw(i)
		o.number = i + 1
		o.users = min(room, users)
		if i < least {
			o.users = min(room, (users+least-i-1)/(least-i))
		}
		users -= o.users
		if o.model == facts.ModelPracticeGroup {
			g.groups = append(g.groups, len(g.organizations))
		}
		g.organizations = append(g.organizations, o)
	}
}

// planRegion draws a region of 50 to 500 facilities; not the largest for few users.
func (g *generator) planRegion(users int) (plannedOrganization, int) {
	o := plannedOrganization{model: facts.ModelRegional, kind: "region", places: g.between(50, min(max(users/10, 60), 500))}
	o.divisions = max(2, o.places/g.between(8, 20))
	return o, o.places * g.between(15, 45)
}

// planSystem draws a system of hospitals, or one hospital by itself.
func (g *generator) planSystem(i int) (plannedOrganization, int) {
	o := plannedOrganization{model: facts.ModelHealthSystem, kind: "system", plan: "paid"}
	if i == 1 || i == 2 || i > 3 && g.chance(300) {
		o.plan = "free"
	}
	if i == 2 || i == 3 || i > 3 && g.chance(250) {
		o.kind = "entity"
		return o, g.between(20, 250)
	}
	o.places = min(g.between(2, 25), g.between(2, 25)) // small ones are more
	return o, o.places * g.between(20, 150)
}

func (g *generator) planGroup(int) (plannedOrganization, int) {
	o := plannedOrganization{model: facts.ModelPracticeGroup, kind: "group", places: min(g.between(1, 8), g.between(1, 8))}
	return o, o.places*g.between(3, 12) + 1
}

// root is the id of an organization's root, which those of its other locations begin with.
func (o *plannedOrganization) root() string { return o.kind + "-" + strconv.Itoa(o.number) }

func (o *plannedOrganization) division(i int) string { return o.root() + "-d" + strconv.Itoa(i+1) }

// place is the id of a facility, entity or practice.
func (o *plannedOrganization) place(i int) string {
	return o.root() + "-" + placeKinds[o.kind][:1] + strconv.Itoa(i+1)
}

// divisionOf is the division that a facility lies in: neighbours mostly share one.
func (o *plannedOrganization) divisionOf(place int) int { return place * o.divisions / o.places }

// placeKinds are the lowest kinds beneath a root.
var placeKinds = map[string]string{"region": "facility", "system": "entity", "group": "practice"}

// locationsOf writes the locations of an organization.
func (g *generator) locationsOf(o *plannedOrganization) {
	root := facts.LocationRecord{ID: o.root(), Name: g.rootName(o), Kind: o.kind, Model: o.model, Plan: o.plan}
	g.out.location(&root)
	for i := range o.divisions {
		g.out.location(&facts.LocationRecord{ID: o.division(i), Name: g.pick(placeNames) + " Division", Kind: "division", Parent: root.ID})
	}
	for i := range o.places {
		l := facts.LocationRecord{ID: o.place(i), Name: g.placeName(o, root.Name), Kind: placeKinds[o.kind], Parent: root.ID}
		if o.divisions > 0 {
			l.Parent = o.division(o.divisionOf(i))
		}
		g.out.location(&l)
	}
}

func (g *generator) rootName(o *plannedOrganization) string {
	place := g.pick(placeNames)
	switch o.kind {
	case "region":
		return place + " Region"
	case "system":
		return place + " Health"
	case "entity":
		return place + " Hospital"
	case "group":
		return place + " " + g.pick(specialties)
	}
	return place + " Health Software"
}

func (g *generator) placeName(o *plannedOrganization, root string) string {
	if o.kind == "group" {
		return root + ", " + g.pick(placeNames)
	}
	return g.pick(placeNames) + " " + g.pick(houses)
}
