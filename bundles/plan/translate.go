package plan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
	"github.com/open-policy-agent/opa/v1/storage"
)

// translator turns a policy's plan into a program.
type translator struct {
	policy    *ir.Policy
	program   *Program
	functions map[string]*function
	paths     *pathNode // the functions by path, for calls whose path is known only at evaluation
	strings   []*ast.Term
	inputs    map[inputKey]int // the paths of the input that are read
	memos     map[string]int   // the memoized calls
	dataFixed bool             // whether no rule replaces data

	function *function // in progress
	locals   map[ir.Local]int
	result   int    // the place of its value; -1: a query has none
	only     ir.Val // the one value that all rules of the function have; nil if they have several
	scope    *scope // of the outermost block in progress
}

type inputKey struct {
	parent int
	key    string
}

// translate plans a query and translates all functions that it needs, but not the query itself.
func translate(ctx context.Context, cfg Config) (*translator, error) {
	policy, data, err := planOf(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if len(policy.Plans.Plans) != 1 {
		return nil, fmt.Errorf("there are %d plans instead of one", len(policy.Plans.Plans))
	}
	t := &translator{policy: policy, program: &Program{data: ast.NewTerm(data), caps: cfg.Compiler.Capabilities()},
		functions: map[string]*function{}, paths: &pathNode{}, inputs: map[inputKey]int{}, memos: map[string]int{}, dataFixed: true}
	for _, s := range policy.Static.Strings {
		t.strings = append(t.strings, ast.InternedTerm(s.Value))
	}
	funcs := policy.Funcs
	if funcs == nil {
		funcs = &ir.Funcs{}
	}
	for _, b := range policy.Plans.Plans[0].Blocks { // rules that replace data are refused
		t.dataFixed = t.dataFixed && scopeOf(b).set[ir.Data] == 1
	}
	for _, f := range funcs.Funcs {
		t.declare(f)
	}
	for _, f := range funcs.Funcs {
		if err := t.define(f); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return t, nil
}

// planOf plans a query. It returns the data too, and refuses what the plan would not have the interpreter's value for.
func planOf(ctx context.Context, cfg Config) (*ir.Policy, ast.Value, error) {
	data, err := readData(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	if err := refuseBefore(cfg.Compiler, data); err != nil {
		return nil, nil, err
	}
	policy, err := plan(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	if err := refuse(policy, cfg.Compiler); err != nil {
		return nil, nil, err
	}
	return policy, data, nil
}

func readData(ctx context.Context, cfg Config) (ast.Value, error) {
	data, err := cfg.Store.Read(ctx, cfg.Txn, storage.RootPath)
	if err != nil {
		return nil, err
	}
	if value, ok := data.(ast.Value); ok {
		return value, nil
	}
	return ast.InterfaceToValue(data)
}

// ruleAt returns the function that is planned for the rules with a reference; nil if there is none without arguments.
func (t *translator) ruleAt(ref ast.Ref) *function {
	if t.policy.Funcs == nil {
		return nil
	}
	for _, f := range t.policy.Funcs.Funcs {
		named := func(term *ast.Term, name string) bool { return term.Value.Compare(ast.String(name)) == 0 }
		if len(f.Params) == 2 && slices.EqualFunc(ref[1:], f.Path[1:], named) { // without data and the generation
			return t.functions[f.Name]
		}
	}
	return nil
}

// valueOf returns a program whose only variable has the value of a function without arguments.
func (t *translator) valueOf(f *function) *Program {
	t.begin(&function{name: f.name})
	input, data := operand{from: whole, index: t.use(ir.Input)}, constantOf(t.program.data)
	result := t.use(ir.Unused)
	t.function.blocks = [][]step{{stepCall(f, []operand{input, data}, -1, result), stepRow([]operand{localAt(result)})}}
	return &Program{vars: []string{"value"}, main: t.function, data: t.program.data, memoized: t.program.memoized,
		paths: t.program.paths, caps: t.program.caps}
}

// declare makes a function known, so that others can call it.
func (t *translator) declare(f *ir.Func) {
	fn := &function{name: f.Name, params: len(f.Params)}
	t.functions[f.Name] = fn
	t.paths.add(f.Path, fn)
}

// query translates the plan of the query: a function that collects rows of values instead of returning one.
func (t *translator) query(p *ir.Plan) error {
	t.begin(&function{name: p.Name})
	t.program.main = t.function
	for _, b := range p.Blocks {
		t.scope = scopeOf(b)
		if err := complete(t.scope); err != nil {
			return err
		}
		code, err := t.block(b)
		if err != nil {
			return err
		}
		t.function.blocks = append(t.function.blocks, steps(code))
	}
	return nil
}

// begin starts a function. Input and data are its first locals.
func (t *translator) begin(f *function) {
	t.function, t.locals, t.result, t.only = f, map[ir.Local]int{}, -1, nil
	t.use(ir.Input)
	t.use(ir.Data)
}

// use returns the place of a local in the frame of the function in progress.
func (t *translator) use(l ir.Local) int {
	at, ok := t.locals[l]
	if !ok {
		at = t.function.locals
		t.locals[l] = at
		t.function.locals++
	}
	return at
}

func (t *translator) operand(o ir.Operand) operand {
	switch v := o.Value.(type) {
	case ir.StringIndex:
		return constantOf(t.strings[v])
	case ir.Bool:
		return constantOf(ast.InternedTerm(bool(v)))
	case ir.Local:
		return t.local(v)
	}
	return operand{}
}

func (t *translator) local(l ir.Local) operand {
	if known, ok := t.scope.known[l]; ok {
		return known
	}
	if l == ir.Data && t.dataFixed {
		return constantOf(t.program.data)
	}
	o := localAt(t.use(l))
	switch {
	case l == ir.Input:
		o.from = whole
	case t.scope.arrays[l]:
		o.from = array
	}
	return o
}

func (t *translator) operands(all []ir.Operand) []operand {
	out := make([]operand, len(all))
	for i, o := range all {
		out[i] = t.operand(o)
	}
	return out
}

func (t *translator) location(s ir.Stmt) *ast.Location {
	at := s.GetLocation()
	file := ""
	if at.File < len(t.policy.Static.Files) {
		file = t.policy.Static.Files[at.File].Value
	}
	return ast.NewLocation(at.Text, file, at.Row, at.Col)
}

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
