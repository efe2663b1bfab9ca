package pdp

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// InputTerm is what the policy sees of a question.
func (e *Engine) InputTerm(ctx context.Context, r Request) (*ast.Term, error) {
	view, err := e.source.View(ctx, Need{})
	if err != nil {
		return nil, err
	}
	facts, _, err := e.Policy().gather(ctx, view, keeping{}, nil, r)
	if err != nil {
		return nil, err
	}
	return new(builder).input(r, facts, asSent)
}

// Query is the active policy's decision.
func (e *Engine) Query() *bundles.Query { return e.Policy().decision }

// ReadOnly says whether the policy's catalogue has an action as one that changes nothing.
func (p *Policy) ReadOnly(action string) bool { return p.catalogue[action].readOnly }

// Unprobed is a policy that has not been asked anything yet, so that tests can ask ill-made ones.
func Unprobed(ctx context.Context, r *bundles.Revision) (*Policy, error) {
	return prepare(ctx, r, (*Policy).checkTables, (*Policy).prepare, (*Policy).readTables, (*Policy).readOffers)
}
