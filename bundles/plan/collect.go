package plan

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
)

// list is an array under construction, because OPA's arrays are copied by every append. A local holds it until it is read, which
// operands from [array] do.
type list struct {
	ast.Value // nil: no method of it is ever called
	elems     []*ast.Term
}

func (b *list) term() *ast.Term { return ast.ArrayTerm(b.elems...) }

type collection uint8

const (
	makeArray collection = iota
	makeObject
	makeSet
)

// literal makes a collection of values that are known when it is made.
type literal struct {
	of         collection
	target     int
	mixed      bool
	keys, vals []operand
}

func (c *code) make(of collection, target int, mixed bool) {
	c.instructions = append(c.instructions, instruction{kind: makesCollection, made: &literal{of: of, target: target, mixed: mixed}})
}

func (c *code) insert(of collection, key, val operand, target int, mixed bool, at *ast.Location) {
	if last := c.last(); last.kind == makesCollection && last.made.of == of && last.made.target == target && !mixed {
		if !key.inFrameAt(target) && !val.inFrameAt(target) {
			last.made.keys, last.made.vals = append(last.made.keys, key), append(last.made.vals, val)
			return
		}
	}
	switch of {
	case makeArray:
		c.emit(stepAppend(val, target))
	case makeObject:
		c.emit(stepInsert(key, val, target, mixed, at))
	case makeSet:
		c.emit(stepAdd(val, target, mixed, at))
	}
}

func (m *literal) step() step {
	vals, target := m.vals, m.target
	if len(vals) == 0 && m.of != makeArray {
		empty := emptySet
		if m.of == makeObject {
			empty = emptyObject
		}
		return func(_ *evaluation, l []*ast.Term) signal {
			l[target] = empty
			return next
		}
	}
	switch m.of {
	case makeArray:
		return func(e *evaluation, l []*ast.Term) signal {
			elems := make([]*ast.Term, len(vals))
			for i := range vals {
				elems[i] = vals[i].load(e, l)
			}
			l[target] = &ast.Term{Value: &list{elems: elems}}
			return next
		}
	case makeSet:
		return func(e *evaluation, l []*ast.Term) signal {
			elems := make([]*ast.Term, len(vals), max(len(vals), 4))
			for i := range vals {
				elems[i] = vals[i].load(e, l)
			}
			l[target] = e.made(ast.SetTerm(elems...), m.mixed)
			return next
		}
	}
	keys := m.keys
	if !distinct(keys) {
		return func(e *evaluation, l []*ast.Term) signal {
			o := ast.NewObject()
			for i := range keys {
				o = put(o, keys[i].load(e, l), vals[i].load(e, l)) // NewObject would keep both values of a key
			}
			l[target] = e.made(ast.NewTerm(o), m.mixed)
			return next
		}
	}
	return func(e *evaluation, l []*ast.Term) signal {
		items := make([][2]*ast.Term, len(keys))
		for i := range keys {
			items[i] = [2]*ast.Term{keys[i].load(e, l), vals[i].load(e, l)}
		}
		l[target] = e.made(ast.ObjectTerm(items...), m.mixed)
		return next
	}
}

// distinct reports whether keys are known to differ.
func distinct(keys []operand) bool {
	seen := map[string]bool{}
	for _, k := range keys {
		text, ok := k.text()
		if len(keys) > 1 && (!ok || seen[text]) {
			return false
		}
		seen[text] = true
	}
	return true
}

// fold recognizes a collection of constants, which is made once, when the policy is compiled. It returns the number of
// statements that make it.
func (c *code) fold(stmts []ir.Stmt) int {
	t := c.translator
	var target ir.Local
	var items []*ast.Term
	switch s := stmts[0].(type) {
	case *ir.MakeArrayStmt:
		target = s.Target
	case *ir.MakeObjectStmt:
		target = s.Target
	case *ir.MakeSetStmt:
		target = s.Target
	default:
		return 0
	}
	changes := t.scope.changed[target]
	if t.scope.set[target] != 1 || t.scope.tested[target] || len(stmts) <= changes {
		return 0
	}
	for _, s := range stmts[1 : 1+changes] {
		var key, val operand
		switch s := s.(type) {
		case *ir.ArrayAppendStmt:
			if s.Array != target {
				return 0
			}
			val = t.operand(s.Value)
		case *ir.ObjectInsertStmt:
			if s.Object != target {
				return 0
			}
			if key = t.operand(s.Key); key.from != constant {
				return 0
			}
			items, val = append(items, key.term), t.operand(s.Value)
		case *ir.SetAddStmt:
			if s.Set != target {
				return 0
			}
			val = t.operand(s.Value)
		default:
			return 0
		}
		if val.from != constant {
			return 0
		}
		items = append(items, val.term)
	}
	var made *ast.Term
	switch stmts[0].(type) {
	case *ir.MakeArrayStmt:
		made = ast.ArrayTerm(items...)
	case *ir.MakeSetStmt:
		made = ast.SetTerm(items...)
	default:
		o := ast.NewObject()
		for i := 0; i < len(items); i += 2 {
			o = put(o, items[i], items[i+1])
		}
		made = ast.NewTerm(o)
	}
	t.scope.known[target] = constantOf(made)
	return 1 + changes
}

