package membership

import (
	"strconv"
	"strings"
)

// QuotedBytes is how much of an id or name a message quotes.
const QuotedBytes = 64

// Quote quotes an id or a name for a message, shortened so that the message stays one line.
func Quote(s string) string {
	if len(s) > QuotedBytes {
		return strconv.Quote(strings.ToValidUTF8(s[:QuotedBytes], "")) + "..."
	}
	return strconv.Quote(s)
}
