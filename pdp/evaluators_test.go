package pdp_test

import (
	"context"
	"flag"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/input"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/policies"
)

var (
	directories    = flag.Uint64("directories", 400, "how many directories to generate; 250 questions are asked about each")
	firstDirectory = flag.Uint64("first-directory", 0, "the seed of the first generated directory")
)

// TestCompiledPolicyAgreesWithTheInterpreter asks generated questions about generated directories of all models: each query of
// the policy has the same value compiled and interpreted.
func TestCompiledPolicyAgreesWithTheInterpreter(t *testing.T) {
	t.Parallel()
	directories, questions := *directories, 250
	if fewerQuestions() {
		directories, questions = 20, 50
	}
	r := open(t, policies.Files(), "authz/decision")
	compiled, err := pdp.Prepare(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, pdp.Evaluator{Name: pdp.Compiled}, compiled.Evaluator())
	interpreted, err := pdp.PrepareInterpreted(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, pdp.Evaluator{Name: pdp.Interpreted}, interpreted.Evaluator())
	parts := uint64(runtime.GOMAXPROCS(0))
	var asked, allowed atomic.Int64
	t.Run("directories", func(t *testing.T) {
		for part := range parts {
			t.Run(strconv.FormatUint(part, 10), func(t *testing.T) {
				t.Parallel()
				for i := part; i < directories; i += parts {
					compare(t, compiled, interpreted, *firstDirectory+i, questions, &asked, &allowed)
				}
			})
		}
	})
	require.Greater(t, allowed.Load(), int64(directories))
	t.Logf("%d questions, %d of them allowed", asked.Load(), allowed.Load())
}

// A policy offers candidates by rules beneath candidates (pdp/authzen/PROTOCOL.md), not by one of that name.
func TestPolicyWithCandidatesIsCompiled(t *testing.T) {
	rego := "package app\n\ndefault decision := false\ndecision if input.action.name == \"read\"\ncandidates.resource.doc contains \"1\"\n"
	policy, err := pdp.Prepare(t.Context(), open(t, fstest.MapFS{"app.rego": {Data: []byte(rego)}}, "app/decision"))
	require.NoError(t, err)
	require.Equal(t, pdp.Evaluator{Name: pdp.Compiled}, policy.Evaluator())
	engine := pdp.New(pdp.Config{Policy: policy, Timeout: time.Minute})
	result, err := engine.SearchResources(t.Context(), pdp.SearchRequest{Subject: authzen.Entity{Type: "user", ID: "a"},
		Action: authzen.Action{Name: "read"}, Resource: authzen.Entity{Type: "doc"}})
	require.NoError(t, err)
	require.Len(t, result.Hits, 1)
}

// compare asks generated questions about the directory of a seed, and counts them and those that are allowed.
func compare(t *testing.T, compiled, interpreted *pdp.Policy, seed uint64, questions int, asked, allowed *atomic.Int64) {
	w := generate(seed)
	engine := pdp.New(pdp.Config{Timeout: time.Minute, Policy: compiled, Source: fixed{w.directory(t)}})
	ask := newQuestionGenerator(w, seed)
	fast, slow := compiled.Queries(), interpreted.Queries()
	for range questions {
		q := ask.question()
		in, err := engine.InputTerm(context.Background(), q)
		if err != nil {
			continue
		}
		asked.Add(1)
		before := in.Value.Hash()
		for name := range fast {
			want, got := value(t, slow[name], in), value(t, fast[name], in)
			if ast.Compare(want, got) != 0 {
				t.Fatalf("seed %d, query %s: compiled %v, interpreted %v, input %v", seed, name, got, want, in)
			}
			if name == "allow" && ast.Compare(got, ast.Boolean(true)) == 0 {
				allowed.Add(1)
			}
		}
		require.Equal(t, before, in.Value.Hash(), "the input was changed")
	}
}

func value(t *testing.T, q *bundles.Query, in *ast.Term) ast.Value {
	v, err := q.Eval(context.Background(), input.Of(in))
	require.NoError(t, err)
	if v == nil {
		return nil
	}
	return v.Value
}
