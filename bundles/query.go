package bundles

import (
	"context"
	"errors"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Query is the value of one rule of a revision, compiled. It is safe for concurrent use.
type Query struct {
	revision *Revision
	body     ast.Body
	compiler ast.QueryCompiler
	value    ast.Var
}

// ErrCancelled says that an evaluation was stopped before it came to an end.
var ErrCancelled = errors.New("the evaluation was stopped")

// Prepare compiles the query of the value at a path below data, such as "authz/decision".
func (r *Revision) Prepare(path string) (*Query, error) {
	ref, err := ast.ParseRef(r.dataPath(path))
	if err != nil {
		return nil, err
	}
	return r.prepare(ref)
}

// prepare compiles the query of one reference, whatever its names are.
func (r *Revision) prepare(ref ast.Ref) (*Query, error) {
	q := &Query{revision: r, compiler: r.compiler.QueryCompiler(), value: ast.Var("value")}
	body := ast.NewBody(ast.Equality.Expr(ast.NewTerm(q.value), ast.NewTerm(ref)))
	var err error
	if q.body, err = q.compiler.Compile(body); err != nil {
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

// Eval gives the value for an input, nil where it is undefined. It stops with [ErrCancelled] once the context ends. The
// value must not be changed: it may be part of the policy's own data. Tracers may be given, for tests.
func (q *Query) Eval(ctx context.Context, input *ast.Term, tracers ...topdown.QueryTracer) (value *ast.Term, err error) {
	// With a cancel of our own, no evaluation needs a goroutine to watch the context.
	cancel := topdown.NewCancel()
	stop := context.AfterFunc(ctx, cancel.Cancel)
	defer stop()
	cache := newEvalCache()
	defer cache.release()
	query := topdown.NewQuery(q.body).
		WithQueryCompiler(q.compiler).
		WithCompiler(q.revision.compiler).
		WithStore(q.revision.store).
		WithTransaction(q.revision.read).
		WithMetrics(metrics.NoOp()).
		WithCancel(cancel).
		WithVirtualCache(cache).
		WithBaseCache(&cache.base).
		WithInput(input)
	for _, tracer := range tracers {
		query = query.WithQueryTracer(tracer)
	}
	err = query.Iter(ctx, func(result topdown.QueryResult) error {
		if value != nil {
			return errors.New("several values")
		}
		value = result[q.value]
		return nil
	})
	switch {
	case topdown.IsCancel(err) || ctx.Err() != nil:
		return nil, ErrCancelled
	case err != nil:
		return nil, err
	}
	return value, nil
}
