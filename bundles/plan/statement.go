package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
)

// block translates the statements of a block.
func (t *translator) block(b *ir.Block) ([]instruction, error) {
	c := &code{translator: t}
	for i := 0; i < len(b.Stmts); {
		n, err := c.next(b.Stmts[i:])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.location(b.Stmts[i]), err)
		}
		i += n
	}
	return c.instructions, nil
}

// next translates one statement, or several that are one together. It returns how many.
func (c *code) next(stmts []ir.Stmt) (int, error) {
	if n := c.row(stmts); n > 0 {
		return n, nil
	}
	if n := c.fold(stmts); n > 0 {
		return n, nil
	}
	if n := c.condition(stmts); n > 0 {
		return n, nil
	}
	return 1, c.statement(stmts[0])
}

// statement translates one statement.
func (c *code) statement(s ir.Stmt) error {
	t := c.translator
	switch s := s.(type) {
	case *ir.NopStmt:
	case *ir.ReturnLocalStmt:
		c.emit(stepReturn(t.local(s.Source)))
	case *ir.BreakStmt:
		c.emit(stepBreak(s.Index))
	case *ir.BlockStmt:
		return c.nested(s)
	case *ir.ScanStmt:
		return c.scan(s)
	case *ir.NotStmt:
		return c.not(s)
	case *ir.WithStmt:
		return c.with(s)
	case *ir.CallStmt:
		return c.call(s)
	case *ir.CallDynamicStmt:
		c.callDynamic(s)
	case *ir.DotStmt:
		c.dot(s)
	case *ir.LenStmt:
		c.emit(stepLen(t.operand(s.Source), t.use(s.Target)))
	case *ir.EqualStmt:
		c.equal(t.operand(s.A), t.operand(s.B))
	case *ir.NotEqualStmt:
		c.notEqual(t.operand(s.A), t.operand(s.B))
	case *ir.IsArrayStmt:
		c.is(s.Source, isArray)
	case *ir.IsObjectStmt:
		c.is(s.Source, isObject)
	case *ir.IsSetStmt:
		c.is(s.Source, isSet)
	case *ir.IsDefinedStmt:
		c.emit(stepDefined(t.use(s.Source)))
	case *ir.IsUndefinedStmt:
		c.emit(stepUndefined(t.use(s.Source)))
	case *ir.ResetLocalStmt:
		c.emit(stepReset(t.use(s.Target)))
	case *ir.AssignVarStmt:
		c.assign(s.Target, t.operand(s.Source))
	case *ir.AssignVarOnceStmt:
		if t.only != nil && t.use(s.Target) == t.result && s.Source.Value == t.only {
			c.emit(stepReturn(t.operand(s.Source)))
			return nil
		}
		c.emit(stepAssignOnce(t.operand(s.Source), t.use(s.Target), t.location(s), t.conflict()))
	case *ir.AssignIntStmt:
		c.assign(s.Target, constantOf(ast.InternedTerm(int(s.Value))))
	case *ir.MakeNullStmt:
		c.assign(s.Target, constantOf(ast.InternedNullTerm))
	case *ir.MakeNumberIntStmt:
		c.assign(s.Target, constantOf(ast.InternedTerm(int(s.Value))))
	case *ir.MakeNumberRefStmt:
		c.assign(s.Target, constantOf(ast.NumberTerm(json.Number(t.policy.Static.Strings[s.Index].Value))))
	default:
		return c.collection(s)
	}
	return nil
}

// collection translates the statements that build arrays, objects and sets.
func (c *code) collection(s ir.Stmt) error {
	t := c.translator
	switch s := s.(type) {
	case *ir.MakeArrayStmt:
		c.make(makeArray, t.use(s.Target), false)
	case *ir.MakeObjectStmt:
		c.make(makeObject, t.use(s.Target), t.scope.mixed(s.Target))
	case *ir.MakeSetStmt:
		c.make(makeSet, t.use(s.Target), t.scope.mixed(s.Target))
	case *ir.ArrayAppendStmt:
		c.insert(makeArray, operand{}, t.operand(s.Value), t.use(s.Array), false, t.location(s))
	case *ir.ObjectInsertStmt:
		c.insert(makeObject, t.operand(s.Key), t.operand(s.Value), t.use(s.Object), t.scope.mixed(s.Object), t.location(s))
	case *ir.SetAddStmt:
		c.insert(makeSet, operand{}, t.operand(s.Value), t.use(s.Set), t.scope.mixed(s.Set), t.location(s))
	case *ir.ObjectInsertOnceStmt:
		c.emit(stepInsertOnce(t.operand(s.Key), t.operand(s.Value), t.use(s.Object), t.scope.mixed(s.Object), t.location(s)))
	case *ir.ObjectMergeStmt:
		c.emit(stepMerge(t.local(s.A), t.local(s.B), t.use(s.Target)))
	default:
		return fmt.Errorf("statement %T is not known", s)
	}
	return nil
}

