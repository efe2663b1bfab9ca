package explore

import (
	"github.com/open-policy-agent/opa/v1/ir"

	"github.com/wardkeeper/wardkeeper/pdp/proof/diagram"
)

// frame is a function in progress.
type frame struct {
	m      *Machine
	f      *function
	in     *invocation
	locals []diagram.Node
	result diagram.Node
	made   map[ir.Local]diagram.Node // the path on which a collection was made that only cases of that path read
}

// gone has the cases that left a block otherwise than by its end or by a statement without a value: by a return, or to leave n+1
// blocks around it.
type gone struct {
	returned diagram.Node
	breaks   []diagram.Node
}

var nobody = gone{returned: diagram.False}

func (g *gone) add(m *Machine, other gone) {
	g.returned = m.Or(g.returned, other.returned)
	for i, n := range other.breaks {
		g.leave(m, i, n)
	}
}

func (g *gone) leave(m *Machine, blocks int, when diagram.Node) {
	if when == diagram.False {
		return
	}
	breaks := append([]diagram.Node(nil), g.breaks...)
	for len(breaks) <= blocks {
		breaks = append(breaks, diagram.False)
	}
	breaks[blocks] = m.Or(breaks[blocks], when)
	g.breaks = breaks
}

// all returns all cases that are gone.
func (g gone) all(m *Machine) diagram.Node {
	all := g.returned
	for _, n := range g.breaks {
		all = m.Or(all, n)
	}
	return all
}

// block runs the statements of a block. It returns the cases that reach its end and those that are gone.
func (fr *frame) block(b *ir.Block, path diagram.Node) (end diagram.Node, left gone) {
	return fr.statements(b.Stmts, path)
}

func (fr *frame) statements(all []ir.Stmt, path diagram.Node) (end diagram.Node, left gone) {
	left = nobody
	for _, s := range all {
		if path == diagram.False {
			return path, left
		}
		before := path
		path = fr.statement(s, path, &left)
		fr.in.trace = append(fr.in.trace, visit{s, before, path})
	}
	return path, left
}

// nested runs blocks one after another. It returns the cases that continue behind them.
func (fr *frame) nested(blocks []*ir.Block, path diagram.Node, left *gone) diagram.Node {
	for _, b := range blocks {
		if path == diagram.False {
			break
		}
		_, inner := fr.block(b, path)
		path = fr.m.Except(path, inner.all(fr.m))
		if len(inner.breaks) > 1 {
			left.add(fr.m, gone{diagram.False, inner.breaks[1:]})
		}
		left.returned = fr.m.Or(left.returned, inner.returned)
		// What leaves the block around this statement has no value there: it is not gone, and does not continue.
	}
	return path
}

// operand returns the value that a statement reads in the cases of a path. A local that is set in several places may hold what other
// cases have there, which would make it large for nothing.
func (fr *frame) operand(o ir.Operand, path diagram.Node) diagram.Node {
	switch v := o.Value.(type) {
	case ir.StringIndex:
		return fr.m.strings[v]
	case ir.Bool:
		if v {
			return diagram.True
		}
		return fr.m.no
	case ir.Local:
		return fr.local(v, path)
	}
	return diagram.Undefined
}

func (fr *frame) local(l ir.Local, path diagram.Node) diagram.Node {
	if fr.f.plain[l] {
		return fr.locals[l]
	}
	return fr.m.Ite(path, fr.locals[l], diagram.Undefined)
}

// set sets a local in the cases of a path.
func (fr *frame) set(l ir.Local, v, path diagram.Node) {
	if fr.f.plain[l] {
		fr.locals[l] = v
		return
	}
	fr.locals[l] = fr.m.Ite(path, v, fr.locals[l])
}

