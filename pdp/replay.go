package pdp

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Input is what the policy sees of a question: its parts as they were asked and the facts of this moment beside them, as
// plain Go values with numbers as [encoding/json.Number]. It is for replay and explanation, elsewhere or later: the same
// policy gives the same decision for it. Its error is an [*Error]. It is safe for concurrent use.
func (e *Engine) Input(ctx context.Context, r Request) (any, error) {
	s, err := e.sit(ctx, r)
	if err != nil {
		return nil, err
	}
	seen, err := s.seen(ctx, r)
	if err != nil {
		return nil, err
	}
	value, err := ast.JSON(seen.Value)
	if err != nil {
		return nil, &Error{Kind: Internal, Message: "The question could not be read.", Err: err}
	}
	return value, nil
}

// seen is what the policy sees of a question, gathered within the engine's time.
func (s *sitting) seen(ctx context.Context, r Request) (in *ast.Term, err error) {
	defer s.recovered(ctx, &in, &err)
	ctx, cancel := context.WithTimeout(ctx, s.engine.timeout)
	defer cancel()
	in, _, err = s.enriched(ctx, r, asSent)
	return in, err
}
