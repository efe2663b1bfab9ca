package world

import (
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// Variable is something that a decision may depend on.
type Variable struct {
	Name   string
	Values []string // the first is the plainest
	text   bool     // it has texts that the policy tells apart
}

// Values that are no texts.
const (
	absent  = "(absent)"
	null    = "(null)"
	empty   = "(empty)"
	number  = "(number)"
	yes     = "(true)"
	no      = "(false)"
	list    = "(list)"
	object  = "(object)"
	other   = "(other)" // a text that occurs nowhere
	none    = "(none)"
	unknown = "(unknown)"
)

// Who asks, and whom a question is about.
const (
	known       = "known"
	notUser     = "no user"
	theOther    = "somebody else"
	oneself     = "oneself"
	byUsername  = "somebody else, by username"
	selfByName  = "oneself, by username"
	actionOther = "(another action)"
)

// ofSubject begins the names of what a question says of the subject. Those of what is recorded begin otherwise.
const ofSubject = "subject property "

// Question names the world of one action in one model.
type Question struct {
	Tree   string // the name of a small world, of [Trees]
	Action string // "" for one that no model knows
	// Only restricts variables to some of their values, so that a world that is too large is explored in parts.
	Only map[string][]string
}

// Trees returns the names of the small worlds.
func Trees() []string {
	names := make([]string, len(trees))
	for i := range trees {
		names[i] = trees[i].name
	}
	return names
}

// declare declares the variables, in the order in which diagrams are small: who and whom, the places, what comes before the
// roles, the roles of both people side by side, then what the question says, and access.
func (w *World) declare(resource string) {
	t := w.tree
	if t == &noDirectory {
		w.declareEntities()
		return
	}
	w.add("who", known, unknown, notUser)
	w.add("kind", resourceKinds(resource)...)
	whom := []string{theOther, oneself, unknown}
	if w.byUsername {
		whom = append(whom, byUsername, selfByName)
	}
	w.add("whom", whom...)
	w.add("place", append(append([]string{absent}, t.ids()...), unknown, null, empty, number)...)
	w.add("current", w.currents()...)
	if len(t.plans) > 0 {
		w.add("plan", t.plans...)
	}
	for _, person := range people {
		w.add(person+" status", facts.StatusActive, facts.StatusDeactivated)
	}
	for _, person := range people {
		w.add(person+" default", append([]string{none}, t.ids()...)...)
	}
	for _, l := range t.locations {
		for _, person := range people {
			w.add(person+" at "+l.id, w.assignments(&l)...)
		}
	}
	w.declareQuestion()
	w.declareAccess()
}

var people = []string{"subject", "user"}

func (w *World) add(name string, values ...string) *Variable {
	if only := w.only[name]; only != nil {
		values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return !slices.Contains(only, v) })
	}
	v := &Variable{Name: name, Values: values}
	w.Variables = append(w.Variables, v)
	w.index[name] = len(w.Variables) - 1
	return v
}

// resourceKinds puts the type that the action asks for first.
func resourceKinds(first string) []string {
	kinds := []string{"user", "location", "patient", "thing"}
	if first != "" {
		kinds = append([]string{first}, slices.DeleteFunc(kinds, func(k string) bool { return k == first })...)
	}
	return kinds
}

func (w *World) currents() []string {
	all := []string{absent}
	if w.IgnoresCurrent() {
		return all
	}
	all = nil
	for _, l := range w.tree.locations {
		if l.stands {
			all = append(all, l.id)
		}
	}
	return append(all, absent, unknown, number)
}

// assignments returns what a person can have at a location. In a practice group the role is that at the group.
func (w *World) assignments(l *location) []string {
	roles := w.vocabulary.Roles[l.kind]
	if w.tree.modelOf(l.id) != facts.ModelPracticeGroup {
		return append([]string{none}, roles...)
	}
	statuses := []string{facts.StatusActive, facts.StatusInvited, facts.StatusDeactivated}
	if l.kind != "group" {
		return append([]string{none}, statuses...)
	}
	all := []string{none}
	for _, role := range roles {
		for _, status := range statuses {
			all = append(all, role+" "+status)
		}
	}
	return all
}

