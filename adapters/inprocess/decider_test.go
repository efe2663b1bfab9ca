package inprocess_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/adapters/inprocess"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// engine decides by the id of the resource.
type engine struct{}

func (engine) Decide(_ context.Context, r pdp.Request) (pdp.Decision, error) {
	switch r.Resource.ID {
	case "allow":
		return pdp.Decision{Allow: true}, nil
	case "oblige":
		return pdp.Decision{Allow: true, Obligations: []pdp.Obligation{{ID: "N", Type: "notification", Properties: map[string]any{"to": "jane"}}}}, nil
	case "fail":
		return pdp.Decision{Allow: true}, &pdp.Error{Kind: pdp.Unavailable, Message: "jane is away"}
	}
	return pdp.Decision{Reasons: []any{"no"}, Advice: []any{"ask"}, Context: map[string]any{"x": true}}, nil
}

func (e engine) DecideAll(ctx context.Context, items []pdp.Item, _ authzen.Semantic) ([]pdp.Outcome, error) {
	outcomes := make([]pdp.Outcome, len(items))
	for i, item := range items {
		outcomes[i].Decision, outcomes[i].Err = e.Decide(ctx, item.Request)
		if item.Request.Resource.ID == "broken" {
			return nil, errors.New("jane")
		}
	}
	return outcomes, nil
}

func ask(t *testing.T, ids ...string) ([]authzen.Response, error) {
	t.Helper()
	questions := make([]authzen.Evaluation, len(ids))
	for i, id := range ids {
		questions[i].Resource.ID = id
	}
	return inprocess.New(engine{}).Decide(t.Context(), questions)
}

func TestAnswersAreThoseOfTheAPI(t *testing.T) {
	allow := authzen.Response{Decision: true}
	oblige := authzen.Response{Decision: true, Context: map[string]any{"obligations": []any{map[string]any{"id": "N", "type": "notification", "properties": map[string]any{"to": "jane"}}}}}
	deny := authzen.Response{Context: map[string]any{"reasons": []any{"no"}, "advice": []any{"ask"}, "x": true}}
	failed := authzen.Response{Context: map[string]any{"error": map[string]any{"status": 503}}}
	for id, want := range map[string]authzen.Response{"allow": allow, "oblige": oblige, "deny": deny} {
		got, err := ask(t, id)
		require.NoError(t, err)
		assert.Equal(t, []authzen.Response{want}, got)
	}
	got, err := ask(t, "allow", "fail", "deny", "oblige")
	require.NoError(t, err)
	assert.Equal(t, []authzen.Response{allow, failed, deny, oblige}, got)

	_, err = ask(t, "fail")
	assert.EqualError(t, err, "the engine did not decide: unavailable", "errors are logged, and name nobody")
	_, err = ask(t, "allow", "broken")
	assert.EqualError(t, err, "the engine did not decide")
}
