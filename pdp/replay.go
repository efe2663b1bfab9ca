package pdp

import (
	"context"
	"runtime/debug"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Input is what the policy sees of a question: its parts as they were asked and the facts of this moment beside them, as
// plain Go values with numbers as [encoding/json.Number]. It is for replay and explanation, elsewhere or later: the same
// policy gives the same decision for it. Its error is an [*Error]. It is safe for concurrent use.
func (e *Engine) Input(ctx context.Context, r Request) (value any, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			e.log.ErrorContext(ctx, "gathering facts panicked", "cause", cause, "stack", string(debug.Stack()))
			value, err = nil, &Error{Kind: Internal, Message: "The facts of the question could not be gathered."}
		}
	}()
	s, err := e.sit(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	in, err := s.enriched(ctx, r)
	if err != nil {
		return nil, err
	}
	if value, err = ast.JSON(in.Value); err != nil {
		return nil, &Error{Kind: Internal, Message: "The facts of the question could not be gathered.", Err: err}
	}
	return value, nil
}
