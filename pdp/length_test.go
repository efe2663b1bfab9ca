package pdp_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// long is a policy whose answers have as many MiB as the caller asks for.
const long = `
default decision := false

mebibyte := concat("", [text | some _ in numbers.range(1, 1024); text := _kibibyte])

_kibibyte := concat("", [text | some _ in numbers.range(1, 256); text := "text"])

said := [mebibyte | some _ in numbers.range(1, input.context.mebibytes)]

decision := {"allow": true, "context": {"said": said}} if input.action.name == "say"

decision := {"allow": false, "reasons": said} if input.action.name == "refuse"

decision := {"allow": true, "obligations": [{"id": "o", "type": "custom", "properties": {"said": said}}]} if {
	input.action.name == "oblige"
	input.resource.id != "30"
}

candidates.resource.doc contains id if {
	some n in numbers.range(1, 30)
	id := format_int(n, 10)
}
`

func saying(action string, mebibytes int) pdp.Request {
	r := ask("a", action, "doc", "1", "", "", nil)
	r.Context = map[string]any{"mebibytes": mebibytes}
	return r
}

func TestTooLongAnswerIsAnError(t *testing.T) {
	t.Parallel()
	engine, _ := generalLogged(t, long, time.Minute)
	require.True(t, decide(t, engine, saying("say", 10)).Allow)
	for _, action := range []string{"say", "refuse", "oblige"} {
		_, err := engine.Decide(t.Context(), saying(action, 17))
		require.Equal(t, pdp.Internal, pdp.KindOf(err))
		require.ErrorContains(t, err, "too long")
	}
	for _, r := range []pdp.DataRequest{{Decision: true}, {Path: []string{"app", "said"}}, {Path: []string{"app"}}} {
		r.Inputs = []pdp.DataInput{inputOf(saying("say", 17))}
		result, err := engine.Data(t.Context(), r)
		require.NoError(t, err)
		require.ErrorContains(t, result.Answers[0].Err, "too long")
		require.False(t, result.Answers[0].Defined)
	}
}

// Answers that fit within the limit are returned.
func TestTooLongAnswersTogetherAreErrors(t *testing.T) {
	t.Parallel()
	engine, _ := generalLogged(t, long, time.Minute)
	items, inputs := make([]pdp.Item, 4), make([]pdp.DataInput, 4)
	for i := range items {
		items[i].Request = saying("say", 5)
		inputs[i] = inputOf(items[i].Request)
	}
	outcomes, err := engine.DecideAll(t.Context(), items, authzen.ExecuteAll)
	require.NoError(t, err)
	result, err := engine.Data(t.Context(), pdp.DataRequest{Path: []string{"app", "said"}, Inputs: inputs})
	require.NoError(t, err)
	for i := range 3 {
		require.True(t, outcomes[i].Decision.Allow)
		require.NoError(t, result.Answers[i].Err)
	}
	require.ErrorContains(t, outcomes[3].Err, "too long")
	require.False(t, outcomes[3].Decision.Allow)
	require.ErrorContains(t, result.Answers[3].Err, "too long")
}

func TestListCountsOnlyHitsTowardsTheLimit(t *testing.T) {
	engine, _ := generalLogged(t, long, time.Minute)
	search := func(action string) (pdp.SearchResult, error) {
		return engine.SearchResources(t.Context(), pdp.SearchRequest{
			Subject: authzen.Entity{Type: "user", ID: "a"}, Action: authzen.Action{Name: action},
			Resource: authzen.Entity{Type: "doc"}, Context: map[string]any{"mebibytes": 1},
		})
	}
	found, err := search("refuse")
	require.NoError(t, err)
	require.Empty(t, found.Hits)
	_, err = search("oblige")
	require.ErrorContains(t, err, "too long")
}

// inputOf returns a question as the input of a client of OPA's API.
func inputOf(r pdp.Request) pdp.DataInput {
	return pdp.DataInput{Sent: true, Value: map[string]any{
		"subject":  map[string]any{"type": r.Subject.Type, "id": r.Subject.ID},
		"action":   map[string]any{"name": r.Action.Name},
		"resource": map[string]any{"type": r.Resource.Type, "id": r.Resource.ID},
		"context":  r.Context,
	}}
}
