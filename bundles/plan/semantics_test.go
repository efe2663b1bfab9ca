package plan_test

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/stretchr/testify/assert"

	"github.com/wardkeeper/wardkeeper/bundles/plan"
)

// TestConstructsHaveTheInterpretersValues holds programs in which plans and the interpreter once differed.
func TestConstructsHaveTheInterpretersValues(t *testing.T) {
	for _, tc := range []struct {
		name    string
		header  string // of package test; "": import rego.v2
		rules   string // of package test
		lib     string // rules of package lib
		data    string
		input   string
		refused string // part of the reason; "": the program is compiled
	}{
		{
			name:    "partial set below a constant key that is not a string",
			rules:   `p[1] contains 2 if input.x`,
			refused: "another constant prefix",
		},
		{
			name:    "empty partial set beside a partial object of sets",
			rules:   "p[x] contains 1 if { some x in input.x }\np.a contains 1 if input.y",
			refused: "another constant prefix",
		},
		{
			name:    "object below a constant key that is not a string",
			rules:   `p[true].a := 1 if input.x`,
			refused: "another constant prefix",
		},
		{
			name:    "pattern that matches two variables before either has a value",
			rules:   "p := [a, b] if { [a, b] = [b, 1] }",
			refused: "read before it has a value",
		},
		{
			name:    "such a pattern after else",
			rules:   "p := x if { some x, y in input; x == y } else := [a, b] if { [a, b] = [b, 1] }",
			refused: "read before it has a value",
		},
		{
			name:  "not of a body that refers to rules by variable",
			rules: "p if not { some x; data.lib[x] }\nq if not { some x; data.lib[x] == 2 }",
			lib:   "a := 1",
		},
		{
			name:  "object with two equal keys",
			rules: "p := {input.k: 1, \"a\": 2}\nq := {x: 1, y: 2} if { x := \"z\"; y := input.z }",
			input: `{"k": "a", "z": "z"}`,
		},
		{
			name:    "reference by variable to rules with a function replaced by a variable",
			rules:   "p contains y if { some x in [1, 2]; y := data.lib[input.k] with count as x }",
			lib:     "a := count([1])",
			refused: "the keyword with replaces count",
		},
		{
			name:    "function replaced before the input",
			rules:   "p := x if { x := g with f as 3 with input.x as 4 }\ng := [f(1), input.x]\nf(x) := x",
			refused: "the keyword with replaces data.test.f",
		},
		{
			name:    "function replaced after the input",
			rules:   "p := x if { x := g with input.x as 4 with f as input.x }\ng := [f(1), input.x]\nf(x) := x",
			refused: "the keyword with replaces data.test.f",
		},
		{
			name:  "partial object with keys of the same hash",
			rules: "p[v] contains k if { some _ in input.list; v = input.map[k] }",
			input: `{"list": [1, 2, 3], "map": {"a": {}, "b": [null], "c": []}}`,
		},
		{
			name:    "set and single value for a key",
			rules:   "p.a := {1}\np[x] contains 2 if { some x in input.x }",
			refused: "another kind or depth",
		},
		{
			name:    "value and member of a value for a key",
			rules:   "p[input.k] := {\"y\": 2}\np[x].y := 2 if { some x in input.x }",
			refused: "another kind or depth",
		},
		{
			name:  "number as the key of an input after data was read by the rule before else",
			rules: "p := 1 if { some x in data.base.more } else := 2 if { not input[input.k][0] }",
			input: `{"k": "b", "b": {"0": 2}}`,
		},
		{
			name:  "calls that need more locals than an evaluation begins with",
			rules: chain(300),
			input: `{"list": [1, 2, 3]}`,
		},
		{
			name:  "rule without with, before and after the same rule with another input",
			rules: "p := [b, a, b] if { a := q with input.x as 2; b := q }\nq := [input.x, f(input.x)]\nf(x) := y if { some y in [x]; y > 0 } else := 0",
			input: `{"x": 1}`,
		},
		{
			name:    "function replaced by one that calls another replaced function",
			refused: "the keyword with replaces data.test.g",
			rules:   "p := x if { x := f(1) with g as h with count as sum }\nf(x) := [g(x), count([x, 3])]\ng(x) := x\nh(x) := [x, count([1, x])]",
		},
		{
			name:    "reference by variable to packages beside rules",
			rules:   "p if not data.lib[input.k].z",
			lib:     "n[x] := 1 if some x in [\"q\"]",
			refused: "refers to rules by a variable",
		},
		{
			name:    "negated reference by variable to rules",
			header:  "import rego.v1",
			rules:   "p if not data.lib[input.k]",
			lib:     "a := false",
			refused: "what is negated",
		},
		{
			name:    "negated pattern that cannot match",
			header:  "import rego.v1",
			rules:   "p if { x := input.a; not {x: 1} = {\"b\": 1, \"c\": 2} }",
			refused: "the key",
		},
		{
			name:    "array in the order of a set with a variable",
			rules:   "p := [x | some x in {1, input.n}]",
			input:   `{"n": -1}`,
			refused: "the order of",
		},
		{
			name:    "object whose keys are equal variables",
			rules:   "p if q[input.a] == 1\nq := {input.a: 1, input.b: 2}",
			input:   `{"a": "x", "b": "x"}`,
			refused: "which may be equal",
		},
		{
			name:  "objects with variables as keys that built-in functions get",
			rules: "p := object.get({input.a: 1, input.b: 2}, \"x\", 0)",
			input: `{"a": "x", "b": "x"}`,
		},
		{
			name:    "array in the order of an object with a variable as key, in another rule",
			rules:   "p := [x | some x in f(q)]\nq := {\"b\": 1, input.k: 2}\nf(x) := x",
			input:   `{"k": "a"}`,
			refused: "which may be equal",
		},
		{
			name:  "array that cannot show the order of a set with a variable",
			rules: "p := [x | some x in input.list; x in {1, input.n}; count({2, input.n}) == 2]",
			input: `{"n": -1, "list": [-1, 0, 1]}`,
		},
		{
			name:  "set with a variable, and no array",
			rules: "p := {x | some x in {1, input.n}}",
			input: `{"n": -1}`,
		},
		{
			name:    "order of rules and data below one path",
			rules:   "p := [v | v := data.lib[_]]",
			lib:     "a := 1",
			data:    `{"lib": {"b": 2}}`,
			refused: "refers to rules by a variable",
		},
		{
			name:    "data replaced",
			rules:   "p := x if { x := data.base with data.base.q as {\"w\": 5} }",
			data:    `{"base": {"q": {"y": 1}}}`,
			refused: "the keyword with replaces data.base.q",
		},
		{
			name:    "data that the interpreter hides",
			rules:   "p := 1",
			data:    `{"system": {"a": 1}}`,
			refused: "a member system",
		},
		{
			name:  "value of one of several rules side by side",
			rules: "p := data.lib[input.k].x\nq := data.lib[input.none]",
			lib:   "a := {\"x\": 1}\nb := {\"x\": 2}",
			input: `{"k": "b", "none": "c"}`,
		},
		{
			name:  "functions that each call the next twice",
			rules: doubling(40),
			input: `{"x": 1}`,
		},
		{
			name: "whole input and its parts",
			rules: `f(x) := x
g(x) := object.get(x, "b", 7)
p.passed := f(input)
p.part := f(input.a)
p.got := g(input)
p.kind := is_object(f(input))
p.found := object.get(input, ["a", "b", "c"], 3)
p.missing := object.get(input, ["a", "x"], 4)
p.noObject := object.get(input.list, "a", 5)
p.ofPart := object.get(input.a, ["b"], 6)
p.number := count(input.a)
p.elements := count(input.list)
p.member := {k: v | some k in ["b", "c", 0]; v := input.a[k]}
p.keys := [k | some k, _ in input.a]
p.replaced := [f(input), input.a.b] with input.a.b as 1
p.nothing if not input.a.x
p.empty := [s | s := {x | some x in input.list; x > 9}]
p.set contains x if some x in input.list
`,
			input: `{"a": {"b": {"c": 2}, "d": null}, "list": [1, 2, 3]}`,
		},
		{
			name: "built-in function that returns nothing, and that only the plan calls",
			rules: `p.b[input.c] contains 1 if {
	not strings.any_prefix_match(sprintf("a", [json.patch(true, [{"op": "remove", "path": ""}])]), input) with input as 1
}`,
		},
		{
			name:  "input that is no object",
			rules: "p := object.get(input, [\"a\"], 1)\nq := input[0]\nr := count(input)\ns := input.a",
			input: `["a"]`,
		},
		{
			name:  "else after a guard",
			rules: "p := 1 if { input.k == \"a\"; input.x } else := 2 if { input.k == \"b\" } else := 3\np := 3 if \"c\" == input.k",
			input: `{"k": "c"}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := program{modules: map[string]string{"test": "package test\n" + cmp.Or(tc.header, "import rego.v2") + "\n" + tc.rules}, data: tc.data, inputs: []string{tc.input}}
			p.modules["lib"] = "package lib\n" + tc.lib
			if p.data == "" {
				p.data = `{}`
			}
			if tc.refused == "" {
				differ, answers := differs(t, p, "value = data.test", tc.input)
				assert.False(t, differ, answers)
				return
			}
			policy, err := compilePolicy(t, p)
			if !assert.NoError(t, err) {
				return
			}
			_, err = plan.Compile(t.Context(), plan.Config{Compiler: policy.compiler, Query: ast.MustParseBody("value = data.test"), Store: policy.store, Txn: policy.txn})
			assert.ErrorContains(t, err, tc.refused)
		})
	}
}

// doubling returns functions of which each calls the next twice.
func doubling(n int) string {
	var out strings.Builder
	fmt.Fprintf(&out, "p := f0(input.x)\nf%d(x) := x\n", n)
	for i := range n {
		fmt.Fprintf(&out, "f%d(x) := f%d(x) + f%d(x)\n", i, i+1, i+1)
	}
	return out.String()
}

// chain returns rules of which each reads the next.
func chain(n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, "r%d := r%d + count([x | some x in input.list; x > %d])\n", i, i+1, i%3)
	}
	fmt.Fprintf(&out, "r%d := 0\n", n)
	return out.String()
}
