package pdp

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// evaluator is what has been prepared: a [*bundles.Query] or a [*bundles.Document].
type evaluator interface {
	Eval(ctx context.Context, input *ast.Term, tracers ...topdown.QueryTracer) (*ast.Term, error)
}

// evaluate asks what has been prepared; an undefined value is nil. A context that ends stops the evaluation.
func evaluate(ctx context.Context, query evaluator, input *ast.Term) (*ast.Term, error) {
	term, err := query.Eval(ctx, input)
	switch {
	case errors.Is(err, bundles.ErrCanceled):
		return nil, &Error{Kind: Timeout, Message: "It took too long to decide this.", Err: context.Cause(ctx)}
	case err != nil:
		return nil, &Error{Kind: Internal, Message: "The policy could not be evaluated.", Err: unquoted(err)}
	}
	return term, nil
}

// unquoted leaves out of an error what a built-in function says, which is mostly the value that it did not like.
func unquoted(err error) error {
	if e, ok := errors.AsType[*topdown.Error](err); ok && e.Code == topdown.BuiltinErr {
		return fmt.Errorf("%s at %v", e.Code, e.Location)
	}
	return err
}

// WithOverrun gives a context for the engine's answers. Where an evaluation cannot be stopped at the end of its time, since
// it is inside a built-in function that does not look at it, the engine does not return before it is done: overrun is called
// from another goroutine then, so that the caller can be answered all the same.
func WithOverrun(ctx context.Context, overrun func()) context.Context {
	return bundles.WithOverrun(ctx, overrun)
}

// next is for between two steps of long work, such as a batch or a list: it lets shorter work go first, and fails once the
// context has ended.
func next(ctx context.Context) error {
	runtime.Gosched()
	if err := ctx.Err(); err != nil {
		return asError(ctx, err)
	}
	return nil
}
