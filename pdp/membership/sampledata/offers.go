package sampledata

import (
	"maps"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// usual is how often something is given, beside the others of its kind: many work at a place and few administer it. What
// a policy offers and is not listed here is given now and then.
var usual = map[string]map[string]int{
	"region":   {"regional_admin": 100},
	"division": {"division_admin": 40, "public_health_admin": 15, "public_health": 45},
	"facility": {"ed_normal": 92, "ed_admin": 8},
	"system":   {"system_admin": 60, "entity_admin": 40},
	"entity":   {"user": 94, "entity_admin": 6},
	"group":    {"practitioner": 56, "administrator": 41, "owner": 3},
	"practice": {"practitioner": 56, "administrator": 41, "owner": 3},
	"vendor":   {"vendor_staff": 100},
}

var (
	usualLevels = map[string]int{"standard": 60, "limited": 30, "full": 10}
	usualAreas  = []string{"calendars", "credit_settings", "invoices", "locations", "patient_records", "reminder_settings", "users"}
	// heads are the roles of whoever comes first.
	heads = map[string]string{
		"region": "regional_admin", "division": "division_admin", "system": "system_admin", "entity": "entity_admin", "group": "owner",
	}
)

const nowAndThen = 3

// offers is what there is to give.
type offers struct {
	roles  map[string]choice // by kind of location
	levels choice
	areas  []string
}

// choice is some words, each with the sum of its own weight and of those before it.
type choice struct {
	words []string
	sums  []int
}

func newOffers(v pdp.Vocabulary) *offers {
	o := &offers{roles: map[string]choice{}, levels: newChoice(v.Levels, usualLevels), areas: slices.Sorted(slices.Values(v.Areas))}
	if v.Areas == nil {
		o.areas = usualAreas
	}
	for kind, weights := range usual {
		offered := v.Roles[kind]
		if v.Roles != nil && offered == nil {
			offered = []string{}
		}
		o.roles[kind] = newChoice(offered, weights)
	}
	return o
}

// newChoice is a choice among words; nil means those with a usual weight.
func newChoice(words []string, weights map[string]int) choice {
	if words == nil {
		words = slices.Collect(maps.Keys(weights))
	}
	c := choice{words: slices.Compact(slices.Sorted(slices.Values(words)))}
	sum := 0
	for _, word := range c.words {
		weight, known := weights[word]
		if !known {
			weight = nowAndThen
		}
		sum += weight
		c.sums = append(c.sums, sum)
	}
	return c
}

// draw gives one of a choice, "" of an empty one.
func (g *generator) draw(c choice) string {
	if len(c.words) == 0 {
		return ""
	}
	at, _ := slices.BinarySearch(c.sums, 1+g.IntN(c.sums[len(c.sums)-1]))
	return c.words[at]
}

// role draws a role that a kind of location offers: for the first person that of the head, where it is offered.
func (g *generator) role(kind string, first bool) string {
	c := g.offers.roles[kind]
	if _, offered := slices.BinarySearch(c.words, heads[kind]); first && offered {
		return heads[kind]
	}
	return g.draw(c)
}

// offered says whether a kind of location offers a role.
func (o *offers) offered(kind, role string) bool {
	_, found := slices.BinarySearch(o.roles[kind].words, role)
	return found
}
