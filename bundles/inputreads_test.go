package bundles_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
	"github.com/wardkeeper/wardkeeper/policies"
)

// However rules read the context, no member that they can read may be missing.
func TestInputMembersOfRules(t *testing.T) {
	all := []string{"*"}
	for rule, want := range map[string][]string{
		`input.context.a == 1`:                                                      {"a"},
		`input.context.a.b[0] == 1; input["context"]["c"]`:                          {"a", "c"},
		`input.action.name == "x"`:                                                  nil,
		`not input.context.a`:                                                       {"a"},
		`some x in input.context.a; x > input.context.b`:                            {"a", "b"},
		`count([x | x := input.context.a[_]]) > 0`:                                  {"a"},
		`every x in input.context.a { x == input.context.b }`:                       {"a", "b"},
		`object.get(input, ["context", "a"], null) == 1`:                            {"a"},
		`object.get(input.context, "a", input.context.b) == 1`:                      {"a", "b"},
		`f(object.get(input.context, ["a", "b"], 0))`:                               {"a"},
		`f(input.context.a)`:                                                        {"a"},
		`_elsewhere`:                                                                {"elsewhere"},
		`data.app.helper.far`:                                                       {"far"},
		`input.resource[input.context.a] == 1`:                                      {"a"},
		`false with input.context.a as 1`:                                           {"a"},
		`object.get(input, ["context", input.action.name], null) == 1`:              all,
		`object.get(input.context, ["a", "b"], 0) == 1 with input as input.context`: all,
		`input.context[input.action.name] == 1`:                                     all,
		`some name; input.context[name] == 1`:                                       all,
		`f(input.context)`:                                                          all,
		`f(input)`:                                                                  all,
		`x := input; x.context.a == 1`:                                              all,
		`x := input.context; x.a == 1`:                                              all,
		`part := "context"; input[part].a == 1`:                                     all,
		`walk(input, [_, 1])`:                                                       all,
		`{input.context}[_].a == 1`:                                                 all,
		`{"a": input}.a.context.b == 1`:                                             all,
		`json.filter(input, ["context/a"]) == {}`:                                   all,
		`data.app.helper.far with input as {"context": {}}`:                         all,
	} {
		files := map[string]string{"app.rego": "package app\n\ndefault decision := false\n\ndecision if { " + rule + " }\n\nf(x) if x == 1\n"}
		switch rule {
		case "_elsewhere":
			files["more.rego"] = "package app\n\n_elsewhere if input.context.elsewhere\n"
		case `data.app.helper.far`, `data.app.helper.far with input as {"context": {}}`:
			files["more.rego"] = "package app.helper\n\nfar contains input.context.far\n"
		}
		r, err := open(bundletest.FS(files), "app/decision")
		require.NoError(t, err, rule)
		got, whole := r.InputMembers("context")
		if whole {
			got = all
		}
		require.ElementsMatch(t, want, got, rule)
	}
}

// Rules also read input in keys, values and the names of rules.
func TestInputMembersOfRuleHeads(t *testing.T) {
	for _, rule := range []string{
		"p := input.context.a", "p contains input.context.a", "p[input.context.a] := 1", "p.q[input.context.a].r := 1", "p[1] := input.context.a",
		"default p := 1\n\np := 2 if false else := input.context.a", "p(x) := input.context.a if x == 1", "p := {1 | input.context.a}",
		"import input.context.a as alias\n\np := alias",
	} {
		r, err := open(bundletest.FS(map[string]string{"app.rego": "package app\n\n" + rule + "\n", "other.rego": "package other\n\ndecision := true\n"}), "other/decision")
		require.NoError(t, err, rule)
		got, whole := r.InputMembers("context")
		require.False(t, whole, rule)
		require.Equal(t, []string{"a"}, got, rule)
	}
}

// The built-in policy reads few members.
func TestInputMembersOfBuiltInPolicy(t *testing.T) {
	r, err := bundles.Open(t.Context(), bundles.Config{Files: policies.Files(), Source: "built-in", Entrypoint: "authz/decision"})
	require.NoError(t, err)
	for _, c := range []struct {
		path    []string
		members []string
	}{
		{[]string{"context"}, []string{"confirmed", "supported_obligations"}},
		{[]string{"subject", "properties"}, nil},
		{[]string{"resource", "properties"}, []string{"location", "locations"}},
	} {
		members, whole := r.InputMembers(c.path...)
		require.False(t, whole, c.path)
		require.Equal(t, c.members, members, c.path)
	}
}

// Keys of data are not among the constants.
func TestConstants(t *testing.T) {
	r, err := open(bundletest.FS(map[string]string{
		"app.rego":  "package app\n\ndefault decision := false\n\ndecision if {\n\tsome name in [\"one\", data.table.two]\n\tinput.action.properties[name].three == \"four\"\n}\n",
		"data.yaml": "table: {two: five}\n",
	}), "app/decision")
	require.NoError(t, err)
	for word, known := range map[string]bool{"one": true, "two": true, "three": true, "four": true, "five": false, "six": false} {
		require.Equal(t, known, r.Constants()[word], word)
	}
}
