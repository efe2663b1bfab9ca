package sampledata

import (
	"maps"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// roleWeights is how often each role is assigned at a kind of location: few users of a location administer it. A role
// that is not listed has weight defaultWeight.
var roleWeights = map[string]map[string]int{
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
	levelWeights = map[string]int{"standard": 60, "limited": 30, "full": 10}
	defaultAreas = []string{"calendars", "credit_settings", "invoices", "locations", "patient_records", "reminder_settings", "users"}
	// firstRoles are the roles of the first user at each kind of location.
	firstRoles = map[string]string{
		"region": "regional_admin", "division": "division_admin", "system": "system_admin", "entity": "entity_admin", "group": "owner",
	}
)

// defaultWeight is the weight of a role or level without a weight of its own.
const defaultWeight = 3

// offers contains the roles, levels and areas that can be assigned.
type offers struct {
	roles  map[string]choice // by kind of location
	levels choice
	areas  []string
}

// choice is a weighted choice among words.
type choice struct {
	words []string
	sums  []int // for each word, the sum of its weight and those of the words before it
}

func newOffers(v pdp.Vocabulary) *offers {
	o := &offers{roles: map[string]choice{}, levels: newChoice(v.Levels, levelWeights), areas: slices.Sorted(slices.Values(v.Areas))}
	if v.Areas == nil {
		o.areas = defaultAreas
	}
	for kind, weights := range roleWeights {
		offered := v.Roles[kind]
		if v.Roles != nil && offered == nil {
			offered = []string{}
		}
		o.roles[kind] = newChoice(offered, weights)
	}
	return o
}

// newChoice returns a choice among words. If words is nil, it chooses among those that have a weight.
func newChoice(words []string, weights map[string]int) choice {
	if words == nil {
		words = slices.Collect(maps.Keys(weights))
	}
	c := choice{words: slices.Compact(slices.Sorted(slices.Values(words)))}
	sum := 0
	for _, word := range c.words {
		weight, known := weights[word]
		if !known {
			weight = defaultWeight
		}
		sum += weight
		c.sums = append(c.sums, sum)
	}
	return c
}

// draw returns a word of a choice, or "" if the choice is empty.
func (g *generator) draw(c choice) string {
	if len(c.words) == 0 {
		return ""
	}
	at, _ := slices.BinarySearch(c.sums, 1+g.IntN(c.sums[len(c.sums)-1]))
	return c.words[at]
}

// role draws a role that the policy offers at a kind of location. The first user gets the kind's first role if it is offered.
func (g *generator) role(kind string, first bool) string {
	c := g.offers.roles[kind]
	if _, offered := slices.BinarySearch(c.words, firstRoles[kind]); first && offered {
		return firstRoles[kind]
	}
	return g.draw(c)
}

// offered reports whether the policy offers a role at a kind of location.
func (o *offers) offered(kind, role string) bool {
	_, found := slices.BinarySearch(o.roles[kind].words, role)
	return found
}
