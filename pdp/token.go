package pdp

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

// maxToken is more than the longest id takes.
const maxToken = 16 << 10

// pageToken is where a list goes on. Sum binds it to the request that began the list and to its own content, so that it
// continues that list alone. It gives no right: each candidate is asked of the policy again.
type pageToken struct {
	ID     string `json:"i"`
	Offset int    `json:"o"`
	Limit  int    `json:"l"`
	Sum    []byte `json:"s"`
}

// token says where the list goes on behind a hit.
func (l *listing) token(last Cursor) (string, error) {
	return l.seal(pageToken{ID: last.ID, Offset: last.Offset, Limit: l.limit})
}

// resume goes on where a token says. The limit may be left out, and then is what it was.
func (l *listing) resume(token string) error {
	refused := invalid("The member \"token\" does not continue this list at /page: send the request that began it, or begin anew.")
	var t pageToken
	data, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(token) > maxToken || json.Unmarshal(data, &t) != nil {
		return refused
	}
	// A token is one that this list would give, to the letter.
	if sealed, err := l.seal(t); err != nil || sealed != token {
		return refused
	}
	if t.Offset < 0 || t.Limit < 0 || t.Limit > maxLimit || l.request.Page.Limit != nil && l.limit != t.Limit {
		return refused
	}
	l.after, l.limit = Cursor{ID: t.ID, Offset: t.Offset}, t.Limit
	return nil
}

// seal writes a token with its sum.
func (l *listing) seal(t pageToken) (string, error) {
	sum, err := l.sum(t)
	if err != nil {
		return "", invalid("the request cannot be continued: %v", err)
	}
	t.Sum = sum
	data, err := json.Marshal(t)
	return base64.RawURLEncoding.EncodeToString(data), err
}

// sum is over the whole request but for token and limit, in an encoding that does not depend on the order of members.
func (l *listing) sum(t pageToken) ([]byte, error) {
	r := l.request
	data, err := json.Marshal([]any{
		l.kind, r.Subject.Type, r.Subject.ID, said(r.Subject.Properties), r.Action.Name, said(r.Action.Properties),
		r.Resource.Type, r.Resource.ID, said(r.Resource.Properties), said(r.Context), l.pageProperties(),
		t.ID, t.Offset, t.Limit,
	})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	return sum[:16], nil
}

func (l *listing) pageProperties() map[string]any {
	if l.request.Page == nil {
		return nil
	}
	return said(l.request.Page.Properties)
}

// said is what an object says: a null counts as absent, and so does an object that says nothing.
func said(members map[string]any) map[string]any {
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
