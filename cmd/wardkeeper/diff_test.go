package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/pdp/proof"
	"github.com/wardkeeper/wardkeeper/pdp/review"
	"github.com/wardkeeper/wardkeeper/policies"
)

// withDivisionCell writes the built-in policy with one cell of the column division changed.
func withDivisionCell(t *testing.T, action, cellText string) string {
	t.Helper()
	changed := t.TempDir()
	require.NoError(t, os.CopyFS(changed, policies.Files()))
	editTables(t, filepath.Join(changed, "authz/regional/data.yaml"), func(tables *yaml.Node) {
		cell := member(member(member(tables, "matrix"), action), "division")
		var to yaml.Node
		require.NoError(t, yaml.Unmarshal([]byte(cellText), &to))
		*cell = *to.Content[0]
	})
	return changed
}

// TestDiffOfACellCanBeAskedAgain changes a cell of the built-in policy, and pastes the examples that are shown.
func TestDiffOfACellCanBeAskedAgain(t *testing.T) {
	t.Parallel()
	changed := withDivisionCell(t, "assignment.remove", "{place: here, user: any}") // REG-9
	got := run(t, nil, "diff", "built-in", changed, "--action", "assignment.remove")
	require.Equal(t, statusNo, got.status, got)
	require.Regexp(t, `^\d changes of decisions: \d denied → allowed, 1 denied otherwise; \d not approved, as far as it was explored\.\n\nDENIED → ALLOWED  [0-9a-f]{32}  NOT APPROVED\n  assignment\.remove in regional: `, got.out)
	allowed, _, ok := strings.Cut(got.out, "DENIED OTHERWISE")
	require.True(t, ok, got.out)
	require.Contains(t, allowed, "\nTo approve 2 changes, write this as ", "before what needs no approval")
	require.Contains(t, allowed, "  assignment.remove in regional: holding no role at the region, holding division_admin or public_health_admin at the division, about somebody else, "+
		"at the location where they stand, the user is assigned there, that location is not the user's default, the user has another active assignment in the organization, "+
		"if the application supports every obligation, and in some cases if it does not\n    denied: ")
	require.NotContains(t, allowed, "in some of these cases", "the words say which cases change")
	require.Contains(t, got.out, "    denied: not_permitted (REG-9) → allowed: must custom (REG-W1/multiple_locations)\n")
	require.NotContains(t, got.out, "Not explored")
	require.True(t, strings.HasSuffix(got.out, "\n\nEverything but assignment.remove was left out (--action): there may be changes of any kind.\n"), got.out)
	require.Contains(t, got.out, "cases were compared, within this bound:\n  - ")

	got = run(t, nil, "diff", "built-in", changed, "--action", "assignment.remove", "--markdown")
	require.Regexp(t, `(?s)#### Denied → allowed.*#### To approve\n\nTo approve 2 changes.*#### Denied otherwise`, got.out)
	require.Equal(t, 1, strings.Count(got.out, "#### To approve"))

	got = run(t, nil, "diff", "built-in", changed, "--action", "assignment.remove", "--json")
	require.Equal(t, statusNo, got.status, got)
	var report proof.Differences
	require.NoError(t, json.Unmarshal([]byte(got.out), &report))
	require.Equal(t, proof.Granted, report.Changes[0].Kind)
	for _, c := range report.Changes {
		for bundle, e := range map[string]proof.Example{"": c.Example.Was, changed: c.Example.Is} {
			directory := writeFile(t, "example.json", string(e.Directory))
			command := strings.ReplaceAll(strings.TrimPrefix(e.Ask(bundle), "wardkeeper "), "example.json", directory)
			answer := run(t, nil, append(strings.Fields(strings.ReplaceAll(command, "'", "")), "--json")...)
			require.JSONEq(t, e.Answer, answer.out, command)
		}
	}
}

// A change in a world that nearly takes all the space there is to explore it is said in words, too.
func TestDiffOfALargeWorldIsSaidInWords(t *testing.T) {
	t.Parallel()
	changed := withDivisionCell(t, "assignment.edit", "{place: here, user: any, edit: both}") // REG-6
	got := run(t, nil, "diff", "built-in", changed, "--action", "assignment.edit")
	require.Equal(t, statusNo, got.status, got)
	require.Regexp(t, `^\d changes of decisions: \d denied → allowed, 1 denied otherwise;`, got.out)
	require.Contains(t, got.out, "the new location is a region, a division or a facility, the user is not assigned at the new location, "+
		"the given new_role is not given or one that the policy knows\n")
	require.Contains(t, got.out, "  in some of these cases: it also depends on context.confirmed, what obligations the application supports\n")
	require.NotContains(t, got.out, "too many")
}

