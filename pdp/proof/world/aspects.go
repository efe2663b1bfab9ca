package world

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
)

// Aspect is one thing that words can say of a case, by its values. Each case has exactly one of them.
type Aspect struct {
	Before, After string // what is said before the values, and after them
	Plain         string // the value that goes without saying; "" is none
	Values        []AspectValue
	// Tells is set for what a person asks for first: who asks, where they stand, whom and which place it is about; Role is set for the
	// roles of who asks.
	Tells, Role bool
}

// AspectValue is a value of an aspect with the cases that have it.
type AspectValue struct {
	Word string
	When diagram.Node
}

// Aspects returns what words can say of the cases of a world, the most telling first. Cases that differ in nothing of it may have
// different answers. It panics as operations on diagrams do.
func (w *World) Aspects() []Aspect {
	a := &aspects{factsOf: &factsOf{World: w}}
	if w.tree == &noDirectory {
		a.said()
		return a.all
	}
	a.stand()
	a.base = a.at
	if a.facts.NeedsNoCurrentLocation {
		a.base = map[string]diagram.Node{}
		for _, l := range w.tree.locations {
			a.base[l.id] = a.named(l.id)
		}
	}
	a.whoAsks()
	a.whom()
	a.where()
	a.account()
	a.said()
	return a.all
}

type aspects struct {
	*factsOf
	base map[string]diagram.Node // where the subject stands or, if that is ignored, what the question is about
	all  []Aspect
}

// add adds an aspect; the cases that have none of its values have the rest.
func (a *aspects) add(aspect Aspect, rest string) {
	left := diagram.True
	kept := aspect.Values[:0]
	for _, v := range aspect.Values {
		v.When = a.And(v.When, left)
		left = a.Except(left, v.When)
		if v.When != diagram.False {
			kept = append(kept, v)
		}
	}
	if left != diagram.False && rest != "" {
		if i := slices.IndexFunc(kept, func(v AspectValue) bool { return v.Word == rest }); i >= 0 {
			kept[i].When = a.Or(kept[i].When, left)
		} else {
			kept = append(kept, AspectValue{rest, left})
		}
	}
	if aspect.Values = kept; len(kept) > 1 {
		a.all = append(a.all, aspect)
	}
}

// chain returns the locations where the subject can stand, those above first.
func (a *aspects) chain() (all []location) {
	for _, l := range a.tree.locations {
		if l.stands {
			all = append(all, l)
		}
	}
	return all
}

func article(noun string) string {
	if strings.ContainsAny(noun[:1], "aeiou") {
		return "an " + noun
	}
	return "a " + noun
}

func (a *aspects) whoAsks() {
	a.add(Aspect{Before: "asked by ", Plain: "a user", Values: []AspectValue{{"a user", a.is("who", known)}, {"an unknown user", a.is("who", unknown)}}}, "what is no user")
	if !a.facts.NeedsNoCurrentLocation {
		stands := Aspect{Before: "standing at ", Tells: true}
		for _, l := range a.chain() {
			stands.Values = append(stands.Values, AspectValue{article(l.kind), a.at[l.id]})
		}
		a.add(stands, "no place that is known")
	}
	for _, l := range a.chain() {
		here := diagram.False
		for id, when := range a.base {
			if slices.Contains(a.tree.above(id), l.id) {
				here = a.Or(here, when)
			}
		}
		here = a.And(a.And(here, a.is("who", known)), a.active("subject", l.id))
		role := a.role("subject", l.id)
		holding := Aspect{Before: "holding ", After: " at the " + l.kind, Tells: true, Role: true}
		for _, name := range a.vocabulary.Roles[l.kind] {
			holding.Values = append(holding.Values, AspectValue{name, a.And(here, a.Is(role, a.Text(name)))})
		}
		if l.kind == "practice" { // whose role is that at the group
			holding.Values = []AspectValue{{"an active assignment", here}}
			a.add(holding, "no active assignment")
			continue
		}
		a.add(holding, "no role")
	}
}

func (a *aspects) whom() {
	user := a.is("kind", "user")
	about := Aspect{Before: "about ", Tells: true, Values: []AspectValue{
		{"somebody else", a.And(user, a.is("whom", theOther, byUsername))},
		{"themselves", a.And(user, a.is("whom", oneself, selfByName))},
		{"an unknown user", user},
	}}
	kinds := a.Variables[a.index["kind"]].Values
	if kinds[0] != "user" {
		about.Plain = article(kinds[0])
	}
	for _, kind := range kinds {
		if kind != "user" {
			about.Values = append(about.Values, AspectValue{article(kind), a.is("kind", kind)})
		}
	}
	a.add(about, "")
	a.add(Aspect{Before: "named by ", Values: []AspectValue{{"username", a.And(user, a.is("whom", byUsername, selfByName))}}}, "id")
}

// placeIs returns where a question is about a location.
func (a *aspects) placeIs(id string) diagram.Node {
	named := a.is("kind", "user", "location")
	unnamed := a.Not(a.And(named, a.Not(a.is("place", absent, null, empty))))
	return a.Or(a.named(id), a.And(unnamed, a.at[id]))
}

