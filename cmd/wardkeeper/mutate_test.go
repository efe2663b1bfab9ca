package main

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// writing is a rule whose second condition no test and no golden decision of the small policy needs.
const writing = `
decision := {"allow": true} if {
	input.action.name == "write"
	not input.context.frozen
}
`

// mutateReaders returns the command line that measures the tests of the small policy.
func mutateReaders(dir string, more ...string) []string {
	return append([]string{"mutate", filepath.Join(dir, "policy"), "--decision", "app/decision", "--golden", filepath.Join(dir, "golden")}, more...)
}

// readersWriting is the small policy with tests that notice all mutants but those of the planted condition.
func readersWriting(t *testing.T) string {
	return readersPolicy(t, map[string]string{
		"policy/app/app.rego":  readersFiles["policy/app/app.rego"] + writing,
		"policy/app/data.yaml": "table:\n  read: {who: ann}\n",
		"policy/app/app_test.rego": readersFiles["policy/app/app_test.rego"] + `
test_table[name] if {
	some name, who in {"read": "ann"}
	data.app.table[name].who == who
}

test_others_write if data.app.decision.allow with input as {"action": {"name": "write"}, "context": {}}

test_nothing_else if data.app.decision == {"allow": false} with input as {"action": {"name": "else"}}

test_table_as_it_is if count(data.app.faults) == 0
`,
	})
}

func TestMutateListsWhatNothingNotices(t *testing.T) {
	t.Parallel()
	dir := readersWriting(t)
	got := run(t, nil, mutateReaders(dir, "--score", "96")...)
	require.Equal(t, statusNo, got.status, got)
	require.Equal(t, "app/app.rego:21: decision: left out: `not input.context.frozen`\n"+
		"mutants    21      that compile, of 21\n"+
		"noticed    20      3 when loaded, 10 by golden decisions, 7 by Rego tests\n"+
		"survivors  1       0 of them justified\n"+
		"score      95.2 %  at least 96 % required\n", got.out)
}

func TestMutateJustifiesSurvivors(t *testing.T) {
	t.Parallel()
	dir := readersWriting(t)
	justified := filepath.Join(dir, "mutants.yaml")
	const good = "- file: app/app.rego\n  at: decision\n  change: \"left out: `not input.context.frozen`\"\n  reason: nothing is ever frozen\n"
	for name, c := range map[string]struct {
		text, says string
		status     int
	}{
		"justified":              {good, "", statusOK},
		"of nothing":             {good + "- {file: app/app.rego, at: decision, change: negated, reason: why}\n", "mutants.yaml: line 5: there is no such survivor: app/app.rego: decision: negated: remove the justification", statusNo},
		"of too many":            {good + "  times: 2\n", "mutants.yaml: line 1: 1 survivor like this, not 2: app/app.rego: decision: left out: `not input.context.frozen`", statusNo},
		"no reason":              {"- {file: a, at: b, change: c}\n", "line 1: give file, at, change and reason", statusFailed},
		"a misspelt member":      {"- {fiel: a, at: b, change: c, reason: d}\n", "fiel", statusFailed},
		"nothing":                {"", "", statusNo},
		"a file that is no list": {"file: a\n", "cannot unmarshal", statusFailed},
	} {
		putFile(t, justified, c.text)
		got := run(t, nil, mutateReaders(dir, "--justified", justified, "--score", "100")...)
		require.Equal(t, c.status, got.status, "%s: %v", name, got)
		require.Contains(t, got.err, c.says, name)
	}
}

func TestMutateInJSON(t *testing.T) {
	t.Parallel()
	got := run(t, nil, mutateReaders(readersWriting(t), "--json", "--only", "app/app.rego")...)
	var said struct {
		Mutants   int
		Survivors []struct {
			File, At, Change string
			Line             int
		}
		Score float64
	}
	require.NoError(t, json.Unmarshal([]byte(got.out), &said))
	require.Len(t, said.Survivors, 1)
	require.Equal(t, 21, said.Survivors[0].Line)
	require.Less(t, said.Mutants, 21, "those of the table are not tried")
}

func TestMutateNeedsAPolicyThatPasses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		changes map[string]string
		more    []string
		says    string
	}{
		"a test fails":              {changes: map[string]string{"policy/app/more_test.rego": "package app_test\n\ntest_more if 1 == 2\n"}, says: "test_more fails"},
		"a case of a test fails":    {changes: map[string]string{"policy/app/more_test.rego": "package app_test\n\ntest_more[n] if {\n\tsome n in [\"a\", \"b\"]\n\tn == \"a\"\n}\n"}, says: "test_more fails: b"},
		"a golden decision differs": {changes: map[string]string{"policy/app/data.yaml": "table:\n  read: {who: eve}\n"}, says: "golden decisions differ"},
		"it does not compile":       {changes: map[string]string{"policy/app/app.rego": "package app\n\nx if y\n"}, says: "var y is unsafe"},
		"no such part":              {more: []string{"--only", "nowhere"}, says: `"nowhere": paths are such as app/app.rego`},
		"no such golden decisions":  {more: []string{"--golden", "nowhere"}, says: "the golden decisions of nowhere"},
		"no percentage":             {more: []string{"--score", "101"}, says: "--score is 101"},
		"no workers":                {more: []string{"--workers", "0"}, says: "--workers is 0"},
	} {
		got := run(t, nil, mutateReaders(readersPolicy(t, c.changes), c.more...)...)
		require.Equal(t, statusFailed, got.status, "%s: %v", name, got)
		require.Contains(t, got.err, c.says, name)
	}
	require.Equal(t, statusFailed, run(t, nil, "mutate", "nowhere").status)
}
