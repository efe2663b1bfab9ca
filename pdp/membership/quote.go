package membership

import (
	"strconv"
	"strings"
)

// QuotedBytes is the maximum number of bytes of an id or name that a message quotes.
const QuotedBytes = 64

// Quote quotes an id or a name for a message, shortened so that the message fits on one line.
func Quote(s string) string {
	if len(s) > QuotedBytes {
		return strconv.Quote(strings.ToValidUTF8(s[:QuotedBytes], "")) + "..."
	}
	return strconv.Quote(s)
}
