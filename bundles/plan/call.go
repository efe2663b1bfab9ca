package plan

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
	"github.com/open-policy-agent/opa/v1/topdown"
)

func (c *code) call(s *ir.CallStmt) error {
	t := c.translator
	delete(t.scope.data, s.Result)
	if f := t.functions[s.Func]; f != nil {
		if len(s.Args) != f.params {
			return fmt.Errorf("call of %s with %d arguments instead of %d", s.Func, len(s.Args), f.params)
		}
		args := t.operands(s.Args)
		c.emit(stepCall(f, args, t.memoIndex(s, args), t.use(s.Result)))
		return nil
	}
	b, err := t.builtin(s)
	if err != nil {
		return err
	}
	args := t.operands(s.Args)
	if c.objectGet(s, b, args) {
		return nil
	}
	c.dropTest(args...)
	switch native := natives[s.Func]; {
	case b.relation:
		c.emit(stepRelation(b, args, t.use(s.Result)))
	case native != nil:
		step := stepNative(native, args, t.use(s.Result), stepBuiltin(b, args, t.use(s.Result)))
		if s.Func == "count" && args[0].from == path {
			step = stepCountAt(args[0].index, t.use(s.Result), step)
		}
		c.emit(step)
	default:
		c.emit(stepBuiltin(b, args, t.use(s.Result)))
	}
	return nil
}

// memoIndex returns the place of a call's value in the memo, or -1 if its value does not depend on the input alone.
func (t *translator) memoIndex(s *ir.CallStmt, args []operand) int {
	if s.Args[0].Value != ir.Val(ir.Input) || s.Args[1].Value != ir.Val(ir.Data) {
		return -1
	}
	key := strings.Builder{}
	key.WriteString(s.Func)
	for _, a := range args[2:] {
		switch a.from {
		case constant:
			fmt.Fprintf(&key, "\x00%T %v", a.term.Value, a.term)
		case path:
			key.WriteString("\x00@" + strconv.Itoa(a.index))
		default:
			return -1
		}
	}
	at, ok := t.memos[key.String()]
	if !ok {
		at = t.program.memoized
		t.memos[key.String()] = at
		t.program.memoized++
	}
	return at
}

func (c *code) callDynamic(s *ir.CallDynamicStmt) {
	t := c.translator
	delete(t.scope.data, s.Result)
	args := make([]operand, len(s.Args))
	for i, a := range s.Args {
		args[i] = t.local(a)
	}
	c.emit(stepCallDynamic(t.paths, t.operands(s.Path), args, t.use(s.Result)))
}

// pathNode is a node of the tree of functions by path.
type pathNode struct {
	function *function
	children map[string]*pathNode
}

func (n *pathNode) add(path []string, f *function) {
	for _, name := range path {
		if n.children == nil {
			n.children = map[string]*pathNode{}
		}
		if n.children[name] == nil {
			n.children[name] = &pathNode{}
		}
		n = n.children[name]
	}
	n.function = f
}

func (n *pathNode) find(path []operand, e *evaluation, l []*ast.Term) *function {
	for i := range path {
		name, ok := value(path[i].load(e, l)).(ast.String)
		if !ok {
			return nil
		}
		if n = n.children[string(name)]; n == nil {
			return nil
		}
	}
	return n.function
}

func stepCall(f *function, args []operand, memoized, result int) step {
	if memoized < 0 {
		return func(e *evaluation, l []*ast.Term) signal {
			v, sig := e.call(f, l, args)
			if sig == next {
				l[result] = v
			}
			return sig
		}
	}
	return func(e *evaluation, l []*ast.Term) signal {
		v := e.memo.values[memoized]
		if v == nil {
			var sig signal
			if v, sig = e.call(f, l, args); sig == failed {
				return failed
			}
			if v == nil {
				v = none
			}
			e.memo.values[memoized] = v
		}
		if v == none {
			return undefined
		}
		l[result] = v
		return next
	}
}

func stepCallDynamic(paths *pathNode, path, args []operand, result int) step {
	return func(e *evaluation, l []*ast.Term) signal {
		f := paths.find(path, e, l)
		if f == nil || f.params != len(args) {
			return undefined
		}
		v, sig := e.call(f, l, args)
		if sig == next {
			l[result] = v
		}
		return sig
	}
}

// builtin is a built-in function at one place of the policy.
type builtin struct {
	call         topdown.BuiltinFunc
	needsContext bool
	relation     bool // it has several results
	at           *ast.Location
}

func (t *translator) builtin(s *ir.CallStmt) (*builtin, error) {
	decl, call := ast.BuiltinMap[s.Func], topdown.GetBuiltin(s.Func)
	if decl == nil || call == nil {
		return nil, fmt.Errorf("built-in function %s is not known", s.Func)
	}
	return &builtin{call: call, needsContext: !decl.CanSkipBctx, relation: decl.Relation, at: t.location(s)}, nil
}

// pushOperands appends the arguments of a built-in function to e.operands. It appends nothing and returns false if one is
// undefined.
func (e *evaluation) pushOperands(l []*ast.Term, args []operand) bool {
	from := len(e.operands)
	for i := range args {
		t := args[i].load(e, l)
		if t == nil {
			e.operands = e.operands[:from]
			return false
		}
		e.operands = append(e.operands, t)
	}
	return true
}

// callBuiltin calls a built-in function and leaves its results in e.outputs. It is undefined if the function fails, as in
// the interpreter's default mode, but for failures that end the evaluation.
func (e *evaluation) callBuiltin(f *builtin, l []*ast.Term, args []operand) signal {
	if e.ctx.Err() != nil {
		return e.fail(ErrCanceled)
	}
	from := len(e.operands)
	if !e.pushOperands(l, args) {
		return undefined
	}
	clear(e.outputs)
	e.outputs = e.outputs[:0]
	var err error
	if f.needsContext {
		bctx := e.context()
		bctx.Location = f.at
		err = f.call(*bctx, e.operands[from:], e.output)
	} else {
		err = f.call(topdown.BuiltinContext{Location: f.at}, e.operands[from:], e.output)
	}
	clear(e.operands[from:])
	e.operands = e.operands[:from]
	if err == nil {
		return next
	}
	if topdown.IsCancel(err) || e.ctx.Err() != nil {
		return e.fail(ErrCanceled)
	}
	if halt, ok := errors.AsType[topdown.Halt](err); ok {
		return e.fail(halt.Err)
	}
	if e.fault == nil {
		e.fault = err
	}
	return undefined
}

func stepBuiltin(f *builtin, args []operand, result int) step {
	return func(e *evaluation, l []*ast.Term) signal {
		if sig := e.callBuiltin(f, l, args); sig != next {
			return sig
		}
		if len(e.outputs) == 0 {
			return undefined
		}
		l[result] = e.outputs[0]
		return next
	}
}

// stepRelation calls a built-in function with several results. Its result is their array.
func stepRelation(f *builtin, args []operand, result int) step {
	return func(e *evaluation, l []*ast.Term) signal {
		if sig := e.callBuiltin(f, l, args); sig != next {
			return sig
		}
		l[result] = ast.ArrayTerm(append([]*ast.Term(nil), e.outputs...)...)
		return next
	}
}
