package bundles

import (
	"context"
	"errors"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/wardkeeper/wardkeeper/bundles/input"
	"github.com/wardkeeper/wardkeeper/bundles/plan"
)

// Query is a query for the value of one rule. It is interpreted until it is compiled. It is safe for concurrent use.
type Query struct {
	revision *Revision
	ref      ast.Ref
	body     ast.Body
	compiler ast.QueryCompiler
	value    ast.Var
	program  *plan.Program // nil: the query is interpreted
}

// ErrCanceled reports that an evaluation was stopped before its end.
var ErrCanceled = errors.New("the evaluation was canceled")

// Prepare compiles the query for the value at a path below data, such as "authz/decision".
func (r *Revision) Prepare(path string) (*Query, error) {
	ref, err := ast.ParseRef(r.dataPath(path))
	if err != nil {
		return nil, err
	}
	return r.prepare(ref)
}

// prepare compiles the query for a reference, which may hold any names.
func (r *Revision) prepare(ref ast.Ref) (*Query, error) {
	q := &Query{revision: r, ref: ref, value: ast.Var("value")}
	if err := q.compile(valueOf(q.value, ref)); err != nil {
		return nil, err
	}
	for rewritten, written := range q.compiler.RewrittenVars() {
		if written == q.value {
			q.value = rewritten
			break
		}
	}
	return q, nil
}

func (q *Query) compile(body ast.Body) (err error) {
	q.revision.compiling.Lock()
	defer q.revision.compiling.Unlock()
	q.compiler = q.revision.compiler.QueryCompiler()
	q.body, err = q.compiler.Compile(body)
	return err
}

func valueOf(value ast.Var, ref ast.Ref) ast.Body {
	return ast.NewBody(ast.Equality.Expr(ast.NewTerm(value), ast.NewTerm(ref)))
}

// Compile lets queries of the revision be evaluated by compiled programs instead of OPA's interpreter, with the same values. It
// compiles all or none: the error says why they cannot be. It must not be called while one of them is evaluated.
func (r *Revision) Compile(ctx context.Context, queries ...*Query) error {
	refs := make([]ast.Ref, len(queries))
	for i, q := range queries {
		refs[i] = q.ref
	}
	r.compiling.Lock()
	defer r.compiling.Unlock()
	programs, err := plan.CompileRules(ctx, plan.Config{Compiler: r.compiler, Store: r.store, Txn: r.txn}, refs)
	if err != nil {
		return err
	}
	for i, q := range queries {
		q.program = programs[i]
	}
	return nil
}

// Plan returns OPA's plan of a query for the value at a path, as [Revision.Prepare] takes it, and the data that it reads. The error
// says why there is no plan with the interpreter's value.
func (r *Revision) Plan(ctx context.Context, path string) (*ir.Policy, *ast.Term, error) {
	ref, err := ast.ParseRef(r.dataPath(path))
	if err != nil {
		return nil, nil, err
	}
	r.compiling.Lock()
	defer r.compiling.Unlock()
	return plan.Of(ctx, plan.Config{Compiler: r.compiler, Store: r.store, Txn: r.txn}, ref)
}

// Data returns the data of the revision, in which rules look up their tables. It must not be changed.
func (r *Revision) Data(ctx context.Context) (ast.Value, error) {
	data, err := r.store.Read(ctx, r.txn, storage.Path{})
	if err != nil {
		return nil, err
	}
	return ast.InterfaceToValue(data)
}

// Eval returns the value for an input, or nil if it is undefined. It stops with [ErrCanceled] when the context ends. The
// caller must not change the value, which may be part of the policy's data. Tracers are for tests; with them the query is
// interpreted.
func (q *Query) Eval(ctx context.Context, in *input.Object, tracers ...topdown.QueryTracer) (value *ast.Term, err error) {
	// OPA checks for cancellation only at intervals: a short evaluation would succeed after the context has ended.
	if ctx.Err() != nil {
		return nil, ErrCanceled
	}
	if q.program != nil && len(tracers) == 0 {
		value, err = q.program.Value(ctx, in)
		if errors.Is(err, plan.ErrCanceled) {
			err = ErrCanceled
		}
		return value, err
	}
	return q.interpret(ctx, in, true, tracers...)
}

// Trace is like [Query.Eval] and shows a tracer each rule that is tried: none is left out because an index says that it cannot hold.
func (q *Query) Trace(ctx context.Context, in *input.Object, tracer topdown.QueryTracer) (*ast.Term, error) {
	if ctx.Err() != nil {
		return nil, ErrCanceled
	}
	return q.interpret(ctx, in, false, tracer)
}

func (q *Query) interpret(ctx context.Context, in *input.Object, indexing bool, tracers ...topdown.QueryTracer) (value *ast.Term, err error) {
	// Our own Cancel saves the goroutine that OPA would start to watch the context.
	cancel := topdown.NewCancel()
	defer context.AfterFunc(ctx, cancel.Cancel)()
	cache := newEvalCache()
	defer cache.release()
	query := topdown.NewQuery(q.body).
		WithQueryCompiler(q.compiler).
		WithCompiler(q.revision.compiler).
		WithStore(q.revision.store).
		WithTransaction(q.revision.txn).
		WithMetrics(metrics.NoOp()).
		WithCancel(cancel).
		WithVirtualCache(cache).
		WithBaseCache(&cache.base).
		WithIndexing(indexing).
		WithInput(in.Term())
	for _, tracer := range tracers {
		query = query.WithQueryTracer(tracer)
	}
	err = query.Iter(ctx, func(result topdown.QueryResult) error {
		if value != nil {
			return errors.New("the query has several values")
		}
		value = result[q.value]
		return nil
	})
	switch {
	case topdown.IsCancel(err) || ctx.Err() != nil:
		return nil, ErrCanceled
	case err != nil:
		return nil, err
	}
	return value, nil
}
