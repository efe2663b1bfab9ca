package pdp_test

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles/input"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// counted is a view that counts lookups of locations.
type counted struct {
	facts.View
	locations *atomic.Int64
}

func (c counted) Location(ctx context.Context, id string) (*facts.Location, error) {
	c.locations.Add(1)
	return c.View.Location(ctx, id)
}

// patients returns questions about patients that share their locations.
func patients(questions, locations int) []pdp.Item {
	named := make([]any, locations)
	for i := range named {
		named[i] = "l" + strconv.Itoa(i)
	}
	shared := map[string]any{"locations": named}
	items := make([]pdp.Item, questions)
	for i := range items {
		r := ask("regina", "patient.view", "patient", "p", "", "metro", nil)
		r.Resource.Properties = shared
		items[i].Request = r
	}
	return items
}

func TestSharedLocationsOfABatchAreLookedUpOnce(t *testing.T) {
	view := counted{sample(t, "bench.yaml"), new(atomic.Int64)}
	engine := withSource(t, fixed{view})
	outcomes, err := engine.DecideAll(t.Context(), patients(10, 900), authzen.ExecuteAll)
	require.NoError(t, err)
	for _, o := range outcomes {
		require.NoError(t, o.Err)
		require.Equal(t, outcomes[0], o)
	}
	require.Less(t, view.locations.Load(), int64(2*900))
}

// The same limit applies to OPA's API.
func TestLocationsNamedByABatchAreBounded(t *testing.T) {
	engine := withSource(t, fixed{sample(t, "bench.yaml")})
	items := patients(1000, 999)
	_, err := engine.DecideAll(t.Context(), items, authzen.ExecuteAll)
	require.Equal(t, pdp.Invalid, pdp.KindOf(err))
	require.ErrorContains(t, err, "more than 10000 locations together")

	inputs := make([]pdp.DataInput, 20)
	for i := range inputs {
		inputs[i] = pdp.DataInput{Sent: true, Value: map[string]any{
			"subject": map[string]any{"type": "user", "id": "regina"}, "action": map[string]any{"name": "patient.view"},
			"resource": map[string]any{"type": "patient", "id": "p", "properties": items[0].Request.Resource.Properties},
		}}
	}
	_, err = engine.Data(t.Context(), pdp.DataRequest{Decision: true, Inputs: inputs})
	require.Equal(t, pdp.Invalid, pdp.KindOf(err))
	require.ErrorContains(t, err, "more than 10000 locations together")
}

// A shared value counts once for each input.
func TestValuesOfInputsAreBounded(t *testing.T) {
	shared := make([]any, 1000)
	inputs := make([]pdp.DataInput, 1000)
	for i := range inputs {
		inputs[i] = pdp.DataInput{Value: map[string]any{"shared": shared}, Sent: true}
	}
	engine := general(t, `decision := true`)
	_, err := engine.Data(t.Context(), pdp.DataRequest{Decision: true, Inputs: inputs})
	require.Equal(t, pdp.Invalid, pdp.KindOf(err))
	require.ErrorContains(t, err, "more than 200000 values together")
	_, err = engine.Data(t.Context(), pdp.DataRequest{Decision: true, Inputs: inputs[:100]})
	require.NoError(t, err)
}

// junk returns an object with many values.
func junk(values int) map[string]any {
	members := make(map[string]any, values)
	for i := range values {
		members[fmt.Sprintf("junk%d", i)] = map[string]any{"x": []any{true, nil, "y"}}
	}
	return members
}

func TestUnreadMembersTakeNoMemory(t *testing.T) {
	plain := ask("regina", "assignment.add", "user", "ed", "abc", "metro", map[string]any{"role": "ed_normal"})
	full := plain
	full.Subject.Properties, full.Action.Properties, full.Resource.Properties, full.Context = junk(5000), junk(5000), junk(5000), junk(5000)
	full.Action.Properties["role"], full.Resource.Properties["location"], full.Context["current_location"] = "ed_normal", "abc", "metro"
	for name, engine := range map[string]*pdp.Engine{
		"built-in": builtIn(t, "bench.yaml"),
		"general":  general(t, "default decision := false\n\ndecision if input.action.properties.role == input.context.current_location"),
	} {
		want, err := engine.Decide(t.Context(), plain)
		require.NoError(t, err)
		got, err := engine.Decide(t.Context(), full)
		require.NoError(t, err)
		require.Equal(t, want, got)
		of := func(r pdp.Request) float64 {
			return testing.AllocsPerRun(20, func() { _, _ = engine.Decide(t.Context(), r) })
		}
		require.Less(t, of(full), of(plain)+500, name)
	}
}

// The policy decides the whole question the same way.
func TestUnreadMembersDoNotChangeDecisions(t *testing.T) {
	t.Parallel()
	worlds := 6
	if fewerQuestions() {
		worlds = 1
	}
	for seed := range uint64(worlds) {
		w := generate(seed)
		engine := over(t, w)
		a := newQuestionGenerator(w, seed)
		for range 150 {
			r := a.question()
			d, err := engine.Decide(t.Context(), r)
			if err != nil {
				continue
			}
			whole, err := engine.InputTerm(t.Context(), r)
			require.NoError(t, err)
			term, err := engine.Query().Eval(t.Context(), input.Of(whole))
			require.NoError(t, err)
			allow, err := term.Value.Find(ast.Ref{ast.StringTerm("allow")})
			require.NoError(t, err)
			require.Equal(t, ast.Boolean(d.Allow), allow, show(r))
			reasons, err := term.Value.Find(ast.Ref{ast.StringTerm("reasons")})
			if err != nil {
				require.Empty(t, d.Reasons)
				continue
			}
			said, err := ast.JSON(reasons)
			require.NoError(t, err)
			require.Equal(t, said, anyOf(d.Reasons), show(r))
		}
	}
}

func anyOf(list []any) any {
	if list == nil {
		return []any{}
	}
	return list
}
