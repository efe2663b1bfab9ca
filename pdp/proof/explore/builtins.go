package explore

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/builtins"

	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
)

// builtin calls a built-in function, whose arguments are all defined on the path. It returns the cases that continue.
func (fr *frame) builtin(s *ir.CallStmt, args []diagram.Node, path diagram.Node) (v, rest diagram.Node) {
	m := fr.m
	if v, ok := m.structural(s.Func, args, path); ok {
		return v, path
	}
	decl, call := ast.BuiltinMap[s.Func], topdown.GetBuiltin(s.Func)
	if decl == nil || call == nil || decl.Relation || decl.Nondeterministic {
		fr.undecided(path, "the built-in function "+s.Func+" cannot be explored", s)
		return diagram.Undefined, diagram.False
	}
	if _, ok := typeTests[s.Func]; ok {
		return m.Map(m.Operation("call "+s.Func), args[0], func(leaf diagram.Node) diagram.Node {
			if leaf == diagram.Undefined {
				return leaf
			}
			return m.apply(s.Func, call, []*ast.Term{m.sample(leaf)})
		}), path
	}
	joined := m.Term(ast.ArrayTerm())
	for i, a := range args {
		joined = m.Join(m.Operation("argument"+strconv.Itoa(i)), joined, m.Concrete(m.Ite(path, a, diagram.Undefined)), func(list, arg diagram.Node) diagram.Node {
			if list == diagram.Undefined || arg == diagram.Undefined {
				return diagram.Undefined
			}
			return m.Term(diagram.Appended(m.TermOf(list).Value.(*ast.Array), m.TermOf(arg)))
		})
	}
	return m.Map(m.Operation("call "+s.Func), joined, func(leaf diagram.Node) diagram.Node {
		if leaf == diagram.Undefined {
			return leaf
		}
		list := m.TermOf(leaf).Value.(*ast.Array)
		terms := make([]*ast.Term, list.Len())
		for i := range terms {
			terms[i] = list.Elem(i)
		}
		var texts []diagram.Node
		for _, t := range terms {
			if _, ok := t.Value.(ast.String); ok {
				texts = append(texts, m.Term(t))
			}
		}
		m.Opaque(s.Func, texts)
		return m.apply(s.Func, call, terms)
	}), path
}

// typeTests are the built-in functions that look at nothing but the type.
var typeTests = map[string]bool{"is_string": true, "is_number": true, "is_boolean": true, "is_array": true, "is_object": true,
	"is_set": true, "is_null": true, "type_name": true}

// sample returns a term of the type of a leaf.
func (m *Machine) sample(leaf diagram.Node) *ast.Term {
	if t := m.TermOf(leaf); t != nil {
		return t
	}
	switch m.Collection(leaf).Kind {
	case diagram.List:
		return ast.ArrayTerm()
	case diagram.Set:
		return ast.SetTerm()
	}
	return ast.ObjectTerm()
}

// apply calls a built-in function with terms. It is undefined where the function fails, as in the interpreter.
func (m *Machine) apply(name string, call topdown.BuiltinFunc, args []*ast.Term) diagram.Node {
	result := diagram.Undefined
	bctx := topdown.BuiltinContext{Context: context.WithoutCancel(m.ctx), Metrics: metrics.NoOp(), Cancel: topdown.NewCancel(), Cache: builtins.Cache{}}
	err := call(bctx, args, func(t *ast.Term) error {
		result = m.Term(t)
		return nil
	})
	if err != nil {
		if _, halt := err.(topdown.Halt); halt {
			panic(errStopped{fmt.Errorf("%s: %w", name, err)})
		}
		return diagram.Undefined
	}
	return result
}

// boolean returns a condition as a value.
func (m *Machine) boolean(condition, path diagram.Node) diagram.Node {
	return m.Ite(condition, diagram.True, m.no)
}

