package world

import "slices"

// location is a location of a small world.
type location struct {
	id, kind, parent string
	foreign          bool // in another organization than the one whose rules apply
	// stands is set for one of several locations that are alike: where the subject stands.
	stands bool
}

// tree has the locations of a small world, those above before those beneath. Locations are sorted by id among those that are alike.
type tree struct {
	name, model string
	locations   []location
	plans       []string // of the organization; nil: it has none
}

// trees are the small worlds of each model. A location has others above it, beneath it, beside it and elsewhere, and there is
// another organization of the same model.
var trees = []tree{
	{name: "regional", model: "regional", locations: []location{
		{id: "region", kind: "region", stands: true},
		{id: "north", kind: "division", parent: "region", stands: true},
		{id: "north-1", kind: "facility", parent: "north", stands: true},
		{id: "north-2", kind: "facility", parent: "north"},
		{id: "south", kind: "division", parent: "region"},
		{id: "south-1", kind: "facility", parent: "south"},
		{id: "abroad", kind: "region", foreign: true},
	}},
	{name: "health_system", model: "health_system", plans: []string{"paid", "free"}, locations: []location{
		{id: "system", kind: "system", stands: true},
		{id: "east", kind: "entity", parent: "system", stands: true},
		{id: "west", kind: "entity", parent: "system"},
		{id: "abroad", kind: "system", foreign: true},
		{id: "abroad-1", kind: "entity", parent: "abroad", foreign: true},
	}},
	{name: "health_system, standalone", model: "health_system", plans: []string{"paid", "free"}, locations: []location{
		{id: "clinic", kind: "entity", stands: true},
		{id: "abroad", kind: "system", foreign: true},
		{id: "abroad-1", kind: "entity", parent: "abroad", foreign: true},
	}},
	{name: "practice_group", model: "practice_group", locations: []location{
		{id: "group", kind: "group", stands: true},
		{id: "practice-1", kind: "practice", parent: "group", stands: true},
		{id: "practice-2", kind: "practice", parent: "group"},
		{id: "abroad", kind: "group", foreign: true},
		{id: "abroad-1", kind: "practice", parent: "abroad", foreign: true},
	}},
	{name: "vendor", model: "vendor", plans: []string{"paid", "free"}, locations: []location{
		{id: "vendor", kind: "vendor", stands: true},
		{id: "abroad", kind: "system", foreign: true},
		{id: "abroad-1", kind: "entity", parent: "abroad", foreign: true},
		{id: "clinic", kind: "entity", foreign: true},
	}},
}

func (t *tree) at(id string) *location {
	for i := range t.locations {
		if t.locations[i].id == id {
			return &t.locations[i]
		}
	}
	return nil
}

// above returns a location and those above it, up to the root.
func (t *tree) above(id string) []string {
	var all []string
	for l := t.at(id); l != nil; l = t.at(l.parent) {
		all = append(all, l.id)
	}
	return all
}

func (t *tree) root(id string) *location {
	all := t.above(id)
	return t.at(all[len(all)-1])
}

// modelOf returns the model of the organization of a location.
func (t *tree) modelOf(id string) string {
	if !t.at(id).foreign {
		return t.model
	}
	if kind := t.root(id).kind; kind == "system" || kind == "entity" {
		return "health_system"
	}
	return t.model
}

// hasPlan reports whether the organization of a location has a plan.
func (t *tree) hasPlan(id string) bool { return t.modelOf(id) == "health_system" }

func (t *tree) ids() []string {
	all := make([]string, len(t.locations))
	for i, l := range t.locations {
		all[i] = l.id
	}
	return all
}

func (t *tree) sorted() []string { return slices.Sorted(slices.Values(t.ids())) }