// statement runs a statement in the cases of a path. It returns the cases that continue with the next one.
func (fr *frame) statement(s ir.Stmt, path diagram.Node, left *gone) diagram.Node {
	m := fr.m
	switch s := s.(type) {
	case *ir.NopStmt:
	case *ir.ReturnLocalStmt:
		fr.result = m.Ite(path, fr.local(s.Source, path), fr.result)
		left.returned = m.Or(left.returned, path)
		return diagram.False
	case *ir.BreakStmt:
		if s.Index > 0 {
			left.leave(m, int(s.Index)-1, path)
		}
		return diagram.False
	case *ir.BlockStmt:
		return fr.nested(s.Blocks, path, left)
	case *ir.ScanStmt:
		return fr.scan(s, path, left)
	case *ir.NotStmt:
		return fr.not(s, path, left)
	case *ir.WithStmt:
		return fr.with(s, path, left)
	case *ir.CallStmt:
		return fr.call(s, path)
	case *ir.CallDynamicStmt:
		return fr.callDynamic(s, path)
	case *ir.DotStmt:
		return fr.dot(s, path)
	case *ir.LenStmt:
		v := m.Length(fr.operand(s.Source, path))
		fr.set(s.Target, v, path)
		return m.And(path, m.Defined(v))
	case *ir.EqualStmt:
		return m.And(path, m.Equal(fr.operand(s.A, path), fr.operand(s.B, path)))
	case *ir.NotEqualStmt:
		a, b := fr.operand(s.A, path), fr.operand(s.B, path)
		path = m.And(path, m.Defined(a))
		path = m.And(path, m.Defined(b))
		return m.Except(path, m.Equal(a, b))
	case *ir.IsArrayStmt:
		return m.And(path, m.IsKind(fr.operand(s.Source, path), diagram.List))
	case *ir.IsObjectStmt:
		return m.And(path, m.IsKind(fr.operand(s.Source, path), diagram.Object))
	case *ir.IsSetStmt:
		return m.And(path, m.IsKind(fr.operand(s.Source, path), diagram.Set))
	case *ir.IsDefinedStmt:
		return m.And(path, m.Defined(fr.locals[s.Source]))
	case *ir.IsUndefinedStmt:
		return m.Except(path, m.Defined(fr.locals[s.Source]))
	default:
		return fr.assignment(s, path)
	}
	return path
}

func (fr *frame) assignment(s ir.Stmt, path diagram.Node) diagram.Node {
	m := fr.m
	switch s := s.(type) {
	case *ir.ResetLocalStmt:
		fr.set(s.Target, diagram.Undefined, path)
	case *ir.AssignVarStmt:
		fr.set(s.Target, fr.operand(s.Source, path), path)
	case *ir.AssignVarOnceStmt:
		old, v := fr.local(s.Target, path), fr.operand(s.Source, path)
		conflict := m.Except(m.And(path, m.Defined(old)), m.Equal(old, v))
		fr.fails(conflict, "rules contradict each other", s)
		path = m.Except(path, conflict)
		fr.set(s.Target, v, path)
	case *ir.AssignIntStmt:
		fr.set(s.Target, m.Int(int(s.Value)), path)
	case *ir.MakeNullStmt:
		fr.set(s.Target, m.Term(null), path)
	case *ir.MakeNumberIntStmt:
		fr.set(s.Target, m.Int(int(s.Value)), path)
	case *ir.MakeNumberRefStmt:
		fr.set(s.Target, m.Term(m.code.number(s.Index)), path)
	case *ir.MakeArrayStmt:
		fr.make(diagram.List, s.Target, path)
	case *ir.MakeObjectStmt:
		fr.make(diagram.Object, s.Target, path)
	case *ir.MakeSetStmt:
		fr.make(diagram.Set, s.Target, path)
	default:
		return fr.collect(s, path)
	}
	return path
}

func (fr *frame) make(kind diagram.Kind, target ir.Local, path diagram.Node) {
	fr.set(target, fr.m.Make(kind, nil), path)
	if fr.f.plain[target] {
		if fr.made == nil {
			fr.made = map[ir.Local]diagram.Node{}
		}
		fr.made[target] = path
	}
}

// adding returns the condition of an element that is added to a collection on a path: none, if the collection was made on that very
// path and no other case reads it.
func (fr *frame) adding(to ir.Local, path diagram.Node) diagram.Node {
	if made, ok := fr.made[to]; ok && made == path {
		return diagram.True
	}
	return path
}

func (fr *frame) collect(s ir.Stmt, path diagram.Node) diagram.Node {
	m := fr.m
	switch s := s.(type) {
	case *ir.ArrayAppendStmt:
		fr.locals[s.Array] = m.Append(fr.locals[s.Array], fr.operand(s.Value, path), fr.adding(s.Array, path))
	case *ir.ObjectInsertStmt:
		fr.locals[s.Object] = m.Insert(fr.locals[s.Object], fr.operand(s.Key, path), fr.operand(s.Value, path), fr.adding(s.Object, path))
	case *ir.ObjectInsertOnceStmt:
		key, v := fr.operand(s.Key, path), fr.operand(s.Value, path)
		old := m.Lookup(fr.local(s.Object, path), key)
		conflict := m.Except(m.And(path, m.Defined(old)), m.Equal(old, v))
		fr.fails(conflict, "a key of an object has several values", s)
		path = m.Except(path, conflict)
		fr.locals[s.Object] = m.Insert(fr.locals[s.Object], key, v, path)
	case *ir.SetAddStmt:
		fr.locals[s.Set] = m.Add(fr.locals[s.Set], fr.operand(s.Value, path), fr.adding(s.Set, path))
	case *ir.ObjectMergeStmt:
		fr.set(s.Target, m.Merge(fr.local(s.A, path), fr.local(s.B, path), true), path)
	default:
		fr.undecided(path, unsupported(s), s)
		return diagram.False
	}
	return path
}
