package attack

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// say says in words who does what to whom, where, and from where.
func say(c *candidate, q authzen.Evaluation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s on %s", q.Subject.ID, q.Action.Name, q.Resource.ID)
	b.WriteString(details(c.place, q.Action.Properties))
	if from := facts.String(q.Context, "current_location"); from != "" && from != c.place {
		fmt.Fprintf(&b, ", standing at %s", from)
	}
	if c.control {
		fmt.Fprintf(&b, "; the account is now under the attacker's control")
	}
	return b.String()
}

// shown are the properties that say what becomes of an assignment.
var shown = []string{"role", "new_role", "new_location", "level", "areas"}

func details(place string, properties map[string]any) string {
	var b strings.Builder
	if place != "" {
		fmt.Fprintf(&b, " at %s", place)
	}
	for _, name := range shown {
		switch value := properties[name].(type) {
		case nil:
		case map[string]any:
			var areas []string
			for _, area := range slices.Sorted(maps.Keys(value)) {
				areas = append(areas, fmt.Sprintf("%s %v", area, value[area]))
			}
			fmt.Fprintf(&b, ", %s: %s", name, strings.Join(areas, ", "))
		default:
			fmt.Fprintf(&b, ", %s: %v", name, value)
		}
	}
	return b.String()
}

// sayAbility says in words what an ability is.
func (o *organization) sayAbility(i int) string {
	a := o.abilities.abilities[i]
	sample := o.forms.all[a.sample]
	c := &sample.candidates[a.number]
	whom := "an account without any role"
	switch {
	case a.sample == o.nobody:
		whom = "somebody new"
	case len(sample.rec.Assignments) > 0:
		held := sample.rec.Assignments[0]
		whom = fmt.Sprintf("somebody who is %s at %s", held.Role, held.Location)
		if c.place == held.Location {
			return fmt.Sprintf("%s on %s%s", c.action, whom, details("", c.properties))
		}
	}
	return fmt.Sprintf("%s on %s%s", c.action, whom, details(c.place, c.properties))
}