// conflict is what the interpreter says of rules that contradict each other.
func (t *translator) conflict() string {
	_, path, _ := strings.Cut(t.function.name, ".")
	if t.function.params > 2 {
		return "function " + path + " produced conflicting values for the same inputs"
	}
	return "rule " + path + " produced conflicting values"
}

func (c *code) nested(s *ir.BlockStmt) error {
	t, outer := c.translator, c.translator.scope
	defer func() { t.scope = outer }()
	all := make([][]step, len(s.Blocks))
	for i, b := range s.Blocks {
		if outer.chain == s {
			t.scope = outer.alternative(b)
		}
		nested, err := t.block(b)
		if err != nil {
			return err
		}
		all[i] = steps(nested)
	}
	c.emit(stepBlocks(all))
	return nil
}

func (c *code) scan(s *ir.ScanStmt) error {
	t := c.translator
	delete(t.scope.data, s.Key)
	t.scope.data[s.Value] = t.scope.data[s.Source]
	source := t.local(s.Source)
	key, val := -1, -1 // not stored if nobody reads it
	if t.scope.read[s.Key] > 0 || t.scope.tested[s.Key] {
		key = t.use(s.Key)
	}
	if t.scope.read[s.Value] > 0 || t.scope.tested[s.Value] {
		val = t.use(s.Value)
	}
	body, err := t.block(s.Block)
	if err != nil {
		return err
	}
	c.emit(stepScan(source, key, val, steps(body)))
	return nil
}

// not translates a negation. A plan tests whether anything held by a local that it never resets: it is reset here, since it
// may be set from an earlier iteration or rule. The test comes after a block of its own, since the plan of the body may leave
// its block after it held, as where no data is beside the rules that a reference by variable finds.
func (c *code) not(s *ir.NotStmt) error {
	b := s.Block
	if n := len(b.Stmts); n > 0 {
		if last, ok := b.Stmts[n-1].(*ir.IsDefinedStmt); ok {
			b = &ir.Block{Stmts: []ir.Stmt{&ir.ResetLocalStmt{Target: last.Source},
				&ir.BlockStmt{Blocks: []*ir.Block{{Stmts: b.Stmts[:n-1]}}}, last}}
		}
	}
	if !endsWithTest(b) {
		return errors.New("what is negated refers to rules by a variable, or can never hold")
	}
	body, err := c.translator.block(b)
	if err != nil {
		return err
	}
	c.emit(stepNot(steps(body)))
	return nil
}

// endsWithTest reports whether the end of a negated block is reached only if what is negated holds. It is also reached if the test
// is in a block or a scan within.
func endsWithTest(b *ir.Block) bool {
	if len(b.Stmts) == 0 {
		return false
	}
	switch last := b.Stmts[len(b.Stmts)-1].(type) {
	case *ir.BlockStmt, *ir.ScanStmt:
		return false
	case *ir.WithStmt:
		return endsWithTest(last.Block)
	}
	return true
}

func (c *code) with(s *ir.WithStmt) error {
	t := c.translator
	val := t.operand(s.Value)
	body, err := t.block(s.Block)
	if err != nil {
		return err
	}
	keys := make([]*ast.Term, len(s.Path))
	for i, p := range s.Path {
		keys[i] = t.strings[p]
	}
	c.emit(stepWith(t.use(s.Local), keys, val, steps(body)))
	return nil
}

// row recognizes the statements that add a result of the query: an object of its variables.
func (c *code) row(stmts []ir.Stmt) int {
	t := c.translator
	object, ok := stmts[0].(*ir.MakeObjectStmt)
	if !ok || t.function != t.program.main {
		return 0
	}
	var vars []string
	var values []operand
	for i, s := range stmts[1:] {
		switch s := s.(type) {
		case *ir.ObjectInsertStmt:
			name, ok := s.Key.Value.(ir.StringIndex)
			if !ok || s.Object != object.Target {
				return 0
			}
			vars, values = append(vars, t.policy.Static.Strings[name].Value), append(values, t.operand(s.Value))
		case *ir.ResultSetAddStmt:
			if s.Value != object.Target {
				return 0
			}
			t.program.vars = vars
			c.emit(stepRow(values))
			return i + 2
		default:
			return 0
		}
	}
	return 0
}
