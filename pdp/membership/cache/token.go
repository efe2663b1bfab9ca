package cache

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/fleetkey"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// formatToken returns the token for context.at_least of a position in the stream: sequence, epoch and, with a fleet key,
// a signature.
func (c *Cache) formatToken(p membership.Position) string {
	token := strconv.FormatUint(p.Sequence, 36) + "~" + p.Epoch
	if keys := c.cfg.FleetKey; keys != nil {
		token += "~" + base64.RawURLEncoding.EncodeToString(keys.Sign(fleetkey.ChangeToken, []byte(token)))
	}
	return token
}

// parseToken returns the position of a token. proven is false if the fleet key cannot tell whether a sidecar made it: it has
// no signature, or that of another key. During a rotation, or where a key is introduced, such a token can be genuine.
func (c *Cache) parseToken(token string) (at membership.Position, proven bool, err error) {
	text, signature, signed := token, "", false
	if end := strings.LastIndexByte(token, '~'); end > strings.IndexByte(token, '~') {
		text, signature, signed = token[:end], token[end+1:], true
	}
	at, err = parsePosition(text)
	if err != nil || c.cfg.FleetKey == nil {
		return at, err == nil, err
	}
	var bytes []byte
	if signed {
		bytes, err = base64.RawURLEncoding.Strict().DecodeString(signature)
		if err != nil || base64.RawURLEncoding.EncodeToString(bytes) != signature { // decoding ignores line breaks
			return at, false, errToken
		}
	}
	err = c.cfg.FleetKey.Verify(fleetkey.ChangeToken, bytes, []byte(text))
	if errors.Is(err, fleetkey.ErrForged) {
		return at, false, errToken
	}
	return at, err == nil, nil
}

var errToken = invalid("The token in at_least is not one that announcing a change returned.")

func parsePosition(text string) (membership.Position, error) {
	sequence, epoch, ok := strings.Cut(text, "~")
	n, err := strconv.ParseUint(sequence, 36, 64)
	notPrintable := func(r rune) bool { return r <= ' ' || r > '~' }
	if !ok || err != nil || epoch == "" || strings.ContainsFunc(epoch, notPrintable) {
		return membership.Position{}, errToken
	}
	return membership.Position{Epoch: epoch, Sequence: n}, nil
}
