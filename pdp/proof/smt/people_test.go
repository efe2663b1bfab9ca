package smt_test

import (
	"fmt"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// byPerson defines a function of subject, user, and nobody.
func (w *small) byPerson(name, parameters, sort, otherwise string, of func(person string) string) {
	w.say("(define-fun %s ((p Text)%s) %s (ite (= p subject) %s (ite (= p user) %s %s)))", name, parameters, sort, of("subject"), of("user"), otherwise)
}

// people defines what assignments the two people have. In a practice group a value is the role and the status at the group, and
// the status at a practice.
func (w *small) people() {
	for _, person := range []string{"subject", "user"} {
		for _, l := range w.locations {
			at, above := person+" at "+l.ID, w.above(l.ID)
			role, status := "|(none)|", "|(none)|"
			practice := w.model(l.ID) == facts.ModelPracticeGroup && l.Parent != ""
			for _, v := range w.variables[at] {
				switch r, s, ok := strings.Cut(v, " "); {
				case v == "(none)":
				case practice:
					role = fmt.Sprintf("(ite (= %s %s) %s %s)", symbol(at), symbol(v), symbol(person+" role at "+above[len(above)-1]), role)
					status = fmt.Sprintf("(ite (= %s %s) %s %s)", symbol(at), symbol(v), symbol(v), status)
				default:
					if !ok {
						s = facts.StatusActive
					}
					role = fmt.Sprintf("(ite (= %s %s) %s %s)", symbol(at), symbol(v), symbol(r), role)
					status = fmt.Sprintf("(ite (= %s %s) %s %s)", symbol(at), symbol(v), symbol(s), status)
				}
			}
			w.constant(person+" role at "+l.ID, "Text", role)
			w.constant(person+" status at "+l.ID, "Text", status)
		}
		w.constant(person+" is assigned", "Locations", w.union(func(l facts.LocationRecord) string {
			return fmt.Sprintf("(not (= %s |(none)|))", symbol(person+" at "+l.ID))
		}))
	}
	w.byPerson("assigned", "", "Locations", "nowhere", func(p string) string { return symbol(p + " is assigned") })
	for name, of := range map[string]string{"with-role": " role at ", "with-status": " status at "} {
		w.byPerson(name, " (r Text)", "Locations", "nowhere", func(p string) string {
			return w.union(func(l facts.LocationRecord) string { return fmt.Sprintf("(= %s r)", symbol(p+of+l.ID)) })
		})
	}
}

// constant declares a constant with a value. A function without parameters would be copied to wherever it is used.
func (w *small) constant(name, sort, value string) {
	w.say("(declare-const %[1]s %[2]s)\n(assert (= %[1]s %[3]s))", symbol(name), sort, value)
}

// access defines what access is recorded of both people at the group whose rules apply.
func (w *small) access() {
	recorded := func(person, otherwise string) string {
		if w.variables[person+" level"] == nil {
			return ""
		}
		return fmt.Sprintf("(or (= %s |(none)|) (= %s |(none)|))", symbol(person+" level"), symbol(person+" at "+w.locations[0].ID))
	}
	w.byPerson("level-of", "", "Text", "|(none)|", func(p string) string {
		none := recorded(p, "|(none)|")
		if none == "" {
			return "|(none)|"
		}
		return fmt.Sprintf("(ite %s |(none)| %s)", none, symbol(p+" level"))
	})
	w.byPerson("switch-of", " (area Text)", "Text", "|(absent)|", func(p string) string {
		body := "|(absent)|"
		for _, area := range w.areas {
			body = fmt.Sprintf("(ite (= area %s) %s %s)", symbol(area), symbol(p+" "+area), body)
		}
		if none := recorded(p, "|(absent)|"); none != "" {
			return fmt.Sprintf("(ite %s |(absent)| %s)", none, body)
		}
		return body
	})
}

// list defines what a list of locations has.
func (w *small) list(variable, name string) {
	has := func(id string) string {
		if w.variables[variable] == nil {
			return "false"
		}
		return fmt.Sprintf("(= %s |(true)|)", symbol(variable+" "+id))
	}
	set := name
	if name == "patient" {
		set = "patient-at"
	}
	w.say("(define-fun %s () Locations %s)", set, w.union(func(l facts.LocationRecord) string { return has(l.ID) }))
	w.say("(define-fun %s-unknown () Bool %s)", name, has("(unknown)"))
	w.say("(define-fun %s-other () Bool %s)", name, has("(number)"))
}
