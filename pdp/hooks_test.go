package pdp

import (
	"context"
	"encoding/json"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Allows is what the policy's rule `allow` says, by which searches go.
func (e *Engine) Allows(ctx context.Context, r Request) (bool, error) {
	ev, err := e.begin(ctx)
	if err != nil {
		return false, err
	}
	return ev.may(ctx, r, ev.allow)
}

// Possible is what the policy's rule `possible` says, by which action searches go.
func (e *Engine) Possible(ctx context.Context, r Request) (bool, error) {
	ev, err := e.begin(ctx)
	if err != nil {
		return false, err
	}
	return ev.may(ctx, r, ev.possible)
}

// Forged are the hits of a resource search that goes on at a token with any content, sealed as if it had been given.
func Forged(e *Engine, r SearchRequest, content string) []Hit {
	var t pageToken
	if json.Unmarshal([]byte(content), &t) != nil {
		return nil
	}
	r.Resource.ID = ""
	token, err := (&listing{kind: resourceSearch, request: r}).seal(t)
	if err != nil {
		return nil
	}
	r.Page = &authzen.Page{Token: token, Properties: r.Page.Properties}
	result, err := e.SearchResources(context.Background(), r)
	if err != nil {
		return nil
	}
	return result.Hits
}

// Documents counts what is compiled of the active policy for callers' paths.
func Documents(e *Engine) int {
	d := e.Policy().documents
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.compiled)
}
