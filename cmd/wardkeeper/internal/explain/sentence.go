package explain

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/counterfactual"
)

// people names the person whose record a change is of: the person who asks is "you" to themselves.
type people struct{ whose, who string }

func peopleOf(c *counterfactual.Change, voice pdp.Voice) people {
	if c.Of == counterfactual.Subject && voice == pdp.ForAdministrator {
		return people{whose: "your", who: "you"}
	}
	return people{whose: c.ID + "'s", who: c.ID}
}

// changeText says what would have to be otherwise for the answer to be the other one.
func changeText(c *pdp.Counterfactual, q *authzen.Evaluation, voice pdp.Voice) string {
	text := "if " + condition(&c.Change, peopleOf(&c.Change, voice))
	switch {
	case c.From == nil:
	case c.Fact == counterfactual.Place || c.Fact == counterfactual.CurrentLocation:
		text += " instead of " + plain(c.From)
	default:
		text += " (now " + plain(c.From) + ")"
	}
	if c.Uncertain {
		text += ", provided that " + q.Resource.ID + "'s record permits it"
	}
	return text
}

func condition(c *counterfactual.Change, p people) string {
	to := plain(c.To)
	switch c.Fact {
	case counterfactual.CurrentLocation:
		return "it were asked from " + to
	case counterfactual.Place:
		return "it were done at " + to
	case counterfactual.Obligations:
		return "the application could do every obligation"
	case counterfactual.Property:
		if c.To == nil {
			return "the property " + c.Name + " were left out"
		}
		return "the property " + c.Name + " were " + to
	case counterfactual.Status:
		return p.whose + " account were " + to
	case counterfactual.DefaultLocation:
		return p.whose + " default location were " + to
	case counterfactual.Assignment:
		if c.To == nil {
			return p.who + " had no role at " + c.At
		}
		return p.whose + " role at " + c.At + " were " + to
	case counterfactual.AssignmentStatus:
		return p.whose + " assignment at " + c.At + " were " + to
	case counterfactual.Level:
		return p.whose + " access level in " + c.At + " were " + to
	case counterfactual.Area:
		return fmt.Sprintf("the switch of the area %s were %s for %s in %s", c.Name, onOff(c.To), p.who, c.At)
	case counterfactual.Plan:
		return "the plan of " + c.ID + " were " + to
	case counterfactual.Parent:
		return c.ID + " were beneath " + to
	}
	return c.Fact + " were " + to
}

// plain formats a value in a sentence.
func plain(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return onOff(v)
	}
	return value(v)
}

func onOff(v any) string {
	if v == true {
		return "on"
	}
	return "off"
}

// factText says a fact in words; false if it is none that a person knows by itself.
func factText(f pdp.Fact, q *authzen.Evaluation) (text string, ok bool) {
	path := stepsOf(f.Path)
	if f.Omitted || len(path) < 4 || path[0] != "input" || path[1] != "facts" {
		return "", false
	}
	record, fact, rest := path[2], path[3], path[4:]
	whose, has := q.Resource.ID+"'s", q.Resource.ID+" has"
	switch record {
	case "subject", "current":
		whose, has = "your", "you have"
	case "user":
	default:
		return "", false
	}
	switch {
	case fact == "status" && f.Value != nil:
		return whose + " account is " + plain(f.Value), true
	case fact == "default_location" && f.Value != nil:
		return whose + " default location is " + plain(f.Value), true
	case fact == "plan" && f.Value != nil:
		return "the plan of the organization is " + plain(f.Value), true
	case fact == "held" || fact == "assignments":
		return heldText(whose, has, fact, rest, f.Value)
	}
	return "", false
}

// heldText says a role, a part of an assignment, or all of either. Held are active assignments alone.
func heldText(whose, has, fact string, path []string, v any) (string, bool) {
	none := " no assignment"
	if fact == "held" {
		none = " no active assignment"
	}
	if len(path) == 0 {
		all, _ := v.(map[string]any)
		var roles []string
		for _, at := range slices.Sorted(maps.Keys(all)) {
			if role, ok := roleOf(all[at]); ok {
				roles = append(roles, role+" at "+at)
			}
		}
		if len(roles) == 0 {
			return has + none, true
		}
		return whose + " roles are " + strings.Join(roles, ", "), true
	}
	at := path[0]
	if len(path) == 1 || path[1] == "role" {
		if v == nil {
			return has + none + " at " + at, true
		}
		role, ok := roleOf(v)
		return whose + " role at " + at + " is " + role, ok
	}
	switches, isSwitches := v.(map[string]any)
	if v == nil || isSwitches && len(switches) == 0 {
		return "", false
	}
	var on []string
	for _, area := range slices.Sorted(maps.Keys(switches)) {
		on = append(on, area+" "+onOff(switches[area]))
	}
	of := whose + " " + strings.Join(path[1:], " ") + " at " + at
	if isSwitches {
		return of + ": " + strings.Join(on, ", "), true
	}
	return of + " is " + plain(v), true
}

// roleOf returns the role that is a value, or that an assignment has.
func roleOf(v any) (string, bool) {
	if a, ok := v.(map[string]any); ok {
		v = a["role"]
	}
	role, ok := v.(string)
	return role, ok
}

// stepsOf returns the names in a path such as input.facts.user.assignments["a.b"].
func stepsOf(path string) []string {
	var steps []string
	for path != "" {
		if rest, quoted := strings.CutPrefix(path, "["); quoted {
			name, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return append(steps, path)
			}
			step, _ := strconv.Unquote(name) // it is what QuotedPrefix found
			steps, path = append(steps, step), strings.TrimPrefix(rest[len(name):], "]")
		} else {
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			steps, path = append(steps, path[:end]), path[end:]
		}
		path = strings.TrimPrefix(path, ".")
	}
	return steps
}
