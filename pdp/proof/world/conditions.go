package world

import (
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
)

// Model returns the model of the organization whose rules apply.
func (w *World) Model() string { return w.tree.model }

// SubjectHolds returns where the subject holds an active role of which something is true. Roles in another organization count where the
// action is judged by them.
func (w *World) SubjectHolds(of func(role string) bool) diagram.Node {
	return w.And(w.is("who", known), w.holds("subject", of, true))
}

// UserHolds returns where the user that a question is about, who may be the subject, holds a role of which something is true, whatever
// its status: what is done to an account is judged by its record.
func (w *World) UserHolds(of func(role string) bool) diagram.Node {
	held := w.Or(w.And(w.is("whom", theOther, byUsername), w.holds("user", of, false)), w.And(w.is("whom", oneself, selfByName), w.holds("subject", of, false)))
	return w.And(w.AboutUser(), held)
}

// AboutUser returns where a question is about a user, known or not.
func (w *World) AboutUser() diagram.Node { return w.is("kind", "user") }

// AboutSelf returns where a question is about the subject.
func (w *World) AboutSelf() diagram.Node {
	return w.And(w.AboutUser(), w.And(w.is("who", known), w.is("whom", oneself, selfByName)))
}

func (w *World) holds(person string, of func(role string) bool, active bool) diagram.Node {
	f := &factsOf{World: w}
	f.stand()
	held, abroad := diagram.False, diagram.False
	for _, l := range w.tree.locations {
		role := f.role(person, l.id)
		for _, leaf := range w.Leaves(role) {
			if leaf == diagram.Undefined || !of(textOf(w.TermOf(leaf))) {
				continue
			}
			here := w.Is(role, leaf)
			if active {
				here = w.And(here, f.active(person, l.id))
			}
			if l.foreign {
				abroad = w.Or(abroad, here)
			} else {
				held = w.Or(held, here)
			}
		}
	}
	return w.Or(held, w.And(abroad, f.everywhere(person)))
}

// Sets returns where the question has one of some texts as a property of the action.
func (w *World) Sets(property string, texts []string) diagram.Node {
	if _, ok := w.index["set "+property]; !ok {
		return diagram.False
	}
	return w.is("set "+property, texts...)
}

// SaysCurrent returns where the question says where the subject stands.
func (w *World) SaysCurrent() diagram.Node { return w.Not(w.is("current", absent)) }

// IgnoresCurrent reports whether it makes no difference to the action where a question says that the subject stands.
func (w *World) IgnoresCurrent() bool {
	return !slices.ContainsFunc(w.actions, func(a facts.Action) bool { return !a.NeedsNoCurrentLocation })
}

// Elsewhere marks the variables that are about another organization: who has which role there.
func (w *World) Elsewhere() []bool {
	marked := make([]bool, len(w.Variables))
	for i, v := range w.Variables {
		for _, l := range w.tree.locations {
			if l.foreign && strings.HasSuffix(v.Name, " at "+l.id) {
				marked[i] = true
			}
		}
	}
	return marked
}

// Like returns where all variables but those that are marked have given values.
func (w *World) Like(values []int, but []bool) diagram.Node {
	like := diagram.True
	for i, v := range w.Variables {
		if !but[i] {
			like = w.And(like, w.is(v.Name, v.Values[values[i]]))
		}
	}
	return like
}

// Bound says what the small worlds have, in one sentence for each limit; alone says that the policies judge by the question alone.
func Bound(alone bool) []string {
	directory := []string{
		"one directory of a few locations for each model: here, above, beneath, beside, elsewhere, of another organization, and unknown",
		"two people, or one and the same, with any roles at these locations; nobody stands where a directory of that size is the same from another place",
		"ids, names and usernames are such as the examples have; the order of ids is that of the examples",
		"areas of access: those that a rule names, and two others",
	}
	if alone {
		directory = []string{"no directory; types, ids and actions that the policy tells apart, and one of each that it does not"}
	}
	return append(directory,
		"properties of a question: those that a rule looks up, and one that none does where a rule goes by what there is; absent, null, empty, a number, true, false, every text that the policy tells apart and one that it does not; lists name locations, each once",
		"values within values no deeper than the question's properties name and areas",
	)
}
