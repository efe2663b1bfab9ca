package pdp_test

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles/input"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/policies"
)

// rulesEvaluated counts the rules and queries that an evaluation enters.
type rulesEvaluated int

func (n *rulesEvaluated) Enabled() bool { return true }

func (n *rulesEvaluated) TraceEvent(event topdown.Event) {
	if event.Op == topdown.EnterOp {
		*n++
	}
}

func (n *rulesEvaluated) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// Each model gets 300 more rules about other actions. No question may evaluate more rules than before: each rule begins
// with the action, so that OPA indexes the rules by it.
func TestRulesOfOtherActionsAreNotEvaluated(t *testing.T) {
	t.Parallel()
	count := 300
	if fewerQuestions() {
		count = 30
	}
	more := otherRules(t, count)
	view := sample(t, "bench.yaml")
	counts := func(more map[string]string) map[string]rulesEvaluated {
		engine := pdp.New(pdp.Config{Timeout: time.Minute, Policy: prepared(t, open(t, overlay(t, more), "authz/decision")), Source: fixed{view}})
		counted := map[string]rulesEvaluated{}
		for _, question := range askedOfEach() {
			require.Equal(t, question.allow, decide(t, engine, question.request).Allow, question.name)
			in, err := engine.InputTerm(context.Background(), question.request)
			require.NoError(t, err)
			var n rulesEvaluated
			_, err = engine.Query().Eval(context.Background(), input.Of(in), &n)
			require.NoError(t, err)
			require.Greater(t, n, rulesEvaluated(5), question.name)
			counted[question.name] = n
		}
		return counted
	}
	require.Equal(t, counts(nil), counts(more))
}

// BenchmarkDecideAmongRulesOfOtherActions measures decisions by both evaluators, with and without 300 more rules for each model.
func BenchmarkDecideAmongRulesOfOtherActions(b *testing.B) {
	view := sample(b, "bench.yaml")
	for _, count := range []int{0, 300} {
		r := open(b, overlay(b, otherRules(b, count)), "authz/decision")
		interpreted, err := pdp.PrepareInterpreted(b.Context(), r)
		require.NoError(b, err)
		for _, policy := range []*pdp.Policy{prepared(b, r), interpreted} {
			engine := pdp.New(pdp.Config{Timeout: time.Minute, Policy: policy, Source: fixed{view}})
			questions := askedOfEach()
			b.Run(fmt.Sprintf("%s/%d", policy.Evaluator().Name, count), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					for _, question := range questions {
						decide(b, engine, question.request)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(questions)), "ns/question")
			})
		}
	}
}

// otherRules returns modules with count rules for each model, spread over the rules that decide on actions.
func otherRules(tb testing.TB, count int) map[string]string {
	tb.Helper()
	modules := map[string]string{}
	for _, model := range models {
		heads := judgingRules(tb, model)
		require.NotEmpty(tb, heads, model)
		var b strings.Builder
		fmt.Fprintf(&b, "package authz.%s\n", model)
		for i := range count {
			fmt.Fprintf(&b, "\n%s if {\n\tinput.action.name == \"other_%d\"\n\tcount(input.facts.subject.held) > %d\n}\n", heads[i%len(heads)], i, i)
		}
		modules["authz/"+model+"/other.rego"] = b.String()
	}
	return modules
}

// judgingRules returns the heads of the rules of a model that decide on actions: power, met, using and outcome.
func judgingRules(tb testing.TB, model string) []string {
	tb.Helper()
	found := map[string]string{}
	names, err := fs.Glob(policies.Files(), "authz/"+model+"/*.rego")
	require.NoError(tb, err)
	for _, name := range names {
		data, err := fs.ReadFile(policies.Files(), name)
		require.NoError(tb, err)
		if strings.HasSuffix(name, "_test.rego") {
			continue
		}
		for _, rule := range ast.MustParseModule(string(data)).Rules {
			if !slices.Contains([]string{"power", "met", "using", "outcome"}, rule.Head.Name.String()) {
				continue
			}
			head := rule.Head.Name.String()
			if args := len(rule.Head.Args); args > 0 {
				head += "(" + strings.Repeat("_, ", args-1) + "_)"
			}
			if !rule.Head.Value.Equal(ast.BooleanTerm(true)) {
				head += " := {}"
			}
			found[rule.Head.Name.String()] = head
		}
	}
	var heads []string
	for _, head := range found {
		heads = append(heads, head)
	}
	slices.Sort(heads)
	return heads
}
