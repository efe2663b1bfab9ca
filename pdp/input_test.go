package pdp_test

import (
	"context"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// Parts of an input that are kept with records say what the caller said, no more and no less.
func TestInputHasTheWordsOfTheCaller(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		w := generate(seed)
		engine := withSource(t, fixed{w.directory(t)})
		ask := newQuestionGenerator(w, seed)
		for range 100 {
			q := ask.question()
			if len(q.Resource.Properties) == 0 {
				q.Resource.Properties = nil
			}
			require.Equal(t, words(q), inputWords(t, engine, q, facts.ReadsAll()), show(q))
		}
	}
}

func TestInputLacksMembersThatAreNotRead(t *testing.T) {
	engine := builtIn(t, "bench.yaml")
	q := ask("regina", "assignment.remove", "user", "ed", "ghi", "north", nil)
	require.Equal(t, words(q), inputWords(t, engine, q, facts.ReadsAll()))
	got := inputWords(t, engine, q, facts.Reads{})
	require.Empty(t, got["context"])
	require.Empty(t, got["resource"].(map[string]any)["properties"])
}

// words returns what a question says.
func words(q pdp.Request) map[string]any {
	part := func(e authzen.Entity) map[string]any {
		m := map[string]any{"type": e.Type, "id": e.ID}
		if e.Properties != nil {
			m["properties"] = e.Properties
		}
		return m
	}
	action := map[string]any{"name": q.Action.Name}
	if q.Action.Properties != nil {
		action["properties"] = q.Action.Properties
	}
	all := map[string]any{"subject": part(q.Subject), "action": action, "resource": part(q.Resource)}
	if q.Context != nil {
		all["context"] = q.Context
	}
	return all
}

// inputWords returns the input of a question without the facts.
func inputWords(t *testing.T, engine *pdp.Engine, q pdp.Request, reads facts.Reads) map[string]any {
	t.Helper()
	in, err := engine.InputOf(context.Background(), q, reads)
	require.NoError(t, err, show(q))
	value, err := ast.JSON(in.Value)
	require.NoError(t, err)
	all := value.(map[string]any)
	require.NotNil(t, all["facts"])
	delete(all, "facts")
	return all
}
