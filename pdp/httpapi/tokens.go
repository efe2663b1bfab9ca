package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strings"
)

// tokens gives the bearer tokens that are valid now; nil where none is wanted.
type tokens func() []string

// haveOneOf says whether a header has a valid token. It compares the hashes of all of them, so that neither time nor length
// tells anything of a token, or of how many there are before it.
func (t tokens) haveOneOf(authorization []string) bool {
	if len(authorization) != 1 {
		return false
	}
	scheme, sent, _ := strings.Cut(authorization[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	hash, found := sha256.Sum256([]byte(sent)), 0
	for _, valid := range t.now() {
		want := sha256.Sum256([]byte(valid))
		found |= subtle.ConstantTimeCompare(hash[:], want[:])
	}
	return found == 1
}

func (t tokens) now() []string {
	if t == nil {
		return nil
	}
	return t()
}

// sendable says whether all tokens can be sent in a header.
func (t tokens) sendable() bool {
	return !slices.ContainsFunc(t.now(), func(token string) bool {
		return token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
	})
}

// apartFrom says whether there are tokens, and none of them is one of the others.
func (t tokens) apartFrom(others tokens) bool {
	all := t.now()
	return len(all) > 0 && !slices.ContainsFunc(others.now(), func(token string) bool { return slices.Contains(all, token) })
}