// structural calls the built-in functions that work on collections whose elements depend on variables.
func (m *Machine) structural(name string, args []diagram.Node, path diagram.Node) (diagram.Node, bool) {
	switch name {
	case "equal", "eq":
		return m.boolean(m.Equal(args[0], args[1]), path), true
	case "neq":
		return m.boolean(m.Not(m.Equal(args[0], args[1])), path), true
	case "internal.member_2":
		return m.boolean(m.Contains(args[1], args[0]), path), true
	case "count":
		counted := m.only(args[0], path, diagram.List, diagram.Set, diagram.Object)
		for _, leaf := range m.Leaves(counted) {
			if leaf != diagram.Undefined && m.Collection(leaf) == nil {
				return diagram.Undefined, false
			}
		}
		return m.Length(counted), true
	case "object.get":
		return m.objectGet(m.only(args[0], path, diagram.Object), args[1], args[2])
	case "object.union":
		a, b := m.only(args[0], path, diagram.Object), m.only(args[1], path, diagram.Object)
		if !m.kind(a, m.Defined(a), diagram.Object) || !m.kind(b, m.Defined(b), diagram.Object) {
			return diagram.Undefined, false
		}
		return m.Merge(a, b, false), true
	case "object.keys":
		return m.Keys(args[0]), true
	case "and":
		return m.Sets(args[0], args[1], m.And), true
	case "or":
		return m.Sets(args[0], args[1], m.Or), true
	case "minus":
		if !m.kind(args[0], path, diagram.Set) || !m.kind(args[1], path, diagram.Set) {
			return diagram.Undefined, false
		}
		return m.Sets(args[0], args[1], m.Except), true
	case "array.slice":
		return m.slice(args)
	case "array.concat":
		return m.concat(args, path)
	}
	return diagram.Undefined, false
}

// only returns a function whose values are collections of some kinds, if that is so on a path; otherwise with the other values too.
// Elsewhere than on the path the function may be anything: it stays as it is where that is simpler.
func (m *Machine) only(n, path diagram.Node, kinds ...diagram.Kind) diagram.Node {
	for _, leaf := range m.Leaves(n) {
		if c := m.Collection(leaf); leaf != diagram.Undefined && (c == nil || !slices.Contains(kinds, c.Kind)) {
			return m.Ite(path, n, diagram.Undefined)
		}
	}
	return n
}

// kind reports whether a function is a collection of a kind wherever a condition holds.
func (m *Machine) kind(n, when diagram.Node, kind diagram.Kind) bool {
	return m.Except(when, m.IsKind(n, kind)) == diagram.False
}

func (m *Machine) objectGet(object, key, otherwise diagram.Node) (diagram.Node, bool) {
	if len(m.Leaves(key)) != 1 || m.TermOf(key) == nil || m.Except(m.Defined(object), m.IsKind(object, diagram.Object)) != diagram.False {
		if m.allSimple(key) && m.Except(m.Defined(object), m.IsKind(object, diagram.Object)) == diagram.False {
			found := m.Lookup(object, key)
			return m.Ite(m.Defined(found), found, otherwise), true
		}
		return diagram.Undefined, false
	}
	path, ok := m.TermOf(key).Value.(*ast.Array)
	found := object
	if !ok {
		found = m.Lookup(object, key)
	} else {
		for i := range path.Len() {
			found = m.Lookup(found, m.Term(path.Elem(i)))
		}
	}
	return m.Ite(m.Defined(found), found, otherwise), true
}

// allSimple reports whether no leaf is a list, which would be a path.
func (m *Machine) allSimple(key diagram.Node) bool {
	for _, leaf := range m.Leaves(key) {
		if leaf != diagram.Undefined && m.Collection(leaf) != nil {
			return false
		}
	}
	return true
}

// slice supports slices from the beginning of lists that are never longer.
func (m *Machine) slice(args []diagram.Node) (diagram.Node, bool) {
	stop, ok := m.number(args[2])
	if from, also := m.number(args[1]); !ok || !also || from != 0 {
		return diagram.Undefined, false
	}
	for _, leaf := range m.Leaves(args[0]) {
		c := m.Collection(leaf)
		if leaf == diagram.Undefined {
			continue
		}
		if c == nil || c.Kind != diagram.List || len(c.Entries) > stop {
			return diagram.Undefined, false
		}
	}
	return args[0], true
}

func (m *Machine) number(n diagram.Node) (int, bool) {
	if !n.IsLeaf() || m.TermOf(n) == nil {
		return 0, false
	}
	v, ok := m.TermOf(n).Value.(ast.Number)
	if !ok {
		return 0, false
	}
	return v.Int()
}

func (m *Machine) concat(args []diagram.Node, path diagram.Node) (diagram.Node, bool) {
	if !m.kind(args[0], path, diagram.List) || !m.kind(args[1], path, diagram.List) {
		return diagram.Undefined, false
	}
	result, second := m.only(args[0], path, diagram.List), m.only(args[1], path, diagram.List)
	for _, leaf := range m.Leaves(second) {
		if leaf == diagram.Undefined {
			continue
		}
		here := m.Is(second, leaf)
		for _, e := range m.Collection(leaf).Entries {
			result = m.Append(result, e.Value, m.And(here, e.When))
		}
	}
	return result, true
}