// A name in a table that is misspelt is named by file and line, once, with those that there are.
func TestMistypedNamesInTablesAreNamedByLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, to, says string }{
		"a column": {"division: {place: any, user: covered, warn: true}", "divisio: {place: any, user: covered, warn: true}",
			"regional matrix, user.view_locations, divisio: there is no such column, only division, region, region_in_division\n"},
		"a member": {"public_health:       {offered_at: [division], reaches_down", "public_health:       {offered_at: [division], reach_down",
			"regional roles, public_health: there is no member reach_down, only columns, offered_at, reaches_down, sees_patients\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, os.CopyFS(dir, policies.Files()))
			table := filepath.Join(dir, "authz/regional/data.yaml")
			text, err := os.ReadFile(table)
			require.NoError(t, err)
			before, _, ok := strings.Cut(string(text), c.from)
			require.True(t, ok)
			require.NoError(t, os.WriteFile(table, []byte(strings.Replace(string(text), c.from, c.to, 1)), 0o600))
			got := run(t, nil, "diff", "built-in", dir)
			require.Equal(t, statusFailed, got.status, got)
			at := fmt.Sprintf("wardkeeper: policy %s: authz/regional/data.yaml:%d: ", dir, strings.Count(before, "\n")+1)
			require.Contains(t, got.err, at+c.says)
			require.Equal(t, 2, strings.Count(got.err, "\n"), "and that the right one is missing: %s", got.err)
		})
	}
}

// phones is a policy of one action that chiefs may do.
const phones = `package authz

catalogue := {"phone.answer": {"resource": "location"}}

vocabulary := {"roles": {"region": ["chief", "clerk"]}}

default allow := false

allow if {
	input.action.name == "phone.answer"
	input.facts.subject.status == "active"
	input.facts.subject.held[input.facts.current.id] in {"chief"}
}

possible := allow

scope := "anywhere"

decision := {"allow": true} if allow

decision := {"allow": false, "reasons": [{"code": "not_permitted", "rule": "R-1", "message": "<b>No</b> | *really*."}]} if not allow
`

func policyFolder(t *testing.T, rego string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "authz.rego"), []byte(rego), 0o600))
	return dir
}

func TestDiffNeedsApproval(t *testing.T) {
	t.Parallel()
	old := policyFolder(t, phones)
	got := run(t, nil, "diff", old, policyFolder(t, phones+"\nunused := 1\n"))
	require.Equal(t, statusOK, got.status, got)
	require.True(t, strings.HasPrefix(got.out, "No decision changes within the bound.\n\n"), got.out)
	require.Contains(t, got.out, "within this bound:")

	fewer := policyFolder(t, strings.Replace(phones, `{"chief"}`, `{"no one"}`, 1))
	got = run(t, nil, "diff", old, fewer)
	require.Equal(t, statusOK, got.status, got)
	require.Contains(t, got.out, "ALLOWED → DENIED")

	changed := policyFolder(t, strings.Replace(phones, `{"chief"}`, `{"chief", "clerk"}`, 1))
	got = run(t, nil, "diff", old, changed)
	require.Equal(t, statusNo, got.status, got)
	require.Contains(t, got.out, "phone.answer in regional: standing at a region, holding clerk at the region, about ")
	got = run(t, nil, "diff", old, changed, "--json")
	var report proof.Differences
	require.NoError(t, json.Unmarshal([]byte(got.out), &report))
	require.Len(t, report.Changes, 1)

	approved := "approved:\n- id: " + report.Changes[0].ID + "\n  change: \"" + report.Changes[0].Sentence + "\"\n  reason: Clerks answer the phone.\n"
	elsewhere := writeFile(t, "elsewhere.yaml", approved)
	require.NoError(t, os.WriteFile(filepath.Join(changed, "approved.yaml"), []byte(approved), 0o600))
	for _, args := range [][]string{{old, changed}, {old, changed, "--approved", elsewhere}, {old, changed, "--action", "phone.answer"}} {
		got = run(t, nil, append([]string{"diff"}, args...)...)
		require.Equal(t, statusOK, got.status, got)
		require.Contains(t, got.out, "approved: Clerks answer the phone.")
		require.NotContains(t, got.out, "NOT APPROVED")
	}
	got = run(t, nil, "diff", fewer, changed) // who else is allowed was not approved
	require.Equal(t, statusNo, got.status, got)
	require.Contains(t, got.err, "the approval of "+report.Changes[0].ID+" is about no change here")
}

