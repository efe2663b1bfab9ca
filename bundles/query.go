package bundles

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

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

// ErrCanceled says that an evaluation was stopped before it came to an end.
var ErrCanceled = errors.New("the evaluation was stopped")

// overrunGrace is how long an evaluation may take to stop. Most look at their time every few microseconds; what is inside a
// built-in function that does not, such as a large numbers.range, goes on to its end.
const overrunGrace = 250 * time.Millisecond

type overrunKey struct{}

// WithOverrun gives a context whose evaluations call overrun, from another goroutine, where they do not stop soon after the
// context has ended. Nothing can stop them then, and whoever waits for one can do no more than give up.
func WithOverrun(ctx context.Context, overrun func()) context.Context {
	return context.WithValue(ctx, overrunKey{}, overrun)
}

// clock ends an evaluation with its context.
type clock struct {
	ctx    context.Context
	cancel topdown.Cancel
	ended  atomic.Bool // the evaluation has
}

func (c *clock) over() {
	c.cancel.Cancel()
	overrun, ok := c.ctx.Value(overrunKey{}).(func())
	if !ok {
		return
	}
	time.AfterFunc(overrunGrace, func() {
		if !c.ended.Load() {
			overrun()
		}
	})
}

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

// Eval gives the value for an input, nil where it is undefined. It stops with [ErrCanceled] once the context ends. The
// value must not be changed: it may be part of the policy's own data. Tracers may be given, for tests.
func (q *Query) Eval(ctx context.Context, input *ast.Term, tracers ...topdown.QueryTracer) (value *ast.Term, err error) {
	// OPA looks at its cancel only now and then: a short evaluation would come to its end, however late it begins.
	if ctx.Err() != nil {
		return nil, ErrCanceled
	}
	// With a cancel of our own, no evaluation needs a goroutine to watch the context.
	c := &clock{ctx: ctx, cancel: topdown.NewCancel()}
	stop := context.AfterFunc(ctx, c.over)
	defer func() {
		stop()
		c.ended.Store(true)
	}()
	cache := newEvalCache()
	defer cache.release()
	query := topdown.NewQuery(q.body).
		WithQueryCompiler(q.compiler).
		WithCompiler(q.revision.compiler).
		WithStore(q.revision.store).
		WithTransaction(q.revision.read).
		WithMetrics(metrics.NoOp()).
		WithCancel(c.cancel).
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
		return nil, ErrCanceled
	case err != nil:
		return nil, err
	}
	return value, nil
}