// roleAndStatus splits what a person has at a location.
func roleAndStatus(value string) (role, status string) {
	role, status, _ = strings.Cut(value, " ")
	if status == "" {
		status = facts.StatusActive
	}
	return role, status
}

// declareQuestion declares what a question can say besides.
func (w *World) declareQuestion() {
	for _, name := range w.properties {
		switch name {
		case "locations":
			w.declareLocations("set locations")
		case "new_location", "system":
			w.add("set "+name, append(append([]string{absent}, w.tree.ids()...), unknown, null, empty, number)...)
		case "username":
			w.add("set username", "new@example.org", absent, empty, null, number, " bad", usernames["user"], strings.ToUpper(usernames["user"]),
				usernames["subject"], "user", "subject")
		case "username_confirmation":
			w.add("set username_confirmation", "new@example.org", absent, "New@example.org", "different@example.org", usernames["user"], empty, number)
		case "name":
			w.add("set name", object, absent, number)
			for _, part := range []string{"given", "family", "title"} {
				w.add("set name."+part, other, absent, empty, null, number)
			}
		case "areas":
			w.add("set areas", absent, object, number, null, empty)
		default:
			w.text("set "+name, absent, other, yes, no, null, empty, number)
		}
	}
	if w.reads("resource", "locations") {
		w.declareLocations("patient locations")
	}
	for _, name := range w.members["resource"] {
		if name != "location" && name != "locations" {
			w.text("resource "+name, absent, other, yes, no, null, empty, number)
		}
	}
	for _, name := range w.members["subject"] {
		w.text(ofSubject+name, absent, other, yes, no, null, empty, number)
	}
	for _, name := range w.members["context"] {
		switch name {
		case "current_location":
		case supportedObligations:
			w.declareObligations()
		default:
			w.text("context "+name, absent, yes, no, other, null, number)
		}
	}
}

// supportedObligations is the member of the context that lists the types of obligations that a caller supports.
const supportedObligations = "supported_obligations"

func (w *World) declareObligations() {
	w.add("supported", absent, list, null, number)
	for _, kind := range append(slices.Clone(obligationTypes), number) {
		w.add("supports "+kind, no, yes)
	}
}

// text declares a member that may be a text.
func (w *World) text(name string, values ...string) {
	v := w.add(name, append(values, w.demand.Texts[name]...)...)
	v.text = true
}

// declareLocations declares a list of locations, each of which may be in it.
func (w *World) declareLocations(name string) {
	w.add(name, absent, list, null, number)
	for _, id := range append(w.tree.sorted(), unknown, number) {
		w.add(name+" "+id, no, yes)
	}
}

// declareAccess declares the access of both people in a practice group, and what a question says of areas.
func (w *World) declareAccess() {
	if w.tree.model != facts.ModelPracticeGroup {
		if slices.Contains(w.properties, "areas") {
			w.declareAreas()
		}
		return
	}
	for _, person := range people {
		w.add(person+" level", append([]string{none, absent}, w.vocabulary.Levels...)...)
	}
	w.declareAreas()
}

func (w *World) declareAreas() {
	asks := slices.Contains(w.properties, "areas")
	for _, area := range w.areas {
		if w.tree.model == facts.ModelPracticeGroup {
			for _, person := range people {
				w.add(person+" "+area, absent, yes, no)
			}
		}
		if asks {
			w.add("set areas."+area, absent, yes, no, null)
		}
	}
	if asks {
		w.add("set areas."+other, absent, yes, null, number)
	}
}

// obligationTypes are those that a caller can support.
var obligationTypes = []string{"custom", "notification", "session_termination"}

// usernames of the two people.
var usernames = map[string]string{"subject": "subject@example.org", "user": "user@example.org"}

// ModelOf returns the model of a small world.
func ModelOf(tree string) string {
	for i := range trees {
		if trees[i].name == tree {
			return trees[i].model
		}
	}
	return ""
}
