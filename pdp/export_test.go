package pdp

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// InputTerm is what the policy sees of a question.
func (e *Engine) InputTerm(ctx context.Context, r Request) (*ast.Term, error) {
	ev, err := e.begin(ctx, r)
	if err != nil {
		return nil, err
	}
	in, _, err := ev.input(ctx, r, facts.ReadsAll())
	return in, err
}

// Query is the query of the policy's decision.
func (e *Engine) Query() *bundles.Query { return e.Policy().decision }

// ReadOnly reports whether the policy's catalogue has an action as one that changes nothing.
func (p *Policy) ReadOnly(action string) bool { return p.catalogue[action].readOnly }

// PrepareWithoutProbe prepares a policy that was not asked anything yet, so that tests can ask malformed ones.
func PrepareWithoutProbe(ctx context.Context, r *bundles.Revision) (*Policy, error) {
	return prepare(ctx, r, (*Policy).checkTables, (*Policy).prepareQueries, (*Policy).readTables, (*Policy).readOffers)
}
