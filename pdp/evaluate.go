package pdp

import (
	"context"
	"errors"

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
	case errors.Is(err, bundles.ErrCancelled):
		return nil, &Error{Kind: Timeout, Message: "It took too long to decide this.", Err: context.Cause(ctx)}
	case err != nil:
		return nil, &Error{Kind: Internal, Message: "The policy could not be evaluated.", Err: err}
	}
	return term, nil
}