// Whoever compares a changed folder with a binary that was built from it is told that nothing was compared.
func TestDiffOfAPolicyWithItselfIsSaid(t *testing.T) {
	t.Parallel()
	same := t.TempDir()
	require.NoError(t, os.CopyFS(same, policies.Files()))
	got := run(t, nil, "diff", "built-in", same, "--action", "user.view")
	_, revision, ok := strings.Cut(strings.TrimSpace(run(t, nil, "version").out), "built-in policy: revision ")
	require.True(t, ok)
	require.True(t, strings.HasPrefix(got.out, "No decision changes: OLD and NEW are the same policy, revision "+revision+".\n"), got.out)
	require.Contains(t, got.err, "built-in is the policy that was built into this binary, revision "+revision+`; "make build" takes over`)

	folder := policyFolder(t, phones)
	got = run(t, nil, "diff", folder, policyFolder(t, phones))
	require.Contains(t, got.out, "OLD and NEW are the same policy")
	require.NotContains(t, got.err, "built-in")
}

func TestBundleBuildNeedsApproval(t *testing.T) {
	t.Parallel()
	old := policyFolder(t, phones)
	changed := policyFolder(t, strings.Replace(phones, `{"chief"}`, `{"chief", "clerk"}`, 1))
	output := filepath.Join(t.TempDir(), "policy.tar.gz")
	build := []string{"bundle", "build", changed, "--coverage", "0", "--revision", "r1", "--sequence", "1", "-o", output, "--diff", old}
	got := run(t, nil, build...)
	require.Equal(t, statusNo, got.status, got)
	require.Contains(t, got.out, "NOT APPROVED")
	require.Contains(t, got.err, "not built: approve each change that allows more")
	require.NoFileExists(t, output)

	var report proof.Differences
	require.NoError(t, json.Unmarshal([]byte(run(t, nil, "diff", old, changed, "--json").out), &report))
	approved := "approved:\n- id: " + report.Changes[0].ID + "\n  change: \"" + report.Changes[0].Sentence + "\"\n  reason: Clerks answer the phone.\n"
	require.NoError(t, os.WriteFile(filepath.Join(changed, "approved.yaml"), []byte(approved), 0o600))
	got = run(t, nil, build...)
	require.Equal(t, statusOK, got.status, got)
	require.Contains(t, got.err, "1 change of decisions: 1 denied → allowed\n")
	require.NotContains(t, got.err, "not loaded")
	require.FileExists(t, output)
}

// TestDiffCountsPeople changes what clerks may do, and what chiefs may.
func TestDiffCountsPeople(t *testing.T) {
	t.Parallel()
	people := writeFile(t, "directory.yaml", `
locations: [{id: metro, kind: region, model: regional}, {id: rural, kind: region, model: regional}]
users:
  - {id: alice, username: alice@example.org, default_location: metro, assignments: [{location: metro, role: chief}]}
  - {id: bob, default_location: metro, assignments: [{location: metro, role: clerk}]}
  - {id: carl, default_location: rural, assignments: [{location: rural, role: clerk}, {location: metro, role: clerk}]}
  - {id: dora, status: deactivated, default_location: metro, assignments: [{location: metro, role: clerk}]}
`)
	old := policyFolder(t, phones)
	clerks := policyFolder(t, strings.Replace(phones, `{"chief"}`, `{"clerk"}`, 1))
	args := []string{"diff", old, clerks, "--directory", people}
	got := run(t, nil, args...)
	require.Equal(t, statusNo, got.status, got)
	require.Contains(t, got.out, "In the directory, 4 users at 2 locations, by questions about phone.answer:\n"+
		"  - 2 people who hold clerk at a region gain phone.answer, over 2 locations: bob at metro, carl at metro, carl at rural\n"+
		"  - 1 person who holds chief at a region loses phone.answer, over 1 location: alice at metro\n")
	require.NotContains(t, got.out, "alice@")

	got = run(t, nil, append(args, "--markdown")...)
	require.Contains(t, got.out, "- 2 people who hold clerk at a region gain phone.answer, over 2 locations\n")
	require.NotContains(t, got.out, "carl", "whoever reads a pull request need not see the directory")

	got = run(t, nil, append(args, "--json")...)
	var report diffReport
	require.NoError(t, json.Unmarshal([]byte(got.out), &report))
	require.Len(t, report.Directory.Changes, 2)
	require.Equal(t, 2, report.Directory.Changes[0].People)
	require.Equal(t, []review.Holder{{ID: "bob", Location: "metro", Count: 1}, {ID: "carl", Location: "metro", Count: 1}, {ID: "carl", Location: "rural", Count: 1}},
		report.Directory.Changes[0].Held)

	got = run(t, nil, "diff", old, old, "--directory", people)
	require.Equal(t, statusOK, got.status, got)
	require.Contains(t, got.out, "In the directory nobody gains or loses anything")
	got = run(t, nil, "diff", old, clerks, "--directory", "redis://db/app")
	require.Equal(t, statusFailed, got.status, got)
}

