package pdp_test

import (
	"context"
	"errors"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles/input"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

func TestInputReplaysToTheSameDecision(t *testing.T) {
	t.Parallel()
	engine := builtIn(t, "bench.yaml")
	for _, question := range askedOfEach() {
		in, err := engine.Input(t.Context(), question.request)
		require.NoError(t, err)
		seen, err := engine.InputTerm(t.Context(), question.request)
		require.NoError(t, err)
		term := ast.NewTerm(ast.MustInterfaceToValue(in))
		require.True(t, seen.Equal(term), "%s: %s is not %s", question.name, term, seen)
		decision, err := engine.Query().Eval(t.Context(), input.Of(term))
		require.NoError(t, err)
		allow, err := decision.Value.Find(ast.Ref{ast.StringTerm("allow")})
		require.NoError(t, err)
		require.Equal(t, ast.Boolean(question.allow), allow, question.name)
	}
}

// failedSource is a source whose facts are unavailable.
type failedSource struct{}

func (failedSource) View(context.Context, facts.Requirement) (facts.View, error) {
	return nil, errors.New("down")
}

// The errors must have the same kinds as the errors of Decide.
func TestInputFailsWithoutPolicyOrFacts(t *testing.T) {
	policy := builtIn(t, "bench.yaml").Policy()
	for name, c := range map[string]struct {
		cfg  pdp.Config
		kind pdp.Kind
	}{
		"no policy": {pdp.Config{}, pdp.Unavailable},
		"no facts":  {pdp.Config{Policy: policy, Source: failedSource{}}, pdp.Unavailable},
		"a panic":   {pdp.Config{Policy: policy, Source: fixed{struct{ facts.View }{}}}, pdp.Internal},
	} {
		in, err := pdp.New(c.cfg).Input(t.Context(), askedOfEach()[0].request)
		require.Equal(t, c.kind, pdp.KindOf(err), name)
		require.Nil(t, in, name)
	}
}