func stepAppend(v operand, array int) step {
	return func(e *evaluation, l []*ast.Term) signal {
		t := v.load(e, l)
		switch a := value(l[array]).(type) {
		case *list:
			a.elems = append(a.elems, t)
		case *ast.Array: // it was read, so that others may hold it, and OPA's Append may write behind its end
			elems := make([]*ast.Term, 0, a.Len()+1)
			a.Foreach(func(elem *ast.Term) { elems = append(elems, elem) })
			l[array] = &ast.Term{Value: &list{elems: append(elems, t)}}
		default:
			return undefined
		}
		return next
	}
}

// notUnique is what the interpreter says of a key with several values, which may be a set and something else.
const notUnique = "object keys must be unique"

// made remembers that a collection belongs to this evaluation, if others can be in the same local.
func (e *evaluation) made(t *ast.Term, mixed bool) *ast.Term {
	if mixed {
		if e.owned == nil {
			e.owned = map[*ast.Term]bool{}
		}
		e.owned[t] = true
	}
	return t
}

// Many collections stay empty: all begin as these, which own replaces before it is changed.
var emptySet, emptyObject = ast.SetTerm(), ast.ObjectTerm()

// own returns a local's collection, which is copied first if it does not belong to this evaluation.
func (e *evaluation) own(l []*ast.Term, local int, mixed bool) ast.Value {
	t := l[local]
	if t == nil {
		return nil
	}
	if t != emptySet && t != emptyObject && (!mixed || e.owned[t]) {
		return t.Value
	}
	switch v := t.Value.(type) {
	case ast.Object:
		t = e.made(ast.NewTerm(shallow(v)), mixed)
	case ast.Set:
		t = e.made(ast.NewTerm(ast.NewSet(v.Slice()...)), mixed)
	}
	l[local] = t
	return t.Value
}

// shallow copies an object but not its members.
func shallow(o ast.Object) ast.Object {
	items := make([][2]*ast.Term, 0, o.Len())
	o.Foreach(func(k, v *ast.Term) { items = append(items, [2]*ast.Term{k, v}) })
	return ast.NewObject(items...)
}

// put sets a member of an object. OPA's Insert, if it replaces a value, loses members whose keys have the same hash, as []
// and {} have: a new object is made.
func put(o ast.Object, key, val *ast.Term) ast.Object {
	if o.Get(key) == nil {
		o.Insert(key, val)
		return o
	}
	items := make([][2]*ast.Term, 0, o.Len())
	o.Foreach(func(k, v *ast.Term) {
		if equal(k, key) {
			v = val
		}
		items = append(items, [2]*ast.Term{k, v})
	})
	return ast.NewObject(items...)
}

func stepInsert(key, val operand, object int, mixed bool, at *ast.Location) step {
	return func(e *evaluation, l []*ast.Term) signal {
		o, ok := e.own(l, object, mixed).(ast.Object)
		if !ok {
			return e.conflict(at, notUnique)
		}
		if with := put(o, key.load(e, l), val.load(e, l)); with != o {
			delete(e.owned, l[object]) // so that it can be collected
			l[object] = e.made(ast.NewTerm(with), mixed)
		}
		return next
	}
}

func stepInsertOnce(key, val operand, object int, mixed bool, at *ast.Location) step {
	return func(e *evaluation, l []*ast.Term) signal {
		o, ok := e.own(l, object, mixed).(ast.Object)
		if !ok {
			return e.conflict(at, notUnique)
		}
		k, v := key.load(e, l), val.load(e, l)
		switch old := o.Get(k); {
		case old == nil:
			o.Insert(k, v)
		case !equal(old, v):
			return e.conflict(at, notUnique)
		}
		return next
	}
}

func stepAdd(v operand, set int, mixed bool, at *ast.Location) step {
	return func(e *evaluation, l []*ast.Term) signal {
		s, ok := e.own(l, set, mixed).(ast.Set)
		if !ok {
			return e.conflict(at, notUnique)
		}
		s.Add(v.load(e, l))
		return next
	}
}

// stepMerge joins data with the rules beneath the same path.
func stepMerge(a, b operand, target int) step {
	return func(e *evaluation, l []*ast.Term) signal {
		l[target] = merge(a.load(e, l), b.load(e, l))
		return next
	}
}

// merge joins two objects. Where both have a value that is not an object, data wins, as in the interpreter.
func merge(a, b *ast.Term) *ast.Term {
	x, ok := value(a).(ast.Object)
	y, also := value(b).(ast.Object)
	if !ok || !also {
		return a
	}
	out := shallow(x)
	y.Foreach(func(k, v *ast.Term) {
		if old := out.Get(k); old != nil {
			v = merge(old, v)
		}
		out = put(out, k, v)
	})
	return ast.NewTerm(out)
}
