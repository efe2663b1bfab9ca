package paging

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/fleetkey"
)

// maxToken bounds the length of a token in bytes.
const maxToken = 16 << 10

// token is the position where a list continues. It grants no right: each candidate is decided again when the list is
// resumed. It continues only the list that it was made for: sum binds it to the request that began the list and to its own
// content. It is sealed, so that callers can neither read nor make one: it has what the list is sorted by.
type token struct {
	ID     string `json:"i"`
	First  string `json:"f,omitempty"`
	Second string `json:"g,omitempty"`
	Limit  int    `json:"l"`
	Sum    []byte `json:"s"`
}

// Token returns the token that continues the list after a candidate. It fails if the request cannot be encoded, or the
// values that the candidate is sorted by are too long for a token.
func (p *Page) Token(last facts.Cursor) (string, error) {
	text, err := p.encode(token{ID: last.ID, First: last.First, Second: last.Second, Limit: p.Limit})
	if err == nil && len(text) > maxToken {
		err = fault("the list cannot be continued: what the last hit is sorted by is too long")
	}
	return text, err
}

// resume starts the page at the position of a token. A request without a limit keeps the limit of the token.
func (p *Page) resume(sent string) error {
	refused := fault("The member \"token\" does not continue this list at /page: send the request that began it, or begin again.")
	t, err := p.decode(sent)
	if err != nil {
		return refused
	}
	if t.Limit < 0 || t.Limit > maxLimit || p.page.Limit != nil && p.Limit != t.Limit {
		return refused
	}
	p.After, p.Limit = facts.Cursor{ID: t.ID, First: t.First, Second: t.Second}, t.Limit
	return nil
}

// encode returns the text of a token.
func (p *Page) encode(t token) (string, error) {
	data, err := p.plain(t)
	if err != nil {
		return "", fault("the request cannot be continued: %v", err)
	}
	return base64.RawURLEncoding.EncodeToString(p.keys.Seal(fleetkey.PageToken, data)), nil
}

// plain returns a token that continues this list, before it is sealed.
func (p *Page) plain(t token) ([]byte, error) {
	sum, err := p.sum(t)
	if err != nil {
		return nil, err
	}
	t.Sum = sum[:16]
	return json.Marshal(t)
}

var errToken = errors.New("not a token of this list")

// decode returns the token of a text. A token of another list is a mistake of the caller: the fleet key does not count it as forged.
func (p *Page) decode(sent string) (t token, err error) {
	if len(sent) > maxToken {
		return t, errToken
	}
	data, err := base64.RawURLEncoding.DecodeString(sent)
	if err != nil {
		return t, err
	}
	if base64.RawURLEncoding.EncodeToString(data) != sent { // decoding ignores line breaks and the bits of a last, incomplete byte
		return t, errToken
	}
	if data, err = p.keys.Open(fleetkey.PageToken, data); err != nil {
		return t, err
	}
	if err := json.Unmarshal(data, &t); err != nil {
		return t, err
	}
	// The token must be the one that this list would give, byte for byte.
	if again, err := p.plain(t); err != nil || !bytes.Equal(again, data) {
		return t, errToken
	}
	return t, nil
}

// sum covers the token and the whole request except its token and limit, regardless of the order of members.
func (p *Page) sum(t token) ([]byte, error) {
	var properties map[string]any
	if p.page != nil {
		properties = authzen.Normalized(p.page.Properties)
	}
	all := append([]any{p.search}, p.question.Canonical()...)
	data, err := json.Marshal(append(all, properties, t.ID, t.First, t.Second, t.Limit))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	return sum[:], nil
}
