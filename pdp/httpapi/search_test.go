package httpapi

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

const fullSearch = `{"subject":{"type":"user","id":"alice"},"action":{"name":"user.view"},"resource":{"type":"doc","id":"1"},` +
	`"context":{"c":1},"page":{"token":"t","limit":2,"properties":{"sort":"name"}}}`

func TestSearchesReachTheDecider(t *testing.T) {
	var got pdp.SearchRequest
	var which string
	find := func(name string) func(context.Context, pdp.SearchRequest) (pdp.SearchResult, error) {
		return func(_ context.Context, r pdp.SearchRequest) (pdp.SearchResult, error) {
			which, got = name, r
			return pdp.SearchResult{}, nil
		}
	}
	h := start(t, Config{Decider: &fakeDecider{subjects: find("subject"), resources: find("resource"), actions: find("action")}})
	want := pdp.SearchRequest{
		Subject: authzen.Entity{Type: "user", ID: "alice"}, Action: authzen.Action{Name: "user.view"}, Resource: authzen.Entity{Type: "doc", ID: "1"},
		Context: map[string]any{"c": json.Number("1")}, Page: &authzen.Page{Token: "t", Limit: new(2), Properties: map[string]any{"sort": "name"}},
	}
	for name, open := range map[string]func(*pdp.SearchRequest){
		"subject":  func(r *pdp.SearchRequest) { r.Subject.ID = "" },
		"resource": func(r *pdp.SearchRequest) { r.Resource.ID = "" },
		"action":   func(r *pdp.SearchRequest) { r.Action = authzen.Action{} },
	} {
		a := h.post("/access/v1/search/"+name, fullSearch)
		assert.Equal(t, 200, a.status)
		assert.Equal(t, `{"results":[]}`, a.body)
		assert.Equal(t, name, which)
		w := want
		open(&w)
		assert.Equal(t, w, got, name)
	}
}

func TestSearchAnswers(t *testing.T) {
	total := 7
	for want, r := range map[string]pdp.SearchResult{
		`{"results":[]}`: {},
		`{"page":{"next_token":"","count":0},"results":[]}`: {Page: &pdp.PageInfo{}},
		`{"page":{"next_token":"a\"b","count":2,"total":7},"results":[{"type":"user","id":"1"},{"type":"user","id":"2<","properties":{"a":null,"name":{"family":"B"}}}]}`: {
			Page: &pdp.PageInfo{NextToken: `a"b`, Count: 2, Total: &total},
			Hits: []pdp.Hit{{Type: "user", ID: "1"}, {Type: "user", ID: "2<", Properties: map[string]any{"name": map[string]any{"family": "B"}, "a": nil}}},
		},
		`{"results":[{"name":"read"},{"name":"write","obligations":[{"id":"1","type":"custom","properties":{}}]}]}`: {
			Hits: []pdp.Hit{{Name: "read"}, {Name: "write", Obligations: []pdp.Obligation{{ID: "1", Type: "custom"}}}}},
		`{"results":[{"type":"user","id":"1","properties":{"a":1},"obligations":[{"id":"1","type":"custom","properties":{"b":2}}]}]}`: {
			Hits: []pdp.Hit{{Type: "user", ID: "1", Properties: map[string]any{"a": 1},
				Obligations: []pdp.Obligation{{ID: "1", Type: "custom", Properties: map[string]any{"b": 2}}}}}},
	} {
		h := start(t, Config{Decider: &fakeDecider{resources: func(context.Context, pdp.SearchRequest) (pdp.SearchResult, error) { return r, nil }}})
		assert.Equal(t, want, h.post("/access/v1/search/resource", fullSearch).body)
	}
}

func TestSearchFails(t *testing.T) {
	for status, err := range map[int]error{
		400: &pdp.Error{Kind: pdp.Invalid, Message: "The token is for another list."},
		503: &pdp.Error{Kind: pdp.Unavailable, Message: "There is no directory."},
		404: &pdp.Error{Kind: pdp.NotOffered, Message: "There are no candidates."},
		500: &pdp.Error{Kind: pdp.Internal, Message: "It broke."},
	} {
		h := start(t, Config{Decider: &fakeDecider{actions: func(context.Context, pdp.SearchRequest) (pdp.SearchResult, error) {
			return pdp.SearchResult{Hits: []pdp.Hit{{Name: "x"}}}, err
		}}})
		h.post("/access/v1/search/action", fullSearch).requireError(t, status)
	}
	h := start(t, Config{Decider: &fakeDecider{actions: func(context.Context, pdp.SearchRequest) (pdp.SearchResult, error) {
		return pdp.SearchResult{Hits: []pdp.Hit{{Type: "t", ID: "i", Properties: map[string]any{"f": func() {}}}}}, nil
	}}})
	h.post("/access/v1/search/action", fullSearch).requireError(t, 500)
	assert.Contains(t, h.post("/access/v1/search/action", `{"page":{"limit":-1},`+question[1:]).requireError(t, 400), `"limit" is not a valid number of results`)
	assert.Contains(t, h.post("/access/v1/search/subject", `{"subject":{"type":"user"},"action":{"name":"x"},"resource":{"type":"t"}}`).requireError(t, 400), `"id" is missing at /resource`)
}

func TestUsersOfWhomNothingCanBeSaidAreNamed(t *testing.T) {
	out, err := appendSearchResult(nil, &pdp.SearchResult{Page: &pdp.PageInfo{Count: 1, Incomplete: []string{"jane", `a"b`}}, Hits: []pdp.Hit{{Type: "user", ID: "bob"}}})
	assert.NoError(t, err)
	assert.JSONEq(t, `{"page": {"next_token": "", "count": 1, "properties": {"incomplete": ["jane", "a\"b"]}}, "results": [{"type": "user", "id": "bob"}]}`, string(out))
}
