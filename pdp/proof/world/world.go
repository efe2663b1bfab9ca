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
	texts      map[string][]string // that the policy tells apart, by variable
	index      map[string]int
	fresh      map[diagram.Node]string // the variables whose texts stand for others
	demanded   map[string]map[string]bool
	opaque     map[string]bool
}

// Texts are the texts that a policy tells apart, by variable. They become known by exploring: see [World.Demanded].
type Texts map[string][]string

// Values returns the values of a variable in the world of a question; nil if it has no such variable.
func Values(policies []*pdp.Policy, q Question, variable string) ([]string, error) {
	w, err := declared(policies, q, nil)
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
func New(policies []*pdp.Policy, q Question, texts Texts, limit int) (w *World, err error) {
	defer diagram.Guard(&err)
	if w, err = declared(policies, q, texts); err != nil {
		return nil, err
	}
	domains := make([]int, len(w.Variables))
	for i, v := range w.Variables {
		domains[i] = len(v.Values)
	}
	w.Store = diagram.NewStore(domains, limit)
	w.Store.Differ, w.Store.Opaque = w.differ, w.notes
	w.build()
	return w, nil
}

// declared returns a world with its variables, but without diagrams.
func declared(policies []*pdp.Policy, q Question, texts Texts) (*World, error) {
	w := &World{action: q.Action, only: q.Only, texts: texts, index: map[string]int{}, members: map[string][]string{},
		fresh: map[diagram.Node]string{}, demanded: map[string]map[string]bool{}, opaque: map[string]bool{}}
	for i := range trees {
		if trees[i].name == q.Tree {
			w.tree = &trees[i]
		}
	}
	if w.tree == nil {
		return nil, fmt.Errorf("there is no small world %q", q.Tree)
	}
	properties, members := map[string]bool{}, map[string]map[string]bool{"subject": {}, "resource": {}, "context": {}}
	for _, p := range policies {
		a, _ := p.FactsOf(q.Action)
		w.actions = append(w.actions, a)
		w.byUsername = w.byUsername || p.FindsByUsername(q.Action)
		w.areas = union(w.areas, someAreas(p))
		w.learn(p.Vocabulary())
		for _, name := range readOfAction(p, q.Action) {
			properties[name] = true
		}
		for part, path := range map[string][]string{"subject": {"subject", "properties"}, "resource": {"resource", "properties"}, "context": {"context"}} {
			names, _ := p.Revision().InputMembers(path...)
			for _, name := range names {
				members[part][name] = true
			}
		}
	}
	for part, names := range members {
		w.members[part] = slices.Sorted(maps.Keys(names))
	}
	w.properties = slices.Sorted(maps.Keys(properties))
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

// readOfAction returns the properties that a policy can read of an action.
func readOfAction(p *pdp.Policy, action string) []string {
	if names, all := p.Revision().InputMembers("action", "properties"); !all {
		return names
	}
	a, _ := p.FactsOf(action) // of an action that it does not know, no rule reads one
	return a.Properties
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
	w.demand(a, b)
	w.demand(b, a)
}

func (w *World) demand(fresh, text diagram.Node) {
	name, ok := w.fresh[fresh]
	if !ok || w.fresh[text] == name {
		return
	}
	t := textOf(w.TermOf(text))
	if t == "" {
		return
	}
	if w.demanded[name] == nil {
		w.demanded[name] = map[string]bool{}
	}
	w.demanded[name][t] = true
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

// Demanded returns the texts that the policy tells apart as far as it was explored, and whether there are more than the world
// was made with.
func (w *World) Demanded() (texts Texts, more bool) {
	texts = Texts{}
	for name, own := range w.texts {
		texts[name] = slices.Clone(own)
	}
	for name, found := range w.demanded {
		for _, t := range slices.Sorted(maps.Keys(found)) {
			v := w.Variables[w.index[name]]
			if !slices.Contains(v.Values, t) {
				texts[name] = append(texts[name], t)
				more = true
			}
		}
	}
	return texts, more
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
