package callers

import (
	"context"
	"errors"
	"slices"
)

// byJWT returns the first caller that has a claim of the token. The error is the verifier's if it cannot be determined
// whether the token is valid.
func (c *Callers) byJWT(ctx context.Context, token string) (*entry, error) {
	claims, err := c.cfg.Verifier.Verify(ctx, token)
	if err != nil {
		return nil, err
	}
	for _, e := range c.entries {
		if e.JWTClaim != "" && has(claims[e.JWTClaim], e.JWTValue) {
			return e, nil
		}
	}
	return nil, errors.New("the token is valid, and no caller has its claims")
}

// has reports whether a claim is a text, or a list with the text in it.
func has(claim any, text string) bool {
	if list, ok := claim.([]any); ok {
		return slices.Contains(list, any(text))
	}
	return claim == any(text)
}
