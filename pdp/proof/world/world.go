package world

import (
	"fmt"
	"maps"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
)

// World is a small world, with the inputs of policies as functions of its variables. It is not safe for concurrent use.
type World struct {
	*diagram.Store
	Variables []*Variable
	// Inputs has the input of each policy. They differ where the policies' catalogues do.
	Inputs []diagram.Node
	// Valid is where the directory has no fault and the question is one, of which there is only one among those that are alike.
	Valid diagram.Node

	tree       *tree
	action     string
	facts      facts.Action // by the catalogue of the policy whose input is built
	actions    []facts.Action
	vocabulary pdp.Vocabulary
	byUsername bool
	areas      []string
	properties []string            // of the action
	members    map[string][]string // that the policy reads of the other objects
	only       map[string][]string
	demand     Demand
	index      map[string]int
	fresh      map[diagram.Node]string // the variables whose texts stand for others
	parts      map[diagram.Node]string // the objects that are parts of the question
	texts      map[string]map[string]bool
	missing    map[string]map[string]bool
	opaque     map[string]bool
}

// Demand is what a policy asks of a world. It becomes known by exploring: see [World.Demanded].
type Demand struct {
	Texts   map[string][]string // that the policy tells apart, by variable
	Members map[string][]string // that it looks up, by part of the question
}

// Values returns the values of a variable in the world of a question; nil if it has no such variable.
func Values(policies []*pdp.Policy, q Question, variable string) ([]string, error) {
	w, err := declared(policies, q, Demand{})
	if err != nil {
		return nil, err
	}
	if i, ok := w.index[variable]; ok {
		return w.Variables[i].Values, nil
	}
	return nil, nil
}

// New makes the world of a question to one policy, or to several that are compared. There are at most limit nodes in its diagrams; where that does not suffice even for the input, it
// fails with [diagram.ErrTooLarge].
func New(policies []*pdp.Policy, q Question, demand Demand, limit int) (w *World, err error) {
	defer diagram.Guard(&err)
	if w, err = declared(policies, q, demand); err != nil {
		return nil, err
	}
	domains := make([]int, len(w.Variables))
	for i, v := range w.Variables {
		domains[i] = len(v.Values)
	}
	w.Store = diagram.NewStore(domains, limit)
	w.Store.Differ, w.Store.Opaque, w.Store.Missing = w.differ, w.notes, w.lacks
	w.build()
	return w, nil
}

// declared returns a world with its variables, but without diagrams.
func declared(policies []*pdp.Policy, q Question, demand Demand) (*World, error) {
	w := &World{action: q.Action, only: q.Only, demand: demand, index: map[string]int{}, members: map[string][]string{},
		fresh: map[diagram.Node]string{}, parts: map[diagram.Node]string{}, texts: map[string]map[string]bool{}, missing: map[string]map[string]bool{},
		opaque: map[string]bool{}}
	for i := range trees {
		if trees[i].name == q.Tree {
			w.tree = &trees[i]
		}
	}
	if q.Tree == NoDirectory {
		w.tree = &noDirectory
	}
	if w.tree == nil {
		return nil, fmt.Errorf("there is no small world %q", q.Tree)
	}
	members := map[string]map[string]bool{}
	for part := range parts {
		members[part] = map[string]bool{}
		for _, name := range demand.Members[part] {
			members[part][name] = true
		}
	}
	for _, p := range policies {
		a, _ := p.FactsOf(q.Action)
		w.actions = append(w.actions, a)
		w.byUsername = w.byUsername || p.FindsByUsername(q.Action)
		if p.Vocabulary() != nil {
			w.areas = union(w.areas, someAreas(p))
			w.learn(p.Vocabulary())
		}
		for part := range parts {
			for _, name := range readOf(p, part, a.Properties) {
				members[part][name] = true
			}
		}
	}
	for part, names := range members {
		w.members[part] = slices.Sorted(maps.Keys(names))
	}
	w.properties = w.members["action"]
	w.declare(policies[len(policies)-1].ResourceType(q.Action))
	return w, nil
}

// learn adds the terms of a vocabulary to those that the directory uses.
func (w *World) learn(v *pdp.Vocabulary) {
	if w.vocabulary.Roles == nil {
		w.vocabulary.Roles = map[string][]string{}
	}
	for kind, roles := range v.Roles {
		w.vocabulary.Roles[kind] = union(w.vocabulary.Roles[kind], roles)
	}
	w.vocabulary.Levels = union(w.vocabulary.Levels, v.Levels)
}

