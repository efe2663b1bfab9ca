package world

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
)

// Aspect is one thing that words can say of a case, by its values. Each case has exactly one of them.
type Aspect struct {
	Before, After string // what is said before the values, and after them
	Plain         string // the value that goes without saying; "" is none
	Values        []AspectValue
	// Any is one word for all values but those in But; "" is none.
	Any string
	But []string
	// Groups are words for several values each.
	Groups []AspectGroup
	// Tells is set for what a person asks for first: who asks, where they stand, whom and which place it is about; Role is set for the
	// roles of who asks. Detail is set for what is said only where nothing shorter tells the cases apart.
	// Named is set for what the words of others refer to.
	Tells, Role, Detail, Named bool
}

// AspectGroup is one word for some values.
type AspectGroup struct {
	Word   string
	Values []string // the words of the values
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
	a.nowhere = diagram.True
	for _, when := range a.base {
		a.nowhere = a.Except(a.nowhere, when)
	}
	a.whoAsks()
	a.patients()
	a.whom()
	a.where()
	a.account()
	a.target()
	a.said()
	return a.all
}

type aspects struct {
	*factsOf
	base    map[string]diagram.Node // where the subject stands or, if that is ignored, what the question is about
	nowhere diagram.Node            // no location has the rest
	all     []Aspect
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

// Digest returns a hash of a condition that does not depend on the run: the same for the same cases.
func (w *World) Digest(condition diagram.Node) [32]byte {
	return w.Store.Digest(condition, func(v int) string { return fmt.Sprintf("%q %q", w.Variables[v].Name, w.Variables[v].Values) })
}
