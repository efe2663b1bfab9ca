package main

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/policies"
)

// TestPolicyChangesNeedNoGo follows policies/README.md in a copy of the policies: it adds a role with a column of its own, an
// access level, and a rule with its code and sentence, builds a bundle, and expects the decisions that follow. The names are
// made up, so that the policies themselves may add such a role, level or rule.
func TestPolicyChangesNeedNoGo(t *testing.T) {
	t.Parallel()
	dir := changedPolicies(t)
	output := filepath.Join(t.TempDir(), "policy.tar.gz")
	got := run(t, nil, "bundle", "build", dir, "--coverage", "0", "--revision", "r1", "--sequence", "1", "-o", output)
	require.Equal(t, statusOK, got.status, got)
	require.Regexp(t, `\d tests passed`, got.err)
	require.NotContains(t, got.err, "no rule of faults", "every table is checked")

	policy, err := openPolicy(t.Context(), output, config.DefaultDecision)
	require.NoError(t, err)
	records, err := directory.Parse([]byte(changedDirectory()), *policy.Vocabulary())
	require.NoError(t, err)
	engine := pdp.New(pdp.Config{Policy: policy, Source: fixedView{records}, Timeout: time.Minute})
	for _, c := range []struct{ question, want string }{
		{"cleo user.list location abc", "allowed"},
		{"cleo user.view user tom", "allowed"},
		{"cleo user.view user gil", "REG-11 not_assigned_here"},
		{"cleo user.edit user tom", "REG-11 not_permitted"},
		{"cleo user.reset_password user tom", "REG-11 not_permitted"},
		{"cleo user.deactivate user tom", "REG-11 not_permitted"},
		{"cleo assignment.add user tom role=ed_normal", "REG-5 not_permitted"},
		{"rita area.access location smile-a area=calendars", "allowed"},
		{"rita area.access location smile-a area=invoices", "allowed"},
		{"rita area.access location smile-a area=patient_records", "PRA-10 area_required"},
		{"alice assignment.add user two role=example_nurse", "allowed"},
		{"alice assignment.add user three role=example_nurse", "REG-I8 example_code"},
	} {
		require.Equal(t, c.want, briefly(t, engine, c.question), c.question)
	}
}

// changedPolicies writes a copy of the policies with the changes. It keeps only the Rego tests that state the tables, so that
// the build is quick; TestBundleBuildOfTheBuiltInPolicy runs all tests.
func changedPolicies(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, policies.Files()))
	tests := []string{"tables_test.rego", "facts_test.rego", "world_test.rego"}
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.rego") && !slices.Contains(tests, filepath.Base(path)) {
			return os.Remove(path)
		}
		return err
	}))

	// A charge nurse views the users of her facility and may not edit them.
	editTables(t, filepath.Join(dir, "authz/regional/data.yaml"), func(tables *yaml.Node) {
		setMember(t, member(tables, "roles"), "example_nurse", "{offered_at: [facility], reaches_down: false, sees_patients: true, columns: {facility: example}}")
		cells := map[string]string{"user.list": "{place: covered, user: any}", "user.view": "{place: any, user: covered}"}
		rows := member(tables, "matrix").Content // names and rows alternate
		for i := 0; i < len(rows); i += 2 {
			setMember(t, rows[i+1], "example", cmp.Or(cells[rows[i].Value], `"no"`))
		}
		// A user has at most three locations.
		setMember(t, member(tables, "rules"), "example_limit", "{rule: REG-I8, code: example_code}")
		names := member(member(member(tables, "actions"), "assignment.add"), "rules")
		names.Content = append(names.Content, scalar(t, "example_limit"))
	})
	editTables(t, filepath.Join(dir, "authz/data.yaml"), func(tables *yaml.Node) {
		setMember(t, member(member(tables, "messages"), "reasons"), "example_code", "The user already has three locations.")
	})
	rules := filepath.Join(dir, "authz/regional/membership.rego")
	putFile(t, rules, readFile(t, rules)+"\n# METADATA\n# title: REG-I8, a user has at most three locations\n"+
		"met(rule, _, _) if {\n\trule == \"example_limit\"\n\tcount(input.facts.user.assignments) < 3\n}\n")
	// The reception desk.
	editTables(t, filepath.Join(dir, "authz/practice_group/data.yaml"), func(tables *yaml.Node) {
		setMember(t, member(tables, "levels"), "example_desk", "{patient_records: false, calendars: true, invoices: true, locations: false,"+
			" credit_settings: false, reminder_settings: false, users: false}")
	})
	// The test that states the roles and levels a second time.
	test := filepath.Join(dir, "authz/tables_test.rego")
	for list, name := range map[string]string{`"facility": {`: "example_nurse", `levels := {`: "example_desk"} {
		text := readFile(t, test)
		require.Contains(t, text, list, test)
		putFile(t, test, strings.Replace(text, list, list+`"`+name+`", `, 1))
	}
	return dir
}