// union returns the terms of two lists, those of the first in their order.
func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, term := range b {
		if !slices.Contains(all, term) {
			all = append(all, term)
		}
	}
	return all
}

// parts are the parts of a question whose members a policy may read by any name, and where they are in the input.
var parts = map[string][]string{
	"action": {"action", "properties"}, "subject": {"subject", "properties"}, "resource": {"resource", "properties"}, "context": {"context"},
}

// unread is a member that no policy looks up. It stands for all of them.
const unread = "unread_member"

// readOf returns the members of a part of a question that a policy is known to read. If their names are known only at evaluation,
// they are those of the catalogue and one that is not read, until others are demanded.
func readOf(p *pdp.Policy, part string, catalogue []string) []string {
	names, all := p.Revision().InputMembers(parts[part]...)
	switch {
	case !all:
		return names
	case part == "action":
		return append(slices.Clone(catalogue), unread)
	}
	return append(names, unread)
}

// otherAreas is how many areas of access there are besides those that a rule names.
const otherAreas = 2

// someAreas returns the areas that people can have recorded and that a question can name.
func someAreas(p *pdp.Policy) []string {
	var areas []string
	others := 0
	for _, area := range p.Vocabulary().Areas {
		if !p.Revision().Constants()[area] {
			if others++; others > otherAreas {
				continue
			}
		}
		areas = append(areas, area)
	}
	return areas
}

func (w *World) reads(part, member string) bool { return slices.Contains(w.members[part], member) }

// Value returns the value of a variable among those of a case.
func (w *World) Value(values []int, name string) string {
	i, ok := w.index[name]
	if !ok {
		return absent
	}
	return w.Variables[i].Values[values[i]]
}

// differ is told of two texts that differ. If one stands for others, the variable that has it needs the other text too.
func (w *World) differ(a, b diagram.Node) {
	w.apart(a, b)
	w.apart(b, a)
}

func (w *World) apart(fresh, text diagram.Node) {
	name, ok := w.fresh[fresh]
	if !ok || w.fresh[text] == name {
		return
	}
	t := textOf(w.TermOf(text))
	if t == "" {
		return
	}
	note(w.texts, name, t)
}

func note(all map[string]map[string]bool, name, text string) {
	if all[name] == nil {
		all[name] = map[string]bool{}
	}
	all[name][text] = true
}

// lacks is told of a member that an object does not have. If that is a part of the question, it may have it.
func (w *World) lacks(object, key diagram.Node) {
	if part, ok := w.parts[object]; ok && textOf(w.TermOf(key)) != "" {
		note(w.missing, part, textOf(w.TermOf(key)))
	}
}

func (w *World) notes(function string, texts []diagram.Node) {
	for _, t := range texts {
		if name, ok := w.fresh[t]; ok {
			w.opaque[function+" of "+name] = true
		}
	}
}

// Opaque returns what the policy computes of texts otherwise than by comparing them, so that one text cannot stand for all others.
func (w *World) Opaque() []string { return slices.Sorted(maps.Keys(w.opaque)) }

// Demanded returns what the policy demands as far as it was explored, and whether that is more than the world was made with.
func (w *World) Demanded() (demand Demand, more bool) {
	known := func(name string) []string { return w.Variables[w.index[name]].Values }
	texts, moreTexts := extend(w.demand.Texts, w.texts, known)
	members, moreMembers := extend(w.demand.Members, w.missing, func(part string) []string { return w.members[part] })
	return Demand{texts, members}, moreTexts || moreMembers
}

// extend adds what was found and is not known.
func extend(own map[string][]string, found map[string]map[string]bool, known func(string) []string) (all map[string][]string, more bool) {
	all = map[string][]string{}
	for name, texts := range own {
		all[name] = slices.Clone(texts)
	}
	for name, texts := range found {
		for _, t := range slices.Sorted(maps.Keys(texts)) {
			if !slices.Contains(known(name), t) {
				all[name] = append(all[name], t)
				more = true
			}
		}
	}
	return all, more
}

// Cost says how far a value of a variable is from the plainest, for [diagram.Diagrams.Smallest]: the smallest example of a
// condition has the fewest people's roles, and says the least.
func (w *World) Cost(variable, value int) int {
	if value == 0 {
		return 0
	}
	switch w.Variables[variable].Values[value] {
	case unknown, null, empty, number, notUser, absent:
		return 5
	}
	return 2 + value/8
}
