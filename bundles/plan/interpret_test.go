package plan_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/util"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles/input"
	"github.com/wardkeeper/wardkeeper/bundles/plan"
)

// policy is a program that the compiler has accepted, with its data.
type policy struct {
	program  program
	compiler *ast.Compiler
	store    storage.Store
	txn      storage.Transaction
	inputs   []*ast.Term
}

// compilePolicy returns an error if the compiler refuses the program.
func compilePolicy(t testing.TB, p program) (*policy, error) {
	store := inmem.NewFromObjectWithOpts(util.MustUnmarshalJSON([]byte(p.data)).(map[string]any),
		inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true))
	txn := storage.NewTransactionOrDie(t.Context(), store)
	compiler := ast.NewCompiler().WithPathConflictsCheck(storage.NonEmpty(t.Context(), store, txn))
	modules := map[string]*ast.Module{}
	for name, text := range p.modules {
		m, err := ast.ParseModuleWithOpts(name, text, ast.ParserOptions{RegoVersion: ast.RegoV1})
		if err != nil {
			return nil, err
		}
		modules[name] = m
	}
	if compiler.Compile(modules); compiler.Failed() {
		return nil, compiler.Errors
	}
	out := &policy{program: p, compiler: compiler, store: store, txn: txn}
	for _, input := range p.inputs {
		if input == "" {
			out.inputs = append(out.inputs, nil)
			continue
		}
		out.inputs = append(out.inputs, ast.NewTerm(ast.MustInterfaceToValue(util.MustUnmarshalJSON([]byte(input)))))
	}
	return out, nil
}

// outcome is the result of an evaluation: rows of values, sorted, or the code of an error.
type outcome struct {
	rows []ast.Value
	code string
	err  error
}

func (o outcome) equal(other outcome) bool {
	return o.code == other.code && slices.EqualFunc(o.rows, other.rows, func(a, b ast.Value) bool { return a.Compare(b) == 0 })
}

func (o outcome) String() string {
	if o.err != nil {
		return o.err.Error()
	}
	if len(o.rows) == 0 {
		return "undefined"
	}
	return fmt.Sprint(o.rows)
}

// end sorts the rows and reads the error.
func (o *outcome) end(err error) {
	slices.SortFunc(o.rows, ast.Value.Compare)
	if err == nil {
		return
	}
	o.rows, o.err, o.code = nil, err, err.Error()
	if e, ok := errors.AsType[*topdown.Error](err); ok {
		o.code = e.Code
	}
}

// deadline cancels an evaluation that takes too long, so that the fuzzer goes on.
func deadline(d time.Duration) (topdown.Cancel, func() bool) {
	cancel := topdown.NewCancel()
	return cancel, time.AfterFunc(d, cancel.Cancel).Stop
}

// interpret evaluates a query with OPA's interpreter.
func (p *policy) interpret(t testing.TB, query string, input *ast.Term, strict, early bool) (out outcome) {
	defer func() {
		if cause := recover(); cause != nil {
			out = outcome{code: "panic", err: fmt.Errorf("panic: %v", cause)}
		}
	}()
	queries := p.compiler.QueryCompiler()
	body, err := queries.Compile(ast.MustParseBody(query))
	require.NoError(t, err)
	cancel, stop := deadline(time.Minute)
	defer stop()
	q := topdown.NewQuery(body).WithQueryCompiler(queries).WithCompiler(p.compiler).WithStore(p.store).WithTransaction(p.txn).
		WithMetrics(metrics.NoOp()).WithCancel(cancel).WithStrictBuiltinErrors(strict).WithEarlyExit(early).WithIndexing(early).WithInput(input)
	rewritten := queries.RewrittenVars()
	out.end(q.Iter(t.Context(), func(result topdown.QueryResult) error {
		row := ast.NewObject()
		for name, v := range result {
			if original, ok := rewritten[name]; ok {
				name = original
			}
			if !name.IsWildcard() && !name.IsGenerated() {
				row.Insert(ast.StringTerm(string(name)), v)
			}
		}
		out.rows = append(out.rows, ast.Value(row))
		return nil
	}))
	return out
}

// missesConflict reports whether the interpreter meets a conflict, too, if it evaluates everything that the query may need:
// without indices and early exit, or the whole packages.
func (p *policy) missesConflict(t testing.TB, query string, input *ast.Term, got outcome) bool {
	conflict, ok := errors.AsType[*topdown.Error](got.err)
	if !ok || conflict.Code != topdown.ConflictErr {
		return false
	}
	return slices.ContainsFunc([]string{query, "value = data.lib", "value = data.test"}, func(q string) bool {
		return p.interpret(t, q, input, false, false).code == topdown.ConflictErr
	})
}

func whole(term *ast.Term) *input.Object { return input.Of(term) }

// inParts returns an input whose objects are all in parts.
func inParts(term *ast.Term) *input.Object {
	if term == nil {
		return nil
	}
	o, ok := term.Value.(ast.Object)
	if !ok {
		return input.Of(term)
	}
	var members []input.Member
	for _, key := range o.Keys() {
		if _, ok := key.Value.(ast.String); !ok {
			return input.Of(term)
		}
		members = append(members, input.Member{Key: key, Object: inParts(o.Get(key))})
	}
	return input.New(members...)
}

// run evaluates a compiled query.
func run(program *plan.Program, in *input.Object, strict bool) (out outcome) {
	defer func() {
		if cause := recover(); cause != nil {
			out = outcome{code: "panic", err: fmt.Errorf("panic: %v", cause)}
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out.end(program.Eval(ctx, in, strict, func(values []*ast.Term) {
		row := ast.NewObject()
		for i, name := range program.Vars() {
			row.Insert(ast.StringTerm(name), values[i])
		}
		out.rows = append(out.rows, ast.Value(row))
	}))
	return out
}

func (p *policy) dataText(t testing.TB) string {
	data, err := p.store.Read(t.Context(), p.txn, storage.RootPath)
	require.NoError(t, err)
	return data.(ast.Value).String()
}
