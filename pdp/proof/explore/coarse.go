package explore

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
	"github.com/wardkeeper/wardkeeper/pdp/proof/world"
)

// answer makes terms of the answers of all sides: coarse ones if those of some side are too many, so that they can be compared.
func (p *Part) answer() (err error) {
	defer diagram.Guard(&err)
	tooMany := slices.ContainsFunc(p.Sides, func(s Side) bool { return many(p.World, s.Answer) })
	for i := range p.Sides {
		s := &p.Sides[i]
		if s.Coarse = tooMany; tooMany {
			s.reasons = given(p.World, s.Answer)
			s.Answer = coarse(p.World, s.Answer)
		}
		s.Answer = p.Concrete(s.Answer)
	}
	return nil
}

// manyReasons is how many reasons an answer may have that are each given or not, before the answers are too many to be told apart:
// they double with each.
const manyReasons = 16

func many(w *world.World, value diagram.Node) bool {
	reasons := w.Lookup(value, w.Text("reasons"))
	return slices.ContainsFunc(w.Leaves(reasons), func(leaf diagram.Node) bool {
		c, uncertain := w.Collection(leaf), 0
		if leaf == diagram.Undefined || c == nil {
			return false
		}
		for _, e := range c.Entries {
			if e.When != diagram.True {
				uncertain++
			}
		}
		return uncertain > manyReasons
	})
}

// coarse returns an answer of which only that there are reasons is known: a list with null stands for one with any. What is no list stays
// none.
func coarse(w *world.World, value diagram.Node) diagram.Node {
	of := w.Lookup(value, w.Text("reasons"))
	some := w.Map(w.Operation("some"), w.Length(of), func(leaf diagram.Node) diagram.Node {
		if leaf == diagram.Undefined || leaf == w.Int(0) {
			return diagram.Undefined
		}
		return w.Term(ast.ArrayTerm(ast.NullTerm()))
	})
	list := w.Or(w.IsKind(of, diagram.List), w.IsKind(of, diagram.Set))
	other := w.Ite(w.IsKind(of, diagram.Object), w.Term(ast.ObjectTerm()), of)
	return w.Insert(value, w.Text("reasons"), w.Ite(list, some, other), diagram.True)
}

// given returns the reasons of an answer, each with the cases in which it is given.
func given(w *world.World, value diagram.Node) map[diagram.Node]diagram.Node {
	when := map[diagram.Node]diagram.Node{}
	reasons := w.Lookup(value, w.Text("reasons"))
	for _, leaf := range w.Leaves(reasons) {
		if leaf == diagram.Undefined || w.Collection(leaf) == nil || w.Collection(leaf).Kind == diagram.Object {
			continue
		}
		here := w.Is(reasons, leaf)
		for _, e := range w.Collection(leaf).Entries {
			reason := w.Concrete(e.Value)
			for _, one := range w.Leaves(reason) {
				if one == diagram.Undefined {
					continue
				}
				is := w.And(here, w.And(e.When, w.Is(reason, one)))
				if other, known := when[one]; known {
					is = w.Or(other, is)
				}
				when[one] = is
			}
		}
	}
	return when
}

// Reasons returns the reasons of a side whose answers are coarse: for each the answers that give it, with null for the others. A case is
// in the class of each of its reasons. The error is [diagram.ErrTooLarge].
func (p *Part) Reasons(s *Side) (all []Class, err error) {
	classes, err := p.Classes(s)
	if err != nil {
		return nil, err
	}
	defer diagram.Guard(&err)
	for _, c := range classes {
		for _, reason := range s.sortedReasons(p.World) {
			if here := p.And(c.Condition, s.reasons[reason]); here != diagram.False {
				all = append(all, Class{withReason(c.Answer, p.TermOf(reason)), here})
			}
		}
	}
	return all, nil
}

func (s *Side) sortedReasons(w *world.World) (all []diagram.Node) {
	for reason := range s.reasons {
		all = append(all, reason)
	}
	slices.SortFunc(all, func(a, b diagram.Node) int { return w.TermOf(a).Value.Compare(w.TermOf(b).Value) })
	return all
}

// withReason returns a coarse answer with one reason in front of null.
func withReason(answer, reason *ast.Term) *ast.Term {
	object, ok := answer.Value.(ast.Object)
	if !ok {
		return answer
	}
	items := [][2]*ast.Term{ast.Item(ast.StringTerm("reasons"), ast.ArrayTerm(reason, ast.NullTerm()))}
	object.Foreach(func(name, member *ast.Term) {
		if !name.Equal(items[0][0]) {
			items = append(items, ast.Item(name, member))
		}
	})
	return ast.ObjectTerm(items...)
}

// changedReasons returns a change for each reason that one side gives and the other does not, in cases that one class of each side has; and
// one for the rest of these cases, if the answers differ otherwise.
func (p *Part) changedReasons(before, after Class, both diagram.Node) (all []Change) {
	reasons := slices.Concat(p.Sides[0].sortedReasons(p.World), p.Sides[1].sortedReasons(p.World))
	slices.SortFunc(reasons, func(a, b diagram.Node) int { return p.TermOf(a).Value.Compare(p.TermOf(b).Value) })
	given := func(side int, by Class, reason diagram.Node) diagram.Node {
		when, ok := p.Sides[side].reasons[reason]
		if !ok || by.Answer == nil {
			return diagram.False
		}
		return p.And(both, when)
	}
	rest := both
	for _, reason := range slices.Compact(reasons) {
		was, is := given(0, before, reason), given(1, after, reason)
		if lost := p.Except(was, is); lost != diagram.False {
			all, rest = append(all, Change{withReason(before.Answer, p.TermOf(reason)), after.Answer, lost}), p.Except(rest, lost)
		}
		if gained := p.Except(is, was); gained != diagram.False {
			all, rest = append(all, Change{before.Answer, withReason(after.Answer, p.TermOf(reason)), gained}), p.Except(rest, gained)
		}
	}
	if before.Answer != after.Answer && rest != diagram.False {
		all = append(all, Change{before.Answer, after.Answer, rest})
	}
	return all
}
