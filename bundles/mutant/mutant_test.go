package mutant_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/util"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/mutant"
	"github.com/wardkeeper/wardkeeper/policies"
)

// of returns each mutant of a file in words, with the lines of it that differ.
func of(t *testing.T, name, text string) map[string]string {
	t.Helper()
	all, err := mutant.Of([]bundles.File{{Name: name, Data: []byte(text)}})
	require.NoError(t, err)
	found := map[string]string{}
	for _, m := range all {
		changed, err := m.File()
		require.NoError(t, err)
		require.Equal(t, name, changed.Name)
		was, is := strings.Split(text, "\n"), strings.Split(string(changed.Data), "\n")
		require.Len(t, is, len(was), "lines stay what they are")
		var differ []string
		for i := range was {
			if was[i] != is[i] {
				differ = append(differ, strings.TrimSpace(is[i]))
			}
		}
		said := fmt.Sprintf("%d %s: %s", m.Line, m.At, m.Change)
		require.NotContains(t, found, said)
		found[said] = strings.Join(differ, "\n")
	}
	return found
}

func TestMutantsOfRules(t *testing.T) {
	const policy = `package app

default allow := false

allow if {
	input.role in {"admin", "owner"}
	not input.suspended
	count(input.places) > 1
}

level("high") := 3

level(x) := 1 if {
	x == "low"
} else := 2

names := [n | some n in input.names; n != "nobody"]

all_known if every n in input.names { n }
`
	require.Equal(t, map[string]string{
		"3 allow: left out: `default allow := false`":                                    "",
		"5 allow: never holds: `allow if {`":                                             `false; input.role in {"admin", "owner"}`,
		"6 allow: left out: `input.role in {\"admin\", \"owner\"}`":                      "true",
		"6 allow: negated: `input.role in {\"admin\", \"owner\"}`":                       `not input.role in {"admin", "owner"}`,
		"6 allow: left out: `\"admin\"` of `{\"admin\", \"owner\"}`":                     `input.role in { "owner"}`,
		"6 allow: left out: `\"owner\"` of `{\"admin\", \"owner\"}`":                     `input.role in {"admin"}`,
		"6 allow: `\"admin\"` becomes `\"owner\"`":                                       `input.role in {"owner", "owner"}`,
		"6 allow: `\"owner\"` becomes `\"admin\"`":                                       `input.role in {"admin", "admin"}`,
		"7 allow: left out: `not input.suspended`":                                       "true",
		"7 allow: negated: `not input.suspended` becomes `input.suspended`":              "input.suspended",
		"8 allow: left out: `count(input.places) > 1`":                                   "true",
		"8 allow: negated: `count(input.places) > 1`":                                    "not count(input.places) > 1",
		"8 allow: `>` becomes `>=` in `count(input.places) > 1`":                         "count(input.places) >= 1",
		"8 allow: `1` becomes `2`":                                                       "count(input.places) > 2",
		"11 level: never holds: `level(\"high\") := 3`":                                  `level("high") := 3 if false`,
		"11 level: `\"high\"` becomes `\"high_\"`":                                       `level("high_") := 3`,
		"11 level: `3` becomes `4`":                                                      `level("high") := 4`,
		"13 level: never holds: `level(x) := 1 if {`":                                    `false; x == "low"`,
		"13 level: `1` becomes `2`":                                                      "level(x) := 2 if {",
		"14 level: left out: `x == \"low\"`":                                             "true",
		"14 level: negated: `x == \"low\"`":                                              `not x == "low"`,
		"14 level: `\"low\"` becomes `\"low_\"`":                                         `x == "low_"`,
		"15 level: never holds: `else := 2`":                                             "} else := 2 if false",
		"15 level: `2` becomes `3`":                                                      "} else := 3",
		"17 names: never holds: `names := [n | some n in input.names; n != \"nobody\"]`": `names := [n | some n in input.names; n != "nobody"] if false`,
		"17 names: left out: `n != \"nobody\"`":                                          "names := [n | some n in input.names; true]",
		"17 names: negated: `n != \"nobody\"`":                                           `names := [n | some n in input.names; not n != "nobody"]`,
		"17 names: `\"nobody\"` becomes `\"nobody_\"`":                                   `names := [n | some n in input.names; n != "nobody_"]`,
		"19 all_known: never holds: `all_known if every n in input.names { n }`":         "all_known if false",
		"19 all_known: left out: `every n in input.names { n }`":                         "all_known if true",
		"19 all_known: negated: `every n in input.names { n }`":                          "all_known if not every n in input.names { n }",
		"19 all_known: left out: `n`":                                                    "all_known if every n in input.names { true }",
		"19 all_known: negated: `n`":                                                     "all_known if every n in input.names { not n }",
	}, of(t, "app/app.rego", policy))
}

