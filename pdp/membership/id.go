package membership

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxID is how many bytes an id may have, and a username both as written and folded.
	MaxID = 1 << 10
	// MaxHistory is how many bytes [RawRecord.History] may have.
	MaxHistory = 64
	// QuotedBytes is how much of an id or name a message quotes.
	QuotedBytes = 64
)

// ValidID reports whether a user or location can have an id: 1 to [MaxID] bytes of UTF-8 without control characters.
func ValidID(id string) bool {
	return id != "" && len(id) <= MaxID && utf8.ValidString(id) && !strings.ContainsFunc(id, unicode.IsControl)
}

// ValidHistory reports whether an [Origin] can have a history: at most [MaxHistory] printable ASCII characters.
func ValidHistory(text string) bool {
	return len(text) <= MaxHistory && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// Quote quotes an id or a name for a message, shortened so that the message stays one line.
func Quote(s string) string {
	if len(s) > QuotedBytes {
		return strconv.Quote(strings.ToValidUTF8(s[:QuotedBytes], "")) + "..."
	}
	return strconv.Quote(s)
}
