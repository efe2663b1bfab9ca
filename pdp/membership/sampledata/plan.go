package sampledata

import (
	"strconv"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// plannedOrganization is the outline of an organization. Together with its streams of random numbers it determines the
// records.
type plannedOrganization struct {
	model     string
	plan      string
	kind      string // of the root
	number    int    // from 1 within the model; part of the ids
	divisions int    // if it is a region
	places    int    // facilities, entities or practices beneath the root
	users     int    // generated for it; they can also have assignments elsewhere
}

// plan divides the users among the models, and draws organizations until there is room for all users. Every model, kind
// of root and plan occurs, however few users there are.
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

// fill draws organizations until there is room for the users, but at least the number least. A small number of users is
// spread over all of them.
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

// planRegion draws a region of 50 to 500 facilities, with a lower maximum for few users.
func (g *generator) planRegion(users int) (plannedOrganization, int) {
	o := plannedOrganization{model: facts.ModelRegional, kind: "region", places: g.between(50, min(max(users/10, 60), 500))}
	o.divisions = max(2, o.places/g.between(8, 20))
	return o, o.places * g.between(15, 45)
}

// planSystem draws a system of hospitals, or a single hospital.
func (g *generator) planSystem(i int) (plannedOrganization, int) {
	o := plannedOrganization{model: facts.ModelHealthSystem, kind: "system", plan: "paid"}
	if i == 1 || i == 2 || i > 3 && g.chance(300) {
		o.plan = "free"
	}
	if i == 2 || i == 3 || i > 3 && g.chance(250) {
		o.kind = "entity"
		return o, g.between(20, 250)
	}
	o.places = min(g.between(2, 25), g.between(2, 25)) // makes small systems more frequent
	return o, o.places * g.between(20, 150)
}

func (g *generator) planGroup(int) (plannedOrganization, int) {
	o := plannedOrganization{model: facts.ModelPracticeGroup, kind: "group", places: min(g.between(1, 8), g.between(1, 8))}
	return o, o.places*g.between(3, 12) + 1
}

// root returns the id of the root, which is the prefix of the ids of the other locations.
func (o *plannedOrganization) root() string { return o.kind + "-" + strconv.Itoa(o.number) }

func (o *plannedOrganization) division(i int) string { return o.root() + "-d" + strconv.Itoa(i+1) }

// place returns the id of a facility, entity or practice.
func (o *plannedOrganization) place(i int) string {
	return o.root() + "-" + placeKinds[o.kind][:1] + strconv.Itoa(i+1)
}

// divisionOf returns the division of a facility. Facilities with neighboring numbers mostly have the same division.
func (o *plannedOrganization) divisionOf(place int) int { return place * o.divisions / o.places }

// placeKinds maps the kind of a root to the kind of its places.
var placeKinds = map[string]string{"region": "facility", "system": "entity", "group": "practice"}

// generateLocations writes the locations of an organization.
func (g *generator) generateLocations(o *plannedOrganization) {
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
	return g.pick(placeNames) + " " + g.pick(facilityTypes)
}
