package plan

import (
	"context"
	"fmt"
	"slices"

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
