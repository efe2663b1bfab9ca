package world

import (
	"maps"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
)

func (a *aspects) whoAsks() {
	a.add(Aspect{Before: "asked by ", Plain: "a user", Values: []AspectValue{{"a user", a.is("who", known)}, {"an unknown user", a.is("who", unknown)}}}, "what is no user")
	if !a.facts.NeedsNoCurrentLocation {
		stands := Aspect{Before: "standing at ", Tells: true}
		for _, l := range a.chain() {
			stands.Values = append(stands.Values, AspectValue{article(l.kind), a.at[l.id]})
		}
		stands.Values = append(stands.Values, AspectValue{"no place that is known", a.is("current", unknown, number)})
		a.add(stands, "no place that is said")
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
		none := noRole
		holding := Aspect{Before: "holding ", After: " at the " + l.kind, Tells: true, Role: true}
		for _, name := range a.vocabulary.Roles[l.kind] {
			holding.Values = append(holding.Values, AspectValue{name, a.And(here, a.Is(role, a.Text(name)))})
		}
		if l.kind == "practice" { // whose role is that at the group
			holding.Values, none = []AspectValue{{"an active assignment", here}}, "no active assignment"
		}
		holding.Values = append(holding.Values, AspectValue{none, a.Not(a.nowhere)})
		a.add(holding, anyRole)
	}
}

// What is said of the role at a location where there is none, and where no role is looked for.
const (
	noRole  = "no role"
	anyRole = "any role or none"
)

// patients tells by which roles the subject is concerned with a patient.
func (a *aspects) patients() {
	if _, ok := a.index["patient locations"]; !ok {
		return
	}
	byRole := map[string]diagram.Node{}
	for _, l := range a.tree.locations {
		named := a.And(a.list("patient locations"), a.is("patient locations "+l.id, yes))
		for _, above := range a.tree.above(l.id) {
			for _, name := range a.vocabulary.Roles[a.tree.at(above).kind] {
				if _, ok := byRole[name]; !ok {
					byRole[name] = diagram.False
				}
				byRole[name] = a.Or(byRole[name], a.And(named, a.And(a.active("subject", above), a.Is(a.role("subject", above), a.Text(name)))))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byRole)) {
		when := a.And(a.is("who", known), a.And(a.is("kind", "patient"), byRole[name]))
		a.add(Aspect{Before: "holding ", After: " at a location of the patient or above it", Tells: true, Values: []AspectValue{{name, when}}}, "no "+name)
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
	aspect := Aspect{Tells: true, Named: true, Any: "at any location of the organization", But: []string{words[4], unknownPlace}}
	switch {
	case a.facts.NeedsNoCurrentLocation && slices.Contains([]string{"user", "location"}, a.Variables[a.index["kind"]].Values[0]):
		aspect.Plain = words[0]
	case a.facts.NeedsNoCurrentLocation:
		aspect.Plain = unknownPlace
	}
	for _, word := range words {
		aspect.Values = append(aspect.Values, AspectValue{word, relations[word]})
	}
	a.add(aspect, unknownPlace)
	a.holdsThere()
}

const unknownPlace = "at no location that is known"

// holdsThere tells what the subject holds at the place that a question is about.
func (a *aspects) holdsThere() {
	there := Aspect{Before: "holding ", After: " at that location", Tells: true}
	if a.facts.NeedsNoCurrentLocation {
		there.After = " at the location asked about"
	}
	byRole := map[string]diagram.Node{}
	for _, l := range a.tree.locations {
		here := a.And(a.is("who", known), a.And(a.placeIs(l.id), a.active("subject", l.id)))
		role := a.role("subject", l.id)
		for _, leaf := range a.Leaves(role) {
			if leaf == diagram.Undefined {
				continue
			}
			name := textOf(a.TermOf(leaf))
			if a.isPractice(l.id) {
				name = "an active assignment"
			}
			if _, ok := byRole[name]; !ok {
				byRole[name] = diagram.False
			}
			byRole[name] = a.Or(byRole[name], a.And(here, a.Is(role, leaf)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byRole)) {
		there.Values = append(there.Values, AspectValue{name, byRole[name]})
	}
	a.add(there, noRole)
}
