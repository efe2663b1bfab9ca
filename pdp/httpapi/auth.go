package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// requireToken wraps a handler for clients with a bearer token, if the server is configured with tokens.
func requireToken(h handler) handler {
	return func(rc *requestContext) error {
		if tokens := rc.server.tokens; tokens != nil && !tokens.accept(rc.r.Header["Authorization"]) {
			return rc.unauthorized("")
		}
		return h(rc)
	}
}

// requireChangesToken wraps a handler for clients with a token for announcing changes.
func requireChangesToken(h handler) handler {
	return func(rc *requestContext) error {
		if !rc.server.changesTokens.accept(rc.r.Header["Authorization"]) {
			return rc.unauthorized("Send the bearer token for announcements of changes in the Authorization header.")
		}
		return h(rc)
	}
}

func (rc *requestContext) unauthorized(message string) error {
	rc.w.Header().Set("WWW-Authenticate", "Bearer")
	return &pdp.Error{Kind: unauthorized, Message: message}
}

// tokenSource returns the bearer tokens that are valid now. A nil source has none.
type tokenSource func() []string

// accept reports whether an Authorization header has a valid token. It compares hashes, and always all of them, so that
// its duration reveals nothing about the tokens.
func (t tokenSource) accept(authorization []string) bool {
	if len(authorization) != 1 {
		return false
	}
	scheme, token, _ := strings.Cut(authorization[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	hash, found := sha256.Sum256([]byte(token)), 0
	for _, valid := range t.current() {
		want := sha256.Sum256([]byte(valid))
		found |= subtle.ConstantTimeCompare(hash[:], want[:])
	}
	return found == 1
}

func (t tokenSource) current() []string {
	if t == nil {
		return nil
	}
	return t()
}

// valid reports whether a header can carry all tokens.
func (t tokenSource) valid() bool {
	return !slices.ContainsFunc(t.current(), func(token string) bool {
		return token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
	})
}

// disjointFrom reports whether there are tokens and none of them is among the others.
func (t tokenSource) disjointFrom(others tokenSource) bool {
	tokens := t.current()
	return len(tokens) > 0 &&
		!slices.ContainsFunc(others.current(), func(token string) bool { return slices.Contains(tokens, token) })
}
