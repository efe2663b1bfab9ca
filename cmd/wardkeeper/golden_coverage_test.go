package main

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/policies"
)

// goldenFolders are the folders of golden files, by the prefix of the rules that the files are about.
var goldenFolders = map[string]string{
	"all": "ALL-", "regional": "REG-", "health_system": "SYS-", "practice_group": "PRA-", "vendor": "SYS-",
}

// specifiedRules returns the ids of the rules of policies/DOMAIN.md: those that head a row of a table or a paragraph.
func specifiedRules(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../policies/DOMAIN.md")
	require.NoError(t, err)
	var ids []string
	for _, found := range regexp.MustCompile(`(?m)^(?:\| )?((?:ALL|REG|SYS|PRA)-[A-Z]?[0-9]+)(?: \||:)`).FindAllStringSubmatch(string(text), -1) {
		ids = append(ids, found[1])
	}
	require.NotEmpty(t, ids)
	return ids
}

func TestGoldenNames(t *testing.T) {
	specified := specifiedRules(t)
	for _, at := range goldenPaths(t) {
		file := readGolden(t, at)
		folder, name := path.Split(at)
		require.Equal(t, ".yaml", path.Ext(name), at)
		prefix, known := goldenFolders[path.Clean(folder)]
		require.True(t, known, "%s: there is no such model", at)
		require.True(t, strings.HasPrefix(file.Rule, prefix), "%s: the rules of this folder begin with %s", at, prefix)
		require.Contains(t, specified, file.Rule, "%s: policies/DOMAIN.md has no such rule", at)
		base := strings.TrimSuffix(name, ".yaml")
		require.True(t, base == file.Rule || strings.HasPrefix(base, file.Rule+"-"), "%s is about %s", at, file.Rule)
		names := map[string]bool{}
		for _, c := range file.Cases {
			require.NotEmpty(t, c.Name, at)
			require.False(t, names[c.Name], "%s has %q twice", at, c.Name)
			names[c.Name] = true
		}
	}
}

func TestGoldenCoversEveryRule(t *testing.T) {
	covered := map[string]bool{}
	cases := 0
	for _, at := range goldenPaths(t) {
		file := readGolden(t, at)
		covered[file.Rule] = covered[file.Rule] || len(file.Cases) > 0
		cases += len(file.Cases)
	}
	for _, rule := range specifiedRules(t) {
		require.True(t, covered[rule], "policies/DOMAIN.md has the rule %s: write a golden file %s-….yaml below testdata/decisions", rule, rule)
	}
	require.GreaterOrEqual(t, cases, 150)
}

func TestGoldenCoversEveryCode(t *testing.T) {
	reasons, obligations, advice := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, at := range goldenPaths(t) {
		for _, c := range readGolden(t, at).Cases {
			for _, reason := range c.Reasons {
				reasons[memberText(reason, "code")] = true
			}
			for _, one := range c.Advice {
				advice[memberText(one, "code")] = true
			}
			for _, obligation := range c.Obligations {
				properties := obligation.(map[string]any)["properties"]
				parts := []string{memberText(obligation, "type"), memberText(properties, "action"), memberText(properties, "topic")}
				parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
				obligations[strings.Join(parts, "/")] = true
			}
		}
	}
	messages := specifiedMessages(t)
	want := []string{"custom/confirm", "custom/warn", "session_termination"}
	for topic := range messages["notifications"] {
		want = append(want, "notification/"+topic)
	}
	for list, found := range map[string]map[string]bool{"reasons": reasons, "advice": advice} {
		require.Equal(t, slices.Sorted(maps.Keys(messages[list])), slices.Sorted(maps.Keys(found)),
			"the %s of policies/authz/data.yaml (expected) and those of the golden decisions (actual) differ: write a golden case, or take the code out", list)
	}
	require.ElementsMatch(t, want, slices.Collect(maps.Keys(obligations)))
}

