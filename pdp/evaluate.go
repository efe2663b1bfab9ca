package pdp

import (
	"context"
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// evaluate asks a prepared query; an undefined value is nil. A context that ends stops the evaluation.
func evaluate(ctx context.Context, r *bundles.Revision, query rego.PreparedEvalQuery, input ast.Value) (*ast.Term, error) {
	// With a cancel of our own, no evaluation needs a goroutine to watch the context.
	cancel := topdown.NewCancel()
	stop := context.AfterFunc(ctx, cancel.Cancel)
	defer stop()
	results, err := query.Eval(ctx, append(r.EvalOptions(input), rego.EvalExternalCancel(cancel))...)
	switch {
	case ctx.Err() != nil:
		return nil, &Error{Kind: Timeout, Message: "the decision took too long", Err: context.Cause(ctx)}
	case err != nil && topdown.IsCancel(err):
		return nil, &Error{Kind: Timeout, Message: "the decision took too long", Err: err}
	case err != nil:
		return nil, &Error{Kind: Internal, Message: "the policy could not be evaluated", Err: err}
	case len(results) == 0:
		return nil, nil
	case len(results) != 1 || len(results[0].Expressions) != 1:
		return nil, &Error{Kind: Internal, Message: "the policy could not be evaluated", Err: errors.New("several results")}
	}
	term, ok := results[0].Expressions[0].Value.(*ast.Term)
	if !ok {
		return nil, &Error{Kind: Internal, Message: "the policy could not be evaluated",
			Err: fmt.Errorf("unexpected value %T", results[0].Expressions[0].Value)}
	}
	return term, nil
}
