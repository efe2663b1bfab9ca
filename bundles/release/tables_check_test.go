package release_test

import (
	"context"
	"io/fs"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
	"github.com/wardkeeper/wardkeeper/bundles/release"
	"github.com/wardkeeper/wardkeeper/policies"
)

// clinic is a small policy with a catalogue, tables and faults.
var clinic = map[string]string{
	"app/app.rego": "package app\n\nimport data.app.desk\n\ndefault decision := false\n\ncatalogue := {}\n\nfaults contains fault if some fault in desk.faults\n",
	"app/desk/desk.rego": "package app.desk\n\nfaults contains name if some name in object.keys(_table) - {\"open\", \"close\"}\n\n_table := data.app.desk.actions\n\n" +
		"met(rule) if {\n\trule == \"staffed\"\n\tinput.facts.user.assignments[_].role == \"clerk\"\n}\n\nmet(rule) if {\n\trule in {\"daytime\", \"weekday\"}\n\tinput.action.name == \"open\"\n}\n",
	"app/desk/data.yaml": "actions:\n  open: {rules: [staffed, daytime]}\n  close: {rules: {R-1: [staffed]}, required_rules: {R-1: [weekday]}}\n",
}

func clinicWith(t *testing.T, changes map[string]string) *release.SourceTree {
	t.Helper()
	files := maps.Clone(clinic)
	maps.Copy(files, changes)
	schema, err := fs.ReadFile(policies.Files(), "schemas/input.json")
	require.NoError(t, err)
	tree, err := release.ReadSourceTree(release.Config{Files: bundletest.FS(files), Entrypoint: "app/decision", Schema: schema})
	require.NoError(t, err)
	require.NoError(t, tree.Compile(context.Background()))
	return tree
}

func TestTablesAndRulesThatAgreePass(t *testing.T) {
	tree := clinicWith(t, nil)
	require.NoError(t, tree.CheckTables())
	require.Empty(t, tree.UncheckedTables())
}

func TestRuleThatNoClauseStatesIsNamed(t *testing.T) {
	tree := clinicWith(t, map[string]string{
		"app/desk/data.yaml": "actions:\n  open: {rules: [stafed]}\n  close: {rules: {R-1: [staffed]}, required_rules: {R-1: [weekend]}}\n",
	})
	require.EqualError(t, tree.CheckTables(), "app/desk: actions, close, required_rules: no clause of met states the rule weekend: write one, or correct the name\n"+
		"app/desk: actions, open, rules: no clause of met states the rule stafed: write one, or correct the name")
}

func TestMistypedFactBehindAVariableIsNamedWithFileAndLine(t *testing.T) {
	tree := clinicWith(t, map[string]string{"app/desk/more.rego": "package app.desk\n\nclerk if input.facts.user.assignments[_].rolle == \"clerk\"\n"})
	require.ErrorContains(t, tree.CheckTables(), "app/desk/more.rego:3: there is no fact input.facts.user.assignments[_].rolle: ")
}

func TestMistypedFactOfAnArgumentIsNamed(t *testing.T) {
	for body, mistyped := range map[string]string{
		"at.helld": "at.helld", "at.held[place.idd]": "place.idd", "member.assignments[place.id].rolle": "member.assignments[place.id].rolle",
		"at.held[place.id]": "", "member.assignments[place.id].role": "", "place.path[at.id]": "",
	} {
		tree := clinicWith(t, map[string]string{"app/desk/more.rego": "package app.desk\n\nknown(at, place, member) if [at, place, member, " + body + "]\n"})
		err := tree.CheckTables()
		if mistyped == "" {
			require.NoError(t, err, body)
		} else {
			require.ErrorContains(t, err, "app/desk/more.rego:3: there is no fact "+mistyped+": ", body)
		}
	}
}

func TestTableThatNoFaultCheckReadsIsNamed(t *testing.T) {
	tree := clinicWith(t, map[string]string{
		"app/desk/more.yaml": "ignored: 1\n", "app/desk/data.yaml": clinic["app/desk/data.yaml"] + "limits: {locations: 10}\n",
		"app/desk/limits.rego": "package app.desk\n\nlimit := data.app.desk.limits.locations\n",
	})
	require.Equal(t, []string{"app/desk/limits"}, tree.UncheckedTables())
	require.NoError(t, tree.CheckTables())
}

func TestPolicyWithoutACatalogueHasNoTablesToCheck(t *testing.T) {
	tree := compiledTree(t, map[string]string{"app.rego": "package app\n\ndecision := true\n", "app/data.yaml": "table: {a: 1}\n"})
	require.NoError(t, tree.CheckTables())
	require.Empty(t, tree.UncheckedTables())
}

func TestBuiltInTablesAreAllChecked(t *testing.T) {
	schema, err := fs.ReadFile(policies.Files(), "schemas/input.json")
	require.NoError(t, err)
	tree, err := release.ReadSourceTree(release.Config{Files: policies.Files(), Entrypoint: "authz/decision", Schema: schema})
	require.NoError(t, err)
	require.NoError(t, tree.Compile(context.Background()))
	require.NoError(t, tree.CheckTables())
	require.Empty(t, tree.UncheckedTables())
}
