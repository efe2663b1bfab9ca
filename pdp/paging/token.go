package paging

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// maxToken bounds the length of a token in bytes. A token with the longest id is shorter.
const maxToken = 16 << 10

// token is the position where a list continues. Sum binds it to the request that began the list and to its own content, so
// that it continues only that list. It grants no right: each candidate is decided again when the list is resumed.
type token struct {
	ID     string `json:"i"`
	Offset int    `json:"o"`
	Limit  int    `json:"l"`
	Sum    []byte `json:"s"`
}

// Token returns the token that continues the list after a candidate. It fails if the request cannot be encoded.
func (p *Page) Token(last facts.Cursor) (string, error) {
	return p.seal(token{ID: last.ID, Offset: last.Offset, Limit: p.Limit})
}

// resume starts the page at the position of a token. A request without a limit keeps the limit of the token.
func (p *Page) resume(sent string) error {
	refused := fault("The member \"token\" does not continue this list at /page: send the request that began it, or begin again.")
	var t token
	data, err := base64.RawURLEncoding.DecodeString(sent)
	if err != nil || len(sent) > maxToken || json.Unmarshal(data, &t) != nil {
		return refused
	}
	// The token must be the one that this list would give, byte for byte.
	if sealed, err := p.seal(t); err != nil || sealed != sent {
		return refused
	}
	if t.Offset < 0 || t.Limit < 0 || t.Limit > maxLimit || p.page.Limit != nil && p.Limit != t.Limit {
		return refused
	}
	p.After, p.Limit = facts.Cursor{ID: t.ID, Offset: t.Offset}, t.Limit
	return nil
}

// seal encodes a token with its sum.
func (p *Page) seal(t token) (string, error) {
	sum, err := p.sum(t)
	if err != nil {
		return "", fault("the request cannot be continued: %v", err)
	}
	t.Sum = sum
	data, err := json.Marshal(t)
	return base64.RawURLEncoding.EncodeToString(data), err
}

// sum covers the token and the whole request except its token and limit, regardless of the order of members.
func (p *Page) sum(t token) ([]byte, error) {
	q := p.question
	var properties map[string]any
	if p.page != nil {
		properties = normalized(p.page.Properties)
	}
	data, err := json.Marshal([]any{
		p.search, q.Subject.Type, q.Subject.ID, normalized(q.Subject.Properties), q.Action.Name, normalized(q.Action.Properties),
		q.Resource.Type, q.Resource.ID, normalized(q.Resource.Properties), normalized(q.Context), properties,
		t.ID, t.Offset, t.Limit,
	})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	return sum[:16], nil
}

// normalized returns an object without nulls, or nil if it is empty: null and empty mean the same as absent.
func normalized(members map[string]any) map[string]any {
	var all map[string]any
	for name, value := range members {
		if value == nil {
			continue
		}
		if all == nil {
			all = make(map[string]any, len(members))
		}
		all[name] = value
	}
	return all
}
