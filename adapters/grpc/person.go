package grpc

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/grpc/metadata"
)

// Verifier verifies tokens, as [github.com/wardkeeper/wardkeeper/adapters/identity.Verifier] does.
type Verifier interface {
	// Verify returns the claims of a valid token. Errors must not quote the token.
	Verify(ctx context.Context, token string) (map[string]any, error)
}

// BearerToken returns a [Config].Person that verifies the token in the metadata "authorization: Bearer TOKEN". claim is the
// name of the claim with the person's id, such as "sub".
func BearerToken(v Verifier, claim string) func(ctx context.Context) (Person, error) {
	return func(ctx context.Context) (Person, error) {
		values := metadata.ValueFromIncomingContext(ctx, "authorization")
		if len(values) != 1 {
			return Person{}, errors.New("the metadata have no authorization, or several")
		}
		scheme, token, _ := strings.Cut(values[0], " ")
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			return Person{}, errors.New("the authorization is not a bearer token")
		}
		claims, err := v.Verify(ctx, token)
		if err != nil {
			return Person{}, err
		}
		id, _ := claims[claim].(string)
		if id == "" {
			return Person{}, errors.New("the token does not name the person")
		}
		return Person{ID: id, Claims: claims}, nil
	}
}

type personKey struct{}

// PersonOf returns the caller, for handlers. ok is false if the method is public.
func PersonOf(ctx context.Context) (p Person, ok bool) {
	p, ok = ctx.Value(personKey{}).(Person)
	return p, ok
}

// isUnavailable reports whether an error means that the caller cannot be identified now.
func isUnavailable(err error) bool {
	var u interface{ Unavailable() bool }
	return errors.As(err, &u) && u.Unavailable()
}
