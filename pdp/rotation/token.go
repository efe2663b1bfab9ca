package rotation

import (
	"errors"
	"strings"
)

// ParseToken is the Parse of a [Config] whose file has a bearer token.
func ParseToken(contents [][]byte) (string, error) {
	token := strings.TrimSpace(string(contents[0]))
	switch {
	case token == "":
		return "", errors.New("it is empty")
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", errors.New("it has characters that a header cannot carry: use ASCII letters, digits and punctuation, no spaces")
	}
	return token, nil
}
