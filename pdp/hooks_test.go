package pdp

import "context"

// Allows is what the policy's rule `allow` says, by which searches go.
func (e *Engine) Allows(ctx context.Context, r Request) (bool, error) {
	s, err := e.sit(ctx)
	if err != nil {
		return false, err
	}
	return s.may(ctx, r, s.allow)
}

// Possible is what the policy's rule `possible` says, by which action searches go.
func (e *Engine) Possible(ctx context.Context, r Request) (bool, error) {
	s, err := e.sit(ctx)
	if err != nil {
		return false, err
	}
	return s.may(ctx, r, s.possible)
}