// TestGoldenCoversEveryPower requires a golden decision for each rule and column of the regional matrix that permits something.
// A cell of that rule and column must judge the question, whatever the decision. A cell "no" needs no decision.
func TestGoldenCoversEveryPower(t *testing.T) {
	const at = "policies/authz/regional/data.yaml"
	var tables struct {
		Roles  map[string]struct{ Columns map[string]string }
		Matrix map[string]map[string]any
	}
	require.NoError(t, yaml.Unmarshal([]byte(readFile(t, "../../"+at)), &tables))
	require.NotEmpty(t, tables.Matrix)
	covered := map[[2]any]bool{} // by rule and column
	for _, path := range goldenPaths(t) {
		file := readGolden(t, path)
		engine := goldenEngine(t, file)
		for _, c := range file.Cases {
			evaluation, err := authzen.DecodeEvaluation(goldenQuestion(t, c))
			require.NoError(t, err, "%s: %s", path, c.Name)
			input, err := engine.Input(t.Context(), evaluation)
			require.NoError(t, err, "%s: %s", path, c.Name)
			task, kind, held := regionalTask(t, input)
			for _, role := range held {
				column := tables.Roles[role].Columns[kind]
				covered[[2]any{tables.Matrix[task]["rule"], column}] = true
			}
		}
	}
	for task, row := range tables.Matrix {
		for column, cell := range row {
			if column != "rule" && cell != "no" {
				assert.True(t, covered[[2]any{row["rule"], column}], "%s: the cell %s, %s is %v, and no golden decision about %v is by"+
					" somebody with that column: add a case to testdata/decisions/regional/%v.yaml or a file of its own, or make the cell \"no\"",
					at, task, column, cell, row["rule"], row["rule"])
			}
		}
	}
}

// regionalTask returns the row of the regional matrix that judges a question, the kind of the current location, and the roles
// that the subject holds there and above it. It returns none of them if another model judges.
func regionalTask(t *testing.T, input any) (task, kind string, held map[string]string) {
	t.Helper()
	data, err := json.Marshal(input)
	require.NoError(t, err)
	var seen struct {
		Action struct{ Name string }
		Facts  struct {
			Model   string
			Current struct {
				ID, Kind string
				Held     map[string]string
			}
			Place struct{ ID, Kind string }
		}
	}
	require.NoError(t, json.Unmarshal(data, &seen))
	if seen.Facts.Model != "regional" {
		return "", "", nil
	}
	task = seen.Action.Name
	switch {
	case task == "user.list" && seen.Facts.Place.Kind == "region":
		task = "user.list_region"
	case (task == "assignment.edit" || task == "assignment.remove") && seen.Facts.Place.ID != seen.Facts.Current.ID:
		task += "_elsewhere"
	}
	return task, seen.Facts.Current.Kind, seen.Facts.Current.Held
}

// rulesWithoutAnswer are the rules that no answer names. The models' own rules on the same subject take precedence over ALL-6
// (policies/DOMAIN.md section 2), and PRA-8 has no code.
var rulesWithoutAnswer = []string{"ALL-6", "PRA-8"}

func TestGoldenAnswersNameTheRule(t *testing.T) {
	named := map[string]bool{}
	for _, at := range goldenPaths(t) {
		file := readGolden(t, at)
		for _, c := range file.Cases {
			for _, entry := range slices.Concat(c.Reasons, c.Obligations, c.Advice) {
				id, _, _ := strings.Cut(memberText(entry, "id"), "/") // of an obligation
				named[file.Rule] = named[file.Rule] || memberText(entry, "rule") == file.Rule || id == file.Rule
			}
		}
	}
	for _, at := range goldenPaths(t) {
		rule := readGolden(t, at).Rule
		if slices.Contains(rulesWithoutAnswer, rule) {
			require.False(t, named[rule], "an answer names %s: take it out of neverNamed", rule)
			continue
		}
		require.True(t, named[rule], "%s: no answer in the files of %s names it: add a case that breaks this rule alone, or see whether"+
			" another rule answers first", at, rule)
	}
}

// specifiedMessages returns the sentences of the built-in policy, by list and code.
func specifiedMessages(t *testing.T) map[string]map[string]string {
	t.Helper()
	data, err := fs.ReadFile(policies.Files(), "authz/data.yaml")
	require.NoError(t, err)
	var tables struct {
		Messages map[string]map[string]string `yaml:"messages"`
	}
	require.NoError(t, yaml.Unmarshal(data, &tables))
	require.NotEmpty(t, tables.Messages["reasons"])
	return tables.Messages
}

// memberText returns a string member of an object in an answer, or "" if there is none.
func memberText(object any, name string) string {
	members, _ := object.(map[string]any)
	value, _ := members[name].(string)
	return value
}
