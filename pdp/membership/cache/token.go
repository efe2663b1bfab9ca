package cache

import (
	"strconv"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// formatToken returns the token for context.at_least of a position in the stream.
func formatToken(p membership.Position) string {
	return strconv.FormatUint(p.Sequence, 36) + "~" + p.Epoch
}

func parseToken(token string) (membership.Position, error) {
	sequence, epoch, ok := strings.Cut(token, "~")
	n, err := strconv.ParseUint(sequence, 36, 64)
	notPrintable := func(r rune) bool { return r <= ' ' || r > '~' }
	if !ok || err != nil || epoch == "" || strings.ContainsFunc(epoch, notPrintable) {
		return membership.Position{}, invalid("The token in at_least is not one that announcing a change returned.")
	}
	return membership.Position{Epoch: epoch, Sequence: n}, nil
}