func (a *aspects) where() {
	relations := map[string]diagram.Node{}
	words := []string{"at the location where they stand", "at a location beneath", "at a location above", "at a location elsewhere in the organization", "at a location of another organization"}
	for _, word := range words {
		relations[word] = diagram.False
	}
	for _, place := range a.tree.locations {
		is := a.placeIs(place.id)
		if place.foreign {
			relations[words[4]] = a.Or(relations[words[4]], is)
			continue
		}
		for _, l := range a.chain() {
			word := words[3]
			switch {
			case place.id == l.id:
				word = words[0]
			case slices.Contains(a.tree.above(place.id), l.id):
				word = words[1]
			case slices.Contains(a.tree.above(l.id), place.id):
				word = words[2]
			}
			relations[word] = a.Or(relations[word], a.And(is, a.base[l.id]))
		}
		relations[words[3]] = a.Or(relations[words[3]], is) // whoever stands nowhere
	}
	aspect := Aspect{Tells: true}
	if a.facts.NeedsNoCurrentLocation {
		aspect.Plain = words[0]
	}
	for _, word := range words {
		aspect.Values = append(aspect.Values, AspectValue{word, relations[word]})
	}
	a.add(aspect, "at no location that is known")
}

// account adds what is known of both accounts.
func (a *aspects) account() {
	status := func(person string, deactivated diagram.Node) {
		a.add(Aspect{Before: "the " + person + "'s account is ", Plain: facts.StatusActive, Values: []AspectValue{
			{facts.StatusActive, a.Not(deactivated)}, {facts.StatusDeactivated, deactivated},
		}}, "")
	}
	status("subject", a.is("subject status", facts.StatusDeactivated))
	other, self := a.is("whom", theOther, byUsername), a.is("whom", oneself, selfByName)
	user := a.is("kind", "user")
	status("user", a.And(user, a.And(other, a.is("user status", facts.StatusDeactivated))))

	there := Aspect{Before: "the user is ", After: " there"}
	byRole := map[string]diagram.Node{}
	var roles []string
	inactive, isDefault, more := diagram.False, diagram.False, diagram.False
	for _, l := range a.tree.locations {
		for person, when := range map[string]diagram.Node{"user": other, "subject": self} {
			when = a.And(user, a.And(when, a.placeIs(l.id)))
			active := a.And(when, a.active(person, l.id))
			role := a.role(person, l.id)
			for _, leaf := range a.Leaves(role) {
				name := textOf(a.TermOf(leaf))
				if leaf == diagram.Undefined {
					continue
				}
				if _, ok := byRole[name]; !ok {
					byRole[name] = diagram.False
					roles = append(roles, name)
				}
				byRole[name] = a.Or(byRole[name], a.And(active, a.Is(role, leaf)))
			}
			inactive = a.Or(inactive, a.Except(a.And(when, a.assigned(person, l.id)), a.active(person, l.id)))
			isDefault = a.Or(isDefault, a.And(when, a.is(person+" default", l.id)))
			for _, o := range a.tree.locations {
				if o.id != l.id && !o.foreign {
					more = a.Or(more, a.And(when, a.active(person, o.id)))
				}
			}
		}
	}
	slices.Sort(roles)
	for _, name := range roles {
		there.Values = append(there.Values, AspectValue{name, byRole[name]})
	}
	there.Values = append(there.Values, AspectValue{"invited or deactivated", inactive})
	a.add(there, "not assigned")
	a.add(Aspect{Before: "which is ", Values: []AspectValue{{"the user's default location", isDefault}}}, "not the user's default location")
	a.add(Aspect{Before: "the user has ", Values: []AspectValue{{"other active assignments in the organization", more}}}, "no other active assignment in the organization")
}

// structural reports whether the other aspects tell of a variable.
func structural(name string) bool {
	return slices.Contains([]string{"who", "kind", "whom", "place", "current", "subject status", "user status", "subject default", "user default"}, name) ||
		strings.HasPrefix(name, "subject at ") || strings.HasPrefix(name, "user at ")
}

// said adds what the question says besides, the plan of the organization, and access.
func (a *aspects) said() {
	for i, v := range a.Variables {
		if structural(v.Name) {
			continue
		}
		aspect := Aspect{Before: wordsOf(v.Name) + " is ", Tells: isEntity(v.Name)}
		for j, value := range v.Values {
			leaves := make([]diagram.Node, len(v.Values))
			for k := range leaves {
				leaves[k] = diagram.False
			}
			leaves[j] = diagram.True
			aspect.Values = append(aspect.Values, AspectValue{wordOf(value), a.Variable(i, leaves)})
		}
		a.add(aspect, "")
	}
}

// isEntity reports whether a variable is about a part of a question that is always there.
func isEntity(variable string) bool {
	return slices.ContainsFunc(entities, func(e struct{ part, member, plainest string }) bool { return variable == e.part+" "+e.member })
}

// wordsOf names a variable.
func wordsOf(variable string) string {
	if property, ok := strings.CutPrefix(variable, "set "); ok {
		return property
	}
	if member, ok := strings.CutPrefix(variable, "context "); ok {
		return "context." + member
	}
	return variable
}

// wordOf names a value.
func wordOf(value string) string {
	words := map[string]string{absent: "absent", null: "null", empty: "empty", number: "a number", yes: "true", no: "false", list: "a list",
		object: "an object", other: "any other text", none: "none", unknown: "unknown"}
	if word, ok := words[value]; ok {
		return word
	}
	return fmt.Sprintf("%q", value)
}

// Digest returns a hash of a condition that does not depend on the run: the same for the same cases.
func (w *World) Digest(condition diagram.Node) [32]byte {
	return w.Store.Digest(condition, func(v int) string { return fmt.Sprintf("%q %q", w.Variables[v].Name, w.Variables[v].Values) })
}