// editTables rewrites a data file after a change.
func editTables(t *testing.T, path string, change func(tables *yaml.Node)) {
	t.Helper()
	var document yaml.Node
	require.NoError(t, yaml.Unmarshal([]byte(readFile(t, path)), &document))
	change(document.Content[0])
	text, err := yaml.Marshal(&document)
	require.NoError(t, err)
	putFile(t, path, string(text))
}

// setMember appends a member to a mapping, with a value in YAML.
func setMember(t *testing.T, mapping *yaml.Node, name, value string) {
	t.Helper()
	require.NotNil(t, mapping, name)
	var document yaml.Node
	require.NoError(t, yaml.Unmarshal([]byte(value), &document))
	mapping.Content = append(mapping.Content, scalar(t, name), document.Content[0])
}

// changedDirectory returns a directory with people whom the changes affect.
func changedDirectory() string {
	locations, assignments := "", []string{}
	for _, id := range strings.Fields("f1 f2 f3") {
		locations += "  - {id: " + id + ", name: " + id + ", kind: facility, parent: north}\n"
		assignments = append(assignments, "{location: "+id+", role: ed_normal}")
	}
	return `locations:
  - {id: metro, name: Metro, kind: region, model: regional}
  - {id: north, name: North, kind: division, parent: metro}
  - {id: abc, name: ABC, kind: facility, parent: north}
  - {id: smile, name: Smile, kind: group, model: practice_group}
  - {id: smile-a, name: Smile A, kind: practice, parent: smile}
` + locations + `users:
  - {id: alice, default_location: metro, assignments: [{location: metro, role: regional_admin}]}
  - {id: cleo, default_location: abc, assignments: [{location: abc, role: example_nurse}]}
  - {id: tom, default_location: abc, assignments: [{location: abc, role: ed_normal}]}
  - {id: gil, default_location: f1, assignments: [{location: f1, role: ed_normal}]}
  - {id: two, default_location: f1, assignments: [` + strings.Join(assignments[:2], ", ") + `]}
  - {id: three, default_location: f1, assignments: [` + strings.Join(assignments, ", ") + `]}
  - id: rita
    assignments:
      - {location: smile, role: administrator, access: {level: example_desk}}
      - {location: smile-a, role: administrator}
`
}

// briefly asks "SUBJECT ACTION TYPE ID [PROPERTY=VALUE]" and returns "allowed", or the rule and code of the only reason. A
// question about a user has the place abc.
func briefly(t *testing.T, engine *pdp.Engine, question string) string {
	t.Helper()
	words := strings.Fields(question)
	on, with := map[string]any{}, map[string]any{}
	if words[2] == "user" {
		on["location"] = "abc"
	}
	for _, property := range words[4:] {
		name, value, _ := strings.Cut(property, "=")
		with[name] = value
	}
	data, err := json.Marshal(map[string]any{
		"subject":  map[string]any{"type": "user", "id": words[0]},
		"action":   map[string]any{"name": words[1], "properties": with},
		"resource": map[string]any{"type": words[2], "id": words[3], "properties": on},
		"context":  map[string]any{"current_location": map[string]string{"alice": "metro", "cleo": "abc", "rita": "smile"}[words[0]]},
	})
	require.NoError(t, err)
	evaluation, err := authzen.DecodeEvaluation(data)
	require.NoError(t, err)
	d, err := engine.Decide(t.Context(), evaluation)
	require.NoError(t, err)
	if d.Allow {
		return "allowed"
	}
	require.Len(t, d.Reasons, 1, question)
	return memberText(d.Reasons[0], "rule") + " " + memberText(d.Reasons[0], "code")
}
