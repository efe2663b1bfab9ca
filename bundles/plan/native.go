package plan

import (
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
)

// predicates are the built-in functions with a Boolean result that is found without a call of OPA.
var predicates = map[string]func(a, b *ast.Term) bool{
	"equal":             equal,
	"neq":               func(a, b *ast.Term) bool { return !equal(a, b) },
	"lt":                func(a, b *ast.Term) bool { return ast.Compare(a.Value, b.Value) < 0 },
	"lte":               func(a, b *ast.Term) bool { return ast.Compare(a.Value, b.Value) <= 0 },
	"gt":                func(a, b *ast.Term) bool { return ast.Compare(a.Value, b.Value) > 0 },
	"gte":               func(a, b *ast.Term) bool { return ast.Compare(a.Value, b.Value) >= 0 },
	"internal.member_2": isMember,
}

func isMember(elem, of *ast.Term) bool {
	switch of := of.Value.(type) {
	case ast.Set:
		return of.Contains(elem)
	case *ast.Array:
		for i := range of.Len() {
			if equal(of.Elem(i), elem) {
				return true
			}
		}
	case ast.Object:
		return of.Until(func(_, v *ast.Term) bool { return equal(v, elem) })
	}
	return false
}

// condition recognizes a built-in predicate whose result is only tested. It returns the number of statements.
func (c *code) condition(stmts []ir.Stmt) int {
	t := c.translator
	if len(stmts) < 2 {
		return 0
	}
	call, ok := stmts[0].(*ir.CallStmt)
	test, also := stmts[1].(*ir.NotEqualStmt)
	if !ok || !also || t.functions[call.Func] != nil || predicates[call.Func] == nil || len(call.Args) != 2 ||
		test.A.Value != ir.Val(call.Result) || test.B.Value != ir.Val(ir.Bool(false)) || t.scope.read[call.Result] != 1 {
		return 0
	}
	a, b := t.operand(call.Args[0]), t.operand(call.Args[1])
	c.dropTest(a, b)
	c.emit(stepPredicate(predicates[call.Func], a, b))
	return 2
}

// perPoll is how many elements are compared in about the time of a call.
const perPoll = 16

// length returns the number of elements of an array or object, which may all have to be compared.
func length(v ast.Value) int {
	switch v := v.(type) {
	case *ast.Array:
		return v.Len()
	case ast.Object:
		return v.Len()
	}
	return 0
}

func stepPredicate(holds func(a, b *ast.Term) bool, a, b operand) step {
	return func(e *evaluation, l []*ast.Term) signal {
		x, y := a.load(e, l), b.load(e, l)
		if x == nil || y == nil {
			return undefined
		}
		if n := length(y.Value); n > perPoll && e.canceledAfter(n/perPoll) {
			return e.fail(ErrCanceled)
		}
		if !holds(x, y) {
			return undefined
		}
		return next
	}
}

// natives are the built-in functions whose common results are found without a call of OPA; nil if this is not one.
var natives = map[string]func(args []*ast.Term) *ast.Term{
	"count":      count,
	"object.get": objectGet,
}

// objectGet recognizes object.get of a path of the input that is known now. It returns false if this is something else.
func (c *code) objectGet(s *ir.CallStmt, b *builtin, args []operand) bool {
	t := c.translator
	if s.Func != "object.get" || t.scope.set[ir.Input] != 1 || args[0].from != whole && args[0].from != path || args[1].from != constant {
		return false
	}
	keys := []*ast.Term{args[1].term}
	if list, ok := args[1].term.Value.(*ast.Array); ok {
		keys = keys[:0]
		list.Foreach(func(key *ast.Term) { keys = append(keys, key) })
	}
	at := args[0]
	for _, key := range keys {
		name, ok := constantOf(key).text()
		if !ok {
			return false
		}
		at = operand{from: path, index: t.pathIndex(at, name, key)}
	}
	if at.from != path {
		return false
	}
	c.emit(stepObjectGet(args[0], at, args[2], t.use(s.Result), stepBuiltin(b, args, t.use(s.Result))))
	return true
}

func stepObjectGet(object, at, otherwise operand, result int, fail step) step {
	return func(e *evaluation, l []*ast.Term) signal {
		if !e.isObject(object) {
			return fail(e, l)
		}
		v := e.at(at.index)
		if v == nil {
			v = otherwise.load(e, l)
		}
		if v == nil {
			return undefined
		}
		l[result] = v
		return next
	}
}

func objectGet(args []*ast.Term) *ast.Term {
	o, ok := args[0].Value.(ast.Object)
	if !ok || isArray(args[1].Value) {
		return nil
	}
	if v := o.Get(args[1]); v != nil {
		return v
	}
	return args[2]
}

func count(args []*ast.Term) *ast.Term {
	switch v := args[0].Value.(type) {
	case *ast.Array:
		return ast.InternedTerm(v.Len())
	case ast.Object:
		return ast.InternedTerm(v.Len())
	case ast.Set:
		return ast.InternedTerm(v.Len())
	case ast.String:
		return ast.InternedTerm(utf8.RuneCountInString(string(v)))
	}
	return nil
}

// stepCountAt counts the members of an object of the input that is not made into a value for this.
func stepCountAt(at, result int, otherwise step) step {
	return func(e *evaluation, l []*ast.Term) signal {
		if in := e.find(at); in.inParts() {
			l[result] = ast.InternedTerm(in.object.Len())
			return next
		}
		return otherwise(e, l)
	}
}

// stepNative calls OPA where the native function has no result.
func stepNative(native func([]*ast.Term) *ast.Term, args []operand, result int, otherwise step) step {
	return func(e *evaluation, l []*ast.Term) signal {
		from := len(e.operands)
		if !e.pushOperands(l, args) {
			return undefined
		}
		v := native(e.operands[from:])
		e.operands = e.operands[:from]
		if v == nil {
			return otherwise(e, l)
		}
		l[result] = v
		return next
	}
}
