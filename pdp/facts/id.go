package facts

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// MaxID is the maximum length in bytes of the id of a user or location, and of a username both as written and folded.
const MaxID = authzen.MaxName

// ValidID reports whether a user or location can have this id.
func ValidID(id string) bool { return IDFault(id) == "" }

// IDFault says why no user or location can have this id, in words that follow the name of a member; "" if one can. An id is
// 1 to [MaxID] bytes of UTF-8 without control characters.
func IDFault(id string) string {
	switch {
	case id == "":
		return "must not be empty"
	case len(id) > MaxID:
		return fmt.Sprintf("is longer than %d bytes", MaxID)
	case !utf8.ValidString(id):
		return "is not valid UTF-8"
	case strings.ContainsFunc(id, unicode.IsControl):
		return "has a control character"
	}
	return ""
}
