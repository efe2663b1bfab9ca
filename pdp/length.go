package pdp

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxLength bounds what the answers to one request say together, in bytes of JSON.
const maxLength = 16 << 20

// says counts what a policy answered. It fails before anything is built of an answer that is too long, alone or with those
// before it.
func (s *sitting) says(term *ast.Term) error {
	if term != nil {
		s.length += lengthOf(term.Value, maxLength-s.length)
	}
	return s.roomLeft()
}

// roomLeft fails where the answers are too long already: nothing more is evaluated then.
func (s *sitting) roomLeft() error {
	if s.length <= maxLength {
		return nil
	}
	return &Error{Kind: Internal, Message: "The policy's answer is too long.", Err: fmt.Errorf("more than %d bytes", maxLength)}
}

// lengthOf is how many bytes a value has as JSON, as far as a bound and hardly further.
func lengthOf(value ast.Value, most int) int {
	n := 2 // brackets, quotes
	more := func(inner *ast.Term) bool {
		n += lengthOf(inner.Value, most-n) + 1
		return n > most
	}
	switch v := value.(type) {
	case ast.String:
		for i := 0; i < len(v) && n <= most; i++ {
			switch c := v[i]; {
			case c < ' ':
				n += len(`\u0000`)
			case c == '"' || c == '\\':
				n += 2
			default:
				n++
			}
		}
	case ast.Object:
		v.Until(func(name, member *ast.Term) bool { return more(name) || more(member) })
	case *ast.Array:
		v.Until(more)
	case ast.Set:
		v.Until(more)
	case ast.Number:
		n = len(v)
	default: // true, false, null
		n = 5
	}
	return n
}
