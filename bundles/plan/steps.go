package plan

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"
)

func value(t *ast.Term) ast.Value {
	if t == nil {
		return nil
	}
	return t.Value
}

func stepReturn(source operand) step {
	return func(e *evaluation, l []*ast.Term) signal {
		e.value = source.load(e, l)
		return returned
	}
}

func stepBreak(index uint32) step {
	sig := signal(index) + 1
	return func(*evaluation, []*ast.Term) signal { return sig }
}

func stepBlocks(blocks [][]step) step {
	if len(blocks) == 1 {
		block := blocks[0]
		return func(e *evaluation, l []*ast.Term) signal {
			return run(block, e, l).leave(1)
		}
	}
	return func(e *evaluation, l []*ast.Term) signal {
		for _, block := range blocks {
			if sig := run(block, e, l).leave(1); sig != next {
				return sig
			}
		}
		return next
	}
}

// stepNot holds if its body does not reach its end.
func stepNot(body []step) step {
	return func(e *evaluation, l []*ast.Term) signal {
		sig := run(body, e, l)
		if sig == next {
			return undefined
		}
		return sig.leave(1)
	}
}

func stepDot(source, key operand, target int) step {
	if source.from == path {
		return stepMember(source.index, key, target)
	}
	return func(e *evaluation, l []*ast.Term) signal {
		s, k := source.load(e, l), key.load(e, l)
		if s == nil || k == nil {
			return undefined
		}
		v := get(s.Value, k)
		if v == nil {
			return undefined
		}
		l[target] = v
		return next
	}
}

// stepMember looks a key up in what is at a path of the input, of which only the member is made into a value.
func stepMember(at int, key operand, target int) step {
	return func(e *evaluation, l []*ast.Term) signal {
		k := key.load(e, l)
		if k == nil {
			return undefined
		}
		v := e.member(at, k)
		if v == nil {
			return undefined
		}
		l[target] = v
		return next
	}
}

// stepAt tests that the value at a path of the input is defined.
func stepAt(at int) step {
	return func(e *evaluation, l []*ast.Term) signal {
		if !e.has(at) {
			return undefined
		}
		return next
	}
}

// stepDotData looks a value up in data, where a number and its text are the same key.
func stepDotData(source, key operand, target int) step {
	return func(e *evaluation, l []*ast.Term) signal {
		s, k := source.load(e, l), key.load(e, l)
		if s == nil || k == nil {
			return undefined
		}
		v := get(s.Value, keyOf(s.Value, k))
		if v == nil {
			return undefined
		}
		l[target] = v
		return next
	}
}

// keyOf returns the key of a value in data for a step of a path.
func keyOf(v ast.Value, key *ast.Term) *ast.Term {
	switch v.(type) {
	case *ast.Array:
		if name, ok := key.Value.(ast.String); ok {
			if i, ok := util.Atoi(string(name)); ok {
				return ast.InternedTerm(i)
			}
		}
	case ast.Object:
		if n, ok := key.Value.(ast.Number); ok {
			return ast.StringTerm(string(n))
		}
	}
	return key
}

func isIndex(name string) bool {
	_, ok := util.Atoi(name)
	return ok
}

func get(v ast.Value, key *ast.Term) *ast.Term {
	switch v := v.(type) {
	case *ast.Array:
		return v.Get(key)
	case ast.Object:
		return v.Get(key)
	case ast.Set:
		if v.Contains(key) {
			return key
		}
	}
	return nil
}

func stepLen(source operand, target int) step {
	return func(e *evaluation, l []*ast.Term) signal {
		n := 0
		switch v := value(source.load(e, l)).(type) {
		case *ast.Array:
			n = v.Len()
		case ast.Object:
			n = v.Len()
		case ast.Set:
			n = v.Len()
		default:
			return undefined
		}
		l[target] = ast.InternedTerm(n)
		return next
	}
}

func equal(a, b *ast.Term) bool {
	return a == b || ast.ValueEqual(a.Value, b.Value)
}

func stepEqual(a, b operand) step {
	if a.from == constant {
		a, b = b, a
	}
	if s, ok := b.text(); ok {
		text := ast.String(s)
		return func(e *evaluation, l []*ast.Term) signal {
			if t := a.load(e, l); t != nil {
				if s, ok := t.Value.(ast.String); ok && s == text {
					return next
				}
			}
			return undefined
		}
	}
	return func(e *evaluation, l []*ast.Term) signal {
		x, y := a.load(e, l), b.load(e, l)
		if x == nil || y == nil || !equal(x, y) {
			return undefined
		}
		return next
	}
}

func stepNotEqual(a, b operand) step {
	return func(e *evaluation, l []*ast.Term) signal {
		x, y := a.load(e, l), b.load(e, l)
		if x == nil || y == nil || equal(x, y) {
			return undefined
		}
		return next
	}
}

func stepNotFalse(a operand) step {
	if a.from == path {
		return func(e *evaluation, _ []*ast.Term) signal {
			if e.find(a.index).inParts() { // an object, which is not made into a value for this
				return next
			}
			return notFalse(e.at(a.index))
		}
	}
	return func(e *evaluation, l []*ast.Term) signal { return notFalse(a.load(e, l)) }
}

func notFalse(t *ast.Term) signal {
	if t == nil {
		return undefined
	}
	if b, ok := t.Value.(ast.Boolean); ok && !bool(b) {
		return undefined
	}
	return next
}

func isArray(v ast.Value) bool  { _, ok := v.(*ast.Array); return ok }
func isObject(v ast.Value) bool { _, ok := v.(ast.Object); return ok }
func isSet(v ast.Value) bool    { _, ok := v.(ast.Set); return ok }

func stepIs(source operand, is func(ast.Value) bool) step {
	return func(e *evaluation, l []*ast.Term) signal {
		if is(value(source.load(e, l))) {
			return next
		}
		return undefined
	}
}

func stepDefined(source int) step {
	return func(e *evaluation, l []*ast.Term) signal {
		if l[source] == nil {
			return undefined
		}
		return next
	}
}

func stepUndefined(source int) step {
	return func(e *evaluation, l []*ast.Term) signal {
		if l[source] != nil {
			return undefined
		}
		return next
	}
}

func stepReset(target int) step {
	return func(e *evaluation, l []*ast.Term) signal {
		l[target] = nil
		return next
	}
}

func stepAssign(source operand, target int) step {
	if source.from == constant {
		return func(e *evaluation, l []*ast.Term) signal {
			l[target] = source.term
			return next
		}
	}
	return func(e *evaluation, l []*ast.Term) signal {
		l[target] = source.load(e, l)
		return next
	}
}

func stepAssignOnce(source operand, target int, at *ast.Location, message string) step {
	return func(e *evaluation, l []*ast.Term) signal {
		v := source.load(e, l)
		if old := l[target]; old != nil && (v == nil || !equal(old, v)) {
			return e.conflict(at, message)
		}
		l[target] = v
		return next
	}
}

// stepRow adds a result of the query.
func stepRow(values []operand) step {
	return func(e *evaluation, l []*ast.Term) signal {
		for i := range values {
			e.rows = append(e.rows, values[i].load(e, l))
		}
		if len(values) == 0 {
			e.rows = append(e.rows, nil) // a result without variables
		}
		return next
	}
}