func TestMutantsOfTables(t *testing.T) {
	const data = `roles:
  admin: {reaches_down: true, at: [region, facility]}
  nurse: {reaches_down: false, at: [facility]}
limit: 3
`
	all, err := mutant.Of([]bundles.File{{Name: "app/data.yaml", Data: []byte(data)}})
	require.NoError(t, err)
	var said []string
	for _, m := range all {
		said = append(said, fmt.Sprintf("%d %s: %s", m.Line, m.At, m.Change))
	}
	require.ElementsMatch(t, []string{
		"1 roles: left out: `roles`",
		"2 roles.admin: left out: `roles.admin`",
		"2 roles.admin.reaches_down: left out: `roles.admin.reaches_down`",
		"2 roles.admin.reaches_down: `true` becomes `false`",
		"2 roles.admin.at: left out: `roles.admin.at`",
		"2 roles.admin.at[0]: left out: `roles.admin.at[0]`",
		"2 roles.admin.at[0]: `region` becomes `facility`",
		"2 roles.admin.at[1]: left out: `roles.admin.at[1]`",
		"2 roles.admin.at[1]: `facility` becomes `region`",
		"3 roles.nurse: left out: `roles.nurse`",
		"3 roles.nurse.reaches_down: left out: `roles.nurse.reaches_down`",
		"3 roles.nurse.reaches_down: `false` becomes `true`",
		"3 roles.nurse.at: left out: `roles.nurse.at`",
		"3 roles.nurse.at[0]: left out: `roles.nurse.at[0]`",
		"3 roles.nurse.at[0]: `facility` becomes `region`",
		"4 limit: left out: `limit`",
		"4 limit: `3` becomes `4`",
	}, said)
	for _, m := range all {
		if m.Change == "`region` becomes `facility`" {
			changed, err := m.File()
			require.NoError(t, err)
			var value any
			require.NoError(t, util.Unmarshal(changed.Data, &value))
			require.Equal(t, []any{"facility", "facility"}, value.(map[string]any)["roles"].(map[string]any)["admin"].(map[string]any)["at"])
		}
	}
}

func TestMutantsOfTablesInJSONAreJSON(t *testing.T) {
	all, err := mutant.Of([]bundles.File{{Name: "app/data.json", Data: []byte("{\n\"a\": true, \"b\": [1, \"x\"]}")}})
	require.NoError(t, err)
	var found []string
	for _, m := range all {
		changed, err := m.File()
		require.NoError(t, err)
		found = append(found, string(changed.Data))
	}
	require.ElementsMatch(t, []string{
		`{"b":[1,"x"]}`, `{"a":false,"b":[1,"x"]}`, `{"a":true}`, `{"a":true,"b":["x"]}`, `{"a":true,"b":[2,"x"]}`,
		`{"a":true,"b":[1]}`, `{"a":true,"b":[1,"x_"]}`,
	}, found)
}

// Mutants of the built-in policy are other policies, in files whose lines stay what they are. Every tenth is looked at.
func TestMutantsOfTheBuiltInPolicy(t *testing.T) {
	archive, err := bundles.ReadTree(policies.Files(), bundles.Limits{})
	require.NoError(t, err)
	all, err := mutant.Of(archive.Files)
	require.NoError(t, err)
	require.Greater(t, len(all), 2000)
	for i := 0; i < len(all); i += 10 {
		m := all[i]
		changed, err := m.File()
		require.NoError(t, err)
		was := archive.Find(m.Name)
		require.False(t, bytes.Equal(was, changed.Data), "%s:%d: %s", m.Name, m.Line, m.Change)
		if strings.HasSuffix(m.Name, ".rego") {
			require.LessOrEqual(t, bytes.Count(changed.Data, []byte("\n")), bytes.Count(was, []byte("\n")))
			continue
		}
		var before, after any
		require.NoError(t, util.Unmarshal(was, &before))
		require.NoError(t, util.Unmarshal(changed.Data, &after))
		require.NotEqual(t, before, after, "%s:%d: %s", m.Name, m.Line, m.Change)
	}
}

func TestFileThatCannotBeParsedHasNoMutants(t *testing.T) {
	for name, text := range map[string]string{"app.rego": "package app\n\nx if {", "data.yaml": "a: ["} {
		_, err := mutant.Of([]bundles.File{{Name: name, Data: []byte(text)}})
		require.ErrorContains(t, err, name)
	}
}
