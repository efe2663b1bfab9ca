package release_test

import (
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/stretchr/testify/require"
)

const mixedTests = `package app_test

test_holds if data.app.decision

test_does_not_hold if not data.app.decision

test_is_not_true := 1

test_twice if true

test_twice if false

todo_test_later if false

test_prints if {
	print("seen")
	false
}

test_conflicts if conflict

conflict := x if some x in [1, 2]

test_cases[name] if {
	some name, n in {"good": 1, "bad": 2, "": 3}
	n == 1
}

test_numbered[n] if {
	some n in [1, 2, 3]
	n < 3
}

test_false[name] := n == 1 if some name, n in {"good": 1, "bad": 2}

test_nested[of][name] if {
	some of, cases in {"x": {"a": 1, "b": 2}, "y": {"a": 2}, "z": {"a": 1}}
	some name, n in cases
	n == 1
}

test_without_cases[name] if some name in []

test_of.a if true

test_of.b if false

test_set contains "a"

test_list := [true]
`

// The tests fail that fail in OPA's own test runner, and so do their cases.
func TestTestsFailThatFailInOPA(t *testing.T) {
	policy := "package app\n\ndecision := true\n"
	tree := compiledTree(t, map[string]string{"app/app.rego": policy, "app/app_test.rego": mixedTests})
	report, err := tree.Test(t.Context())
	require.NoError(t, err)
	results, err := tester.NewRunner().SetModules(map[string]*ast.Module{
		"/app/app.rego": ast.MustParseModule(policy), "/app/app_test.rego": ast.MustParseModule(mixedTests),
	}).RunTests(t.Context(), nil)
	require.NoError(t, err)
	ran, skipped := 0, 0
	wanted := map[string]string{} // the failed cases, by test
	for result := range results {
		switch {
		case result.Skip:
			skipped++
			continue
		case !result.Pass():
			var cases []string
			for name, sub := range result.SubResults.Iter {
				if sub.Fail && len(sub.SubResults) == 0 {
					cases = append(cases, strings.Join(name, "/"))
				}
			}
			wanted[result.Name] = strings.Join(cases, ", ")
			if result.Error != nil {
				wanted[result.Name] = "error"
			}
		}
		ran++
	}
	require.Equal(t, ran, report.Ran)
	require.Equal(t, skipped, report.Skipped)
	got := map[string]string{}
	for _, failed := range report.Failed {
		first, printed, _ := strings.Cut(failed, "\n")
		before, cases, _ := strings.Cut(first, " fails")
		before, _, isError := strings.Cut(before, " cannot be evaluated: ")
		_, name, _ := strings.Cut(before, ": app_test.")
		got[name] = strings.TrimPrefix(cases, ": ")
		if isError {
			got[name] = "error"
		}
		require.Equal(t, name == "test_prints", printed == "seen", failed)
	}
	require.Equal(t, wanted, got)
	require.Equal(t, "x/b, y/a", got["test_nested"])
}
