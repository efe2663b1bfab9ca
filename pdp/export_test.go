package pdp

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Input is what the policy sees of a question.
func (e *Engine) Input(ctx context.Context, r Request) (ast.Value, error) {
	view, err := e.source.View(ctx)
	if err != nil {
		return nil, err
	}
	facts, err := e.policy.gather(ctx, view, r)
	if err != nil {
		return nil, err
	}
	return input(r, facts)
}