// Who comes to see patients is counted, by the role that lets them.
func TestDiffCountsWhosePatientsAreSeen(t *testing.T) {
	t.Parallel()
	changed := t.TempDir()
	require.NoError(t, os.CopyFS(changed, policies.Files()))
	editTables(t, filepath.Join(changed, "authz/regional/data.yaml"), func(tables *yaml.Node) {
		member(member(member(tables, "roles"), "public_health"), "sees_patients").Value = "true"
	})
	people := writeFile(t, "directory.yaml", `
locations: [{id: metro, kind: region, model: regional}, {id: north, kind: division, parent: metro}, {id: abc, kind: facility, parent: north}, {id: def, kind: facility, parent: north}]
users:
  - {id: pia, default_location: north, assignments: [{location: north, role: public_health}]}
  - {id: quin, default_location: north, assignments: [{location: north, role: public_health}, {location: abc, role: ed_normal}]}
  - {id: rose, default_location: abc, assignments: [{location: abc, role: ed_normal}]}
`)
	got := run(t, nil, "diff", builtIn, changed, "--action", "patient.view", "--directory", people)
	require.Equal(t, statusNo, got.status, got)
	require.Contains(t, got.out, "by questions about patient.view:\n"+
		"  - at least 2 people who hold public_health at a division gain patient.view, over the patients of at least 3 locations: pia at north, quin at north\n"+
		"  - these are questions that are answered otherwise: what somebody gains or loses may be allowed to them by another role, ")
}

// A release that is named after a commit goes by the approvals of that commit: what lies in the folder besides is not what was reviewed.
func TestApprovalsComeFromTheCommit(t *testing.T) {
	t.Parallel()
	old := policyFolder(t, phones)
	dir := policyFolder(t, strings.Replace(phones, `{"chief"}`, `{"chief", "clerk"}`, 1))
	gitIn(t, dir, "init", "-q")
	gitIn(t, dir, "add", "-A")
	gitIn(t, dir, "commit", "-qm", "clerks")
	var report proof.Differences
	require.NoError(t, json.Unmarshal([]byte(run(t, nil, "diff", old, dir, "--json").out), &report))
	approval := "approved:\n- id: " + report.Changes[0].ID + "\n  change: \"" + report.Changes[0].Sentence + "\"\n  reason: Clerks answer the phone.\n"
	approved, output := filepath.Join(dir, "approved.yaml"), filepath.Join(t.TempDir(), "policy.tar.gz")
	build := func() result {
		return run(t, nil, "bundle", "build", dir, "--coverage", "0", "-o", output, "--diff", old)
	}

	got := build()
	require.Equal(t, statusNo, got.status, got)
	require.Contains(t, got.err, "not built: approve each change that allows more")
	require.NoError(t, os.WriteFile(approved, []byte(approval), 0o600))
	got = build()
	require.Equal(t, statusFailed, got.status, got)
	require.Contains(t, got.err, "approved.yaml")
	putFile(t, filepath.Join(dir, ".git/info/exclude"), "approved.yaml\n")
	got = build()
	require.Equal(t, statusFailed, got.status, "what git does not look at: %v", got)
	require.NoFileExists(t, output)

	gitIn(t, dir, "add", "-f", "approved.yaml")
	gitIn(t, dir, "commit", "-qm", "approved")
	got = build()
	require.Equal(t, statusOK, got.status, got)
	require.FileExists(t, output)
	require.NoError(t, os.WriteFile(approved, []byte(approval+"# more\n"), 0o600))
	got = build()
	require.Equal(t, statusFailed, got.status, got)
	require.Contains(t, got.err, "approved.yaml")
}

