package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/proof"
)

func TestVerifyRefutesWithAnExampleThatCanBeAsked(t *testing.T) {
	t.Parallel()
	properties := writeFile(t, "properties.yaml", `properties:
- {property: nobody deletes, actions: [user.delete], never: allowed}
- {property: nobody edits, actions: [user.edit], never: allowed}
- property: stage 1
  actions: [user.delete]
  reasons: [current_location_required]
  independent_of: another_organization
`)
	got := run(t, nil, "verify", "--properties", properties, "--action", "user.delete")
	require.Equal(t, statusNo, got.status, got)
	require.Contains(t, got.out, "proved       nobody deletes\n")
	require.Contains(t, got.out, "refuted      stage 1\n")
	require.Contains(t, got.out, "proved       Every question has an answer\n")
	require.NotContains(t, got.out, "nobody edits")
	require.Contains(t, got.out, "\nEverything but user.delete was left out (--action): nothing is proved of it, and 1 sentence about others not looked at.\n")
	require.Contains(t, got.err, "explored 5 of 5 worlds")
	require.Contains(t, got.out, "\nwardkeeper ask subject user.delete 'user' --type user") // a line of its own, to be pasted

	require.Equal(t, []string{"nobody edits"}, askAgain(t, properties, "user.delete", "stage 1", false).LeftOut)
}

func TestVerifyRefutesWhatIsSaidOfWhomAQuestionIsAbout(t *testing.T) {
	t.Parallel()
	properties := writeFile(t, "properties.yaml", `properties:
- {property: above, actions: [user.edit], subject: {roles: [division_admin]}, user: {with: [regional_admin], self: false}, never: allowed}
`)
	askAgain(t, properties, "user.edit", "above", true)
}

// askAgain pastes the example that refutes a property of an action, and compares the answers.
func askAgain(t *testing.T, properties, action, property string, allowed bool) (report proof.Report) {
	t.Helper()
	got := run(t, nil, "verify", "--properties", properties, "--action", action, "--json")
	require.NoError(t, json.Unmarshal([]byte(got.out), &report))
	for _, f := range report.Findings {
		if f.Property != property {
			continue
		}
		require.NotNil(t, f.Example, got.out)
		directory := writeFile(t, "example.json", string(f.Example.Directory))
		command := strings.Fields(strings.ReplaceAll(strings.Split(f.Example.Command(""), "\nwardkeeper ")[1], "'", ""))
		command[len(command)-1] = directory
		answer := run(t, nil, append(command, "--json")...)
		require.JSONEq(t, f.Example.Answer, answer.out)
		require.Equal(t, allowed, strings.Contains(answer.out, `"decision":true`), answer.out)
		return report
	}
	require.Fail(t, "the finding is missing")
	return report
}

func TestVerifyRefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "app.rego"), []byte("package app\n\ncatalogue := {\"read\": {\"resource\": \"doc\"}}\n\n"+
		"default allow := false\n\npossible := allow\n\nscope := \"anywhere\"\n\ndefault decision := false\n"), 0o600))
	wrong := writeFile(t, "properties.yaml", "properties:\n- property: p\n  never: allowed\n  actions: [user.dleete]\n")
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"verify", "--properties", wrong}, "line 4: no action is called user.dleete"},
		{[]string{"verify", "--properties", "nowhere.yaml"}, "nowhere.yaml"},
		{[]string{"verify", "--action", "user.dleete"}, "the policy has no action user.dleete"},
		{[]string{"verify", dir, "--decision", "app/decision"}, "needs a catalogue and a vocabulary"},
	} {
		got := run(t, nil, c.args...)
		require.Equal(t, statusFailed, got.status, c.args)
		require.Contains(t, got.err, c.says)
	}
}

// Lines of the rules that no case tries both ways are shown with their text, from a folder.
func TestVerifyShowsGapsWithTheirText(t *testing.T) {
	t.Parallel()
	got := run(t, nil, "verify", policyFolder(t, phones+"\nallow if input.subject.id == \"alice\"\n"))
	require.Equal(t, statusOK, got.status, got)
	require.Regexp(t, `For whoever writes the rules, \d+ lines? that no case above tries both ways:\n`, got.out)
	require.Contains(t, got.out, `: it never holds: allow if input.subject.id == "alice"`+"\n")
}

func TestVerifyListsClasses(t *testing.T) {
	t.Parallel()
	got := run(t, nil, "verify", policyFolder(t, phones), "--classes", "--action", "phone.answer")
	require.Equal(t, statusOK, got.status, "whoever restricts it asks about nothing else: %v", got)
	require.NotContains(t, got.out, "not decided")
	require.True(t, strings.HasSuffix(got.out, "\nEverything but phone.answer was left out (--action): nothing is proved of it.\n"), got.out)
	_, allowed, ok := strings.Cut(got.out, "\nALLOWED\n  phone.answer in regional: ")
	require.True(t, ok, got.out)
	words, _, _ := strings.Cut(allowed, "\n")
	require.Contains(t, words, "holding chief at the region")
	require.Contains(t, allowed, "\n# {\"decision\":true}\n")
	require.Contains(t, got.out, "\nDENIED: not_permitted (R-1)\n  phone.answer in regional: ")
}

// A world that nearly takes all the space there is to explore it is verified alone as it is among others.
func TestVerifyOfOneLargeWorld(t *testing.T) {
	t.Parallel()
	got := run(t, nil, "verify", "--action", "assignment.edit")
	require.Contains(t, got.out, "cases with 155 answers were explored")
	require.NotContains(t, got.out, "too many nodes")
}
