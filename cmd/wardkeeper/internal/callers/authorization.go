package callers

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf8"
)

// proof is what an Authorization field proves a caller by: a bearer token, or an id and its secret.
type proof struct{ token, id, secret string }

// parseAuthorization parses the Authorization fields of a request, of which there must be exactly one. It accepts the schemes
// Bearer (RFC 6750) and Basic (RFC 7617), the latter in UTF-8.
func parseAuthorization(fields []string) (proof, bool) {
	if len(fields) != 1 {
		return proof{}, false
	}
	scheme, value, _ := strings.Cut(fields[0], " ")
	switch {
	case value == "":
		return proof{}, false
	case strings.EqualFold(scheme, "Bearer"):
		return proof{token: value}, true
	case strings.EqualFold(scheme, "Basic"):
		return parseBasic(value)
	}
	return proof{}, false
}

// parseBasic parses an id and a secret. The secret may have colons, the id may not.
func parseBasic(value string) (proof, bool) {
	data, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil || !utf8.Valid(data) {
		return proof{}, false
	}
	id, secret, ok := strings.Cut(string(data), ":")
	if !ok || id == "" || secret == "" || strings.ContainsFunc(string(data), unicode.IsControl) {
		return proof{}, false
	}
	return proof{id: id, secret: secret}, true
}

// hash stands for a proof, so that proofs of all lengths are compared alike.
type hash [sha256.Size]byte

func (p proof) hash() hash {
	if p.token != "" {
		return bearerHash(p.token)
	}
	return basicHash(p.id, p.secret)
}

func bearerHash(token string) hash { return sha256.Sum256([]byte("bearer\x00" + token)) }

// basicHash takes an id without colons, so that no other id and secret have the same hash.
func basicHash(id, secret string) hash { return sha256.Sum256([]byte("basic\x00" + id + ":" + secret)) }

// find returns the entry whose secret has the hash, or nil. It compares all of them, so that its duration reveals nothing
// about them.
func find(secrets []secret, h hash) (found *entry) {
	for i := range secrets {
		if subtle.ConstantTimeCompare(secrets[i].hash[:], h[:]) == 1 {
			found = secrets[i].of
		}
	}
	return found
}
