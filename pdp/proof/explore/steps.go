package explore

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"

	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
)

var null = ast.NullTerm()

// scan runs a block for each element that a collection can have, in the cases in which it has it. Leaving the block continues with the
// next element, and leaving one block more ends the scan.
func (fr *frame) scan(s *ir.ScanStmt, path diagram.Node, left *gone) diagram.Node {
	m := fr.m
	source := fr.local(s.Source, path)
	rest := diagram.False // the cases that continue behind the scan
	for _, leaf := range m.Leaves(source) {
		here := m.And(path, m.Is(source, leaf))
		if here == diagram.False {
			continue
		}
		if leaf != diagram.Undefined {
			here = fr.scanOne(s, leaf, here, left)
		}
		rest = m.Or(rest, here)
	}
	return rest
}

func (fr *frame) scanOne(s *ir.ScanStmt, leaf, path diagram.Node, left *gone) diagram.Node {
	m := fr.m
	c := m.Collection(leaf)
	if c == nil {
		return path
	}
	at, ended := m.Int(0), diagram.False
	for _, e := range c.Entries {
		when := m.And(path, e.When)
		if c.Kind == diagram.List {
			e.Key = at
			if fr.f.read[s.Key] {
				at = m.Ite(e.When, m.Increased(at), at)
			}
		}
		if when == diagram.False {
			continue
		}
		fr.set(s.Key, e.Key, when)
		fr.set(s.Value, e.Value, when)
		_, inner := fr.block(s.Block, when)
		left.returned = m.Or(left.returned, inner.returned)
		if len(inner.breaks) > 0 {
			ended = m.Or(ended, inner.breaks[0])
		}
		if len(inner.breaks) > 2 {
			left.add(m, gone{diagram.False, inner.breaks[2:]})
		}
		path = m.Except(path, inner.all(m))
	}
	return m.Or(path, ended)
}

// not continues in the cases that do not reach the end of its block. A plan tests at the end whether anything held by a local that
// it never resets: it is reset here, and the test comes after a block of its own, as in package plan.
func (fr *frame) not(s *ir.NotStmt, path diagram.Node, left *gone) diagram.Node {
	m, stmts := fr.m, s.Block.Stmts
	var end diagram.Node
	var inner gone
	test, tested := lastTest(stmts)
	if tested {
		fr.set(test.Source, diagram.Undefined, path)
		in := nobody
		behind := fr.nested([]*ir.Block{{Stmts: stmts[:len(stmts)-1]}}, path, &in)
		end, inner = m.And(behind, m.Defined(fr.locals[test.Source])), in
	} else {
		end, inner = fr.block(s.Block, path)
	}
	left.returned = m.Or(left.returned, inner.returned)
	away := m.Or(end, inner.returned)
	if len(inner.breaks) > 0 { // one block more is the block around this statement
		for _, n := range inner.breaks {
			away = m.Or(away, n)
		}
		left.add(m, gone{diagram.False, inner.breaks[1:]})
	}
	return m.Except(path, away)
}

func lastTest(stmts []ir.Stmt) (*ir.IsDefinedStmt, bool) {
	if len(stmts) == 0 {
		return nil, false
	}
	test, ok := stmts[len(stmts)-1].(*ir.IsDefinedStmt)
	return test, ok
}

// with runs a block with another input.
func (fr *frame) with(s *ir.WithStmt, path diagram.Node, left *gone) diagram.Node {
	m := fr.m
	if s.Local != ir.Input {
		fr.undecided(path, "the keyword with replaces data", s)
		return diagram.False
	}
	old := fr.locals[s.Local]
	fr.locals[s.Local] = fr.replace(old, s.Path, fr.operand(s.Value, path))
	end, inner := fr.block(s.Block, path)
	fr.locals[s.Local] = old
	left.returned = m.Or(left.returned, inner.returned)
	if len(inner.breaks) > 1 {
		left.add(m, gone{diagram.False, inner.breaks[1:]})
	}
	return end
}

func (fr *frame) replace(document diagram.Node, path []int, v diagram.Node) diagram.Node {
	m := fr.m
	if len(path) == 0 {
		return v
	}
	key := m.strings[path[0]]
	document = m.Ite(m.IsKind(document, diagram.Object), document, m.Make(diagram.Object, nil))
	return m.Insert(document, key, fr.replace(m.Lookup(document, key), path[1:], v), diagram.True)
}

func (fr *frame) dot(s *ir.DotStmt, path diagram.Node) diagram.Node {
	m := fr.m
	source, key := fr.operand(s.Source, path), fr.operand(s.Key, path)
	if when := m.And(path, fr.mismatch(source, key)); when != diagram.False {
		// A number and its text are the same key where data is looked up, and not elsewhere.
		fr.undecided(when, "a collection is looked up by a number or a text of one", s)
		path = m.Except(path, when)
	}
	v := m.Lookup(source, key)
	fr.set(s.Target, v, path)
	return m.And(path, m.Defined(v))
}

// mismatch returns where a list is looked up by the text of a number, or an object by a number.
func (fr *frame) mismatch(source, key diagram.Node) diagram.Node {
	m := fr.m
	found := diagram.False
	for _, k := range m.Leaves(key) {
		t := m.TermOf(k)
		if t == nil {
			continue
		}
		var kind diagram.Kind
		switch v := t.Value.(type) {
		case ast.Number:
			kind = diagram.Object
		case ast.String:
			if strings.Trim(string(v), "0123456789") != "" || v == "" {
				continue
			}
			kind = diagram.List
		default:
			continue
		}
		found = m.Or(found, m.And(m.Is(key, k), m.IsKind(source, kind)))
	}
	return found
}

func (fr *frame) call(s *ir.CallStmt, path diagram.Node) diagram.Node {
	m := fr.m
	args := make([]diagram.Node, len(s.Args))
	for i, a := range s.Args {
		args[i] = fr.operand(a, path)
	}
	var v diagram.Node
	if f := m.code.functions[s.Func]; f != nil {
		v = fr.callFunction(f, args, path)
	} else {
		for _, a := range args {
			path = m.And(path, m.Defined(a))
		}
		v, path = fr.builtin(s, args, path)
	}
	fr.set(s.Result, v, path)
	return m.And(path, m.Defined(v))
}

// callDynamic calls a rule whose path depends on the case.
func (fr *frame) callDynamic(s *ir.CallDynamicStmt, path diagram.Node) diagram.Node {
	m := fr.m
	args := make([]diagram.Node, len(s.Args))
	for i, a := range s.Args {
		args[i] = fr.local(a, path)
	}
	paths := make([]diagram.Node, len(s.Path))
	for i, p := range s.Path {
		paths[i] = fr.operand(p, path)
	}
	result := diagram.Undefined
	var visit func(names []string, when diagram.Node)
	visit = func(names []string, when diagram.Node) {
		if when == diagram.False {
			return
		}
		if len(names) == len(paths) {
			if f := m.code.paths[strings.Join(names, "\x00")]; f != nil {
				result = m.Ite(when, fr.callFunction(f, args, when), result)
			}
			return
		}
		p := paths[len(names)]
		for _, leaf := range m.Leaves(p) {
			if t := m.TermOf(leaf); t != nil {
				if name, ok := t.Value.(ast.String); ok {
					visit(append(slices.Clone(names), string(name)), m.And(when, m.Is(p, leaf)))
				}
			}
		}
	}
	visit(nil, path)
	fr.set(s.Result, result, path)
	return m.And(path, m.Defined(result))
}
