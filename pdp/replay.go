package pdp

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/wardkeeper/wardkeeper/bundles/input"
)

// Replay decides a question over the facts that are in its input, as [Engine.Input] returns it or a record has it. It is the
// decision that [Engine.Decide] made for the same input by the same policy. The caller limits the time with ctx. The error is
// an [*Error].
func (p *Policy) Replay(ctx context.Context, in map[string]any) (Decision, error) {
	value, err := ast.InterfaceToValue(in)
	if err != nil {
		return Decision{}, &Error{Kind: Invalid, Message: "The question cannot be read.", Err: err}
	}
	term, err := evaluate(ctx, p.decision, input.Of(ast.NewTerm(value)))
	if err != nil {
		return Decision{}, err
	}
	d, err := readDecision(term)
	if err != nil {
		d = Decision{Fault: true}
	}
	d = d.limitedTo(contextOf(in), p.offers.Obligations)
	d.Revision = p.revision.ID
	return d, nil
}