func TestDiffAsAComment(t *testing.T) {
	t.Parallel()
	old := policyFolder(t, phones)
	changed := policyFolder(t, strings.Replace(phones, `"<b>No</b>`, `"<i>No</i>`, 1))
	got := run(t, nil, "diff", old, changed, "--markdown")
	require.Equal(t, statusOK, got.status, got)
	require.True(t, strings.HasPrefix(got.out, "### Decisions: "), got.out)
	require.Contains(t, got.out, "\n#### Denied otherwise\n\n- an unknown action in regional: ")
	require.Contains(t, got.out, `\<b\>No\</b\> \| \*really\*`)
	require.Contains(t, got.out, "<details><summary>example</summary>\n\n  ```sh\n  echo '")
	require.Regexp(t, `<details><summary>[^<]* cases were compared, within this bound:</summary>\n\n- `, got.out)
	require.Less(t, len(got.out), maxComment)
}

func TestDiffRefusesWhatItCannotCompare(t *testing.T) {
	t.Parallel()
	folder := policyFolder(t, "package authz\n\ndefault decision := false\n")
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"built-in"}, "NEW is missing"},
		{[]string{"built-in", folder}, "they have no case in common"},
		{[]string{"built-in", "testdata/none"}, "testdata/none"},
		{[]string{"built-in", "built-in", "--action", "user.dleete"}, "neither policy has an action user.dleete"},
		{[]string{"built-in", "built-in", "--approved", "nowhere.yaml"}, "nowhere.yaml"},
		{[]string{"built-in", "built-in", "--approved", writeFile(t, "a.yaml", "approved: [{id: x}]")}, "approval 1: id: expected"},
		{[]string{"built-in", "built-in", "--json", "--markdown"}, "none of the others can be"},
	} {
		got := run(t, nil, append([]string{"diff"}, c.args...)...)
		require.Equal(t, statusFailed, got.status, c.args)
		require.Contains(t, got.err, c.says)
	}
}

// TestDiffDecidesALogAgain records the golden questions, of which the cell changes some.
func TestDiffDecidesALogAgain(t *testing.T) {
	t.Parallel()
	fewer := withDivisionCell(t, "user.edit", `"no"`)
	other, err := openPolicy(t.Context(), fewer, config.DefaultDecision)
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "log")
	asked, differ := recordGolden(t, dir, other)
	require.Positive(t, differ)

	got := run(t, nil, "diff", fewer, "built-in", "--log", dir, "--action", "user.edit", "--json")
	require.Equal(t, statusNo, got.status, got)
	var report diffReport
	require.NoError(t, json.Unmarshal([]byte(got.out), &report))
	require.Equal(t, []int{asked, asked, differ, 0}, []int{report.Log.Records, report.Log.Asked, report.Log.Changed, report.Log.NotListed})
	require.Empty(t, report.Beyond)
	require.Equal(t, proof.Granted, report.Log.Changes[0].Kind)
	records := 0
	for _, c := range report.Log.Changes {
		require.Equal(t, "user.edit", c.Action)
		records += c.Records
	}
	require.Equal(t, differ, records)

	// What is allowed beyond the changes that were explored is not approved with them.
	quiet := policyFolder(t, phones)
	got = run(t, nil, "diff", quiet, quiet, "--log", dir)
	require.Equal(t, statusOK, got.status, got)
	require.Contains(t, got.out, fmt.Sprintf("Of %d records in the log, %d decided again by both policies: 0 answers change:\n", asked, asked))
	alice := policyFolder(t, phones+"\nallow if input.subject.id == \"alice\"\n") // whom no small directory has
	got = run(t, nil, "diff", quiet, alice, "--log", dir)
	require.Equal(t, statusNo, got.status, got)
	require.Contains(t, got.out, "No decision changes within the bound")
	require.Contains(t, got.out, "user.view is allowed where it was denied, outside of the bound")
	got = run(t, nil, "diff", fewer, "built-in", "--log", dir, "--action", "user.delete")
	require.Equal(t, statusNo, got.status, got)
	require.Contains(t, got.out, "user.edit is allowed where it was denied, outside of the bound")
	got = run(t, nil, "diff", quiet, quiet, "--log", filepath.Join(dir, "none"))
	require.Equal(t, statusFailed, got.status, got)
}
