package httpapi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// The context of the decision reaches the client.
func TestContextReachesTheDeciderOnEveryPath(t *testing.T) {
	const context1, context2 = `"context":{"at_least":"5~epoch","include":["freshness"]}`, `"context":{"at_least":"7~epoch"}`
	want := map[string]any{"at_least": "5~epoch", "include": []any{"freshness"}}
	decision := pdp.Decision{Allow: true, Context: map[string]any{"freshness": map[string]any{"revision": "r1"}}}
	const answered = `{"decision":true,"context":{"freshness":{"revision":"r1"}}}`
	var got []map[string]any
	find := func(_ context.Context, r pdp.SearchRequest) (pdp.SearchResult, error) {
		got = append(got, r.Context)
		return pdp.SearchResult{}, nil
	}
	data := dataFunc(func(in pdp.DataInput) pdp.DataAnswer {
		got = append(got, in.Value.(map[string]any)["context"].(map[string]any))
		return pdp.DataAnswer{Value: true, Defined: true, Decision: &decision}
	})
	h := start(t, Config{Data: data, Decider: &fakeDecider{
		decide: func(_ context.Context, r pdp.Request) (pdp.Decision, error) {
			got = append(got, r.Context)
			return decision, nil
		},
		decideAll: func(_ context.Context, items []pdp.Item, _ authzen.Semantic) ([]pdp.Outcome, error) {
			outcomes := make([]pdp.Outcome, len(items))
			for i, item := range items {
				got = append(got, item.Request.Context)
				outcomes[i].Decision = decision
			}
			return outcomes, nil
		}, subjects: find, resources: find, actions: find,
	}})
	asked := func(path, body string) string {
		got = nil
		a := h.post(path, body)
		require.Equal(t, 200, a.status, a.body)
		return a.body
	}
	one := `{` + context1 + `,` + question[1:]
	assert.Equal(t, answered, asked("/access/v1/evaluation", one))
	assert.Equal(t, []map[string]any{want}, got)
	assert.Equal(t, answered, asked("/access/v1/evaluations", one))
	assert.Equal(t, []map[string]any{want}, got)
	// An item of a batch uses the common context unless it has its own.
	assert.Equal(t, `{"evaluations":[`+answered+`,`+answered+`]}`, asked("/access/v1/evaluations", `{"evaluations":[{},{`+context2+`}],`+one[1:]))
	assert.Equal(t, []map[string]any{want, {"at_least": "7~epoch"}}, got)
	for _, kind := range []string{"subject", "resource", "action"} {
		asked("/access/v1/search/"+kind, one)
		assert.Equal(t, []map[string]any{want}, got)
	}
	asked("/v1/data/authz/decision", `{"input":`+one+`}`)
	assert.Equal(t, []map[string]any{want}, got)
}

func TestFreshnessErrorsOnEveryPath(t *testing.T) {
	for status, err := range map[int]*pdp.Error{
		400: {Kind: pdp.Invalid, Message: "The token in at_least is none that announcing a change gave.", Err: errors.New("redis")},
		503: {Kind: pdp.Unavailable, Message: "Membership facts are unavailable.", Err: errors.New(`user "jane" is quarantined`)},
	} {
		find := func(context.Context, pdp.SearchRequest) (pdp.SearchResult, error) { return pdp.SearchResult{}, err }
		h := start(t, Config{Data: failingData(err), Decider: &fakeDecider{
			decide: func(context.Context, pdp.Request) (pdp.Decision, error) { return pdp.Decision{Allow: true}, err },
			decideAll: func(_ context.Context, items []pdp.Item, _ authzen.Semantic) ([]pdp.Outcome, error) {
				return []pdp.Outcome{{Decision: pdp.Decision{Allow: true}, Err: err}, {}}, nil
			}, subjects: find, resources: find, actions: find,
		}})
		for _, path := range []string{"evaluation", "search/subject", "search/resource", "search/action"} {
			assert.Equal(t, err.Message, h.post("/access/v1/"+path, question).requireError(t, status), path)
		}
		a := h.post("/access/v1/evaluations", `{"evaluations":[{},{}],`+question[1:])
		assert.Equal(t, 200, a.status)
		assert.Equal(t, fmt.Sprintf(`{"evaluations":[{"decision":false,"context":{"error":{"status":%d,"message":%q}}},{"decision":false}]}`, status, err.Message), a.body)
		code := "internal_error"
		if status == 400 {
			code = "invalid_parameter"
		}
		h.post("/v1/data/authz/decision", `{"input":`+question+`}`).requireOPAError(t, status, code)
		for _, word := range strings.Fields("redis quarantined jane") {
			assert.NotContains(t, a.body, word, "causes are for the log")
		}
	}
}
