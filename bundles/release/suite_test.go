package release_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// The first needs no interpreter; the second replaces data, and the third depends on what no plan has.
const suiteTests = `package app_test

test_reads if data.app.decision with input as {"action": "read"}

test_table if data.app.decision with input as {"action": "write"} with data.app.table as {"write": true}

test_cases[name] if {
	some name, allowed in {"read": true, "else": false}
	_is(name, allowed)
}

_is(name, true) if data.app.decision with input as {"action": name}

_is(name, false) if not data.app.decision with input as {"action": name}

test_faults if count(data.app.faults) == 0

todo_test_later if false
`

const suitePolicy = `package app

default decision := false

decision if data.app.table[input.action]

faults contains name if {
	some name, allowed in data.app.table
	not allowed
}
`

// A changed policy fails the test that it fails in OPA's test runner, whatever evaluates that test.
func TestSuiteFindsTheTestThatAChangeFails(t *testing.T) {
	tree := compiledTree(t, map[string]string{"app/app.rego": suitePolicy, "app/app_test.rego": suiteTests, "app/data.yaml": "table: {read: true}\n"})
	suite, err := tree.Suite(t.Context())
	require.NoError(t, err)
	for name, c := range map[string]struct{ file, text, fails string }{
		"nothing changes":           {"app/app.rego", suitePolicy + "\nmore := 1\n", ""},
		"a rule that is compiled":   {"app/app.rego", "package app\n\ndefault decision := false\n\ndecision if false\n\nfaults contains 1 if false\n", "app_test.test_reads"},
		"a case":                    {"app/app.rego", "package app\n\ndefault decision := false\n\ndecision if input.action != \"\"\n\nfaults contains 1 if false\n", "app_test.test_cases"},
		"a table":                   {"app/data.yaml", "table: {read: true, other: false}\n", "app_test.test_faults"},
		"what only the data decide": {"app/app.rego", "package app\n\ndefault decision := false\n\ndecision if input.action == \"read\"\n\nfaults contains 1 if false\n", "app_test.test_table"},
	} {
		failed, err := suite.FirstFailure(t.Context(), bundles.File{Name: c.file, Data: []byte(c.text)})
		require.NoError(t, err, name)
		require.Equal(t, c.fails, failed, name)
		changed := map[string]string{"app/app.rego": suitePolicy, "app/app_test.rego": suiteTests, "app/data.yaml": "table: {read: true}\n"}
		changed[c.file] = c.text
		report, err := compiledTree(t, changed).Test(t.Context())
		require.NoError(t, err, name)
		require.Equal(t, c.fails == "", len(report.Failed) == 0, "%s: %v", name, report.Failed)
	}
}

func TestSuiteNeedsTestsThatPass(t *testing.T) {
	_, err := compiledTree(t, map[string]string{"app/app.rego": suitePolicy, "app/app_test.rego": "package app_test\n\ntest_no if data.app.no\n", "app/data.yaml": "table: {}\n"}).Suite(t.Context())
	require.ErrorContains(t, err, "app_test.test_no fails")
}
