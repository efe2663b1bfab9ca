package pdp_test

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// library has every kind of rule, with data next to, above and below the rules.
var library = fstest.MapFS{
	"app/app.rego": {Data: []byte(`package app

decision := true

default maybe := "default"

sometimes := "yes" if input.on

table := data.app.secrets.table

tags contains tag if some tag in ["b", "a"]

users[name] := {"level": 7, "3": "three"} if name := input.name

list := ["zero", {"in": null}]

twice(x) := x * 2

parts.one.two := 12

parts._three := 13

_hidden := data.app.secrets.table

_hide[name] := 1 if some name in ["a"]
`)},
	"app/_inner/inner.rego": {Data: []byte("package app._inner\n\ncopied := data.app.secrets.table\n")},
	"app/deep/deep.rego":    {Data: []byte("package app.deep\n\nhere := 1\n")},
	"app/tools/more.rego":   {Data: []byte("package app.tools\n\ntwice(x) := x + x\n")},
	"odd/odd.rego":          {Data: []byte("package odd[\"a/b\"][\"c.d\"]\n\nhere := 2\n")},
	"data.yaml":             {Data: []byte("top: {secret: 1}\napp: {secrets: {table: [1, 2]}, deep: {secret: 3}, only: {data: 4}, parts: {secret: 5}, tools: {secret: 6}, _inner: {data: 7}}\n")},
}

func TestDocuments(t *testing.T) {
	policy := prepared(t, open(t, library, "app/decision"))
	engine := pdp.New(pdp.Config{Timeout: time.Minute, Policy: policy})
	open := pdp.New(pdp.Config{Timeout: time.Minute, Policy: policy, ServeData: true})
	const all = `{"decision":true,"deep":{"here":1},"list":["zero",{"in":null}],"maybe":"default","parts":{"one":{"two":12}},` +
		`"table":[1,2],"tags":["a","b"],"tools":{},"users":{}}`
	for _, c := range []struct {
		path       []string
		input      string
		want, open string // open: with ServeData, if it differs
	}{
		{path: []string{"app", "decision"}, want: `true`},
		{path: []string{"app", "maybe"}, want: `"default"`},
		{path: []string{"app", "sometimes"}, want: ``},
		{path: []string{"app", "sometimes"}, input: `{"on":true}`, want: `"yes"`},
		{path: []string{"app", "table"}, want: `[1,2]`}, // the result of a rule is served
		{path: []string{"app", "table", "1"}, want: `2`},
		{path: []string{"app", "table", "01"}, want: ``},
		{path: []string{"app", "table", "2"}, want: ``},
		{path: []string{"app", "tags"}, want: `["a","b"]`},
		{path: []string{"app", "tags", "a"}, want: `"a"`},
		{path: []string{"app", "tags", "c"}, want: ``},
		{path: []string{"app", "users"}, input: `{"name":"x"}`, want: `{"x":{"3":"three","level":7}}`},
		{path: []string{"app", "users", "x", "level"}, input: `{"name":"x"}`, want: `7`},
		{path: []string{"app", "users", "y"}, input: `{"name":"x"}`, want: ``},
		{path: []string{"app", "users", "a/b\"c"}, input: `{"name":"a/b\"c"}`, want: `{"3":"three","level":7}`},
		{path: []string{"app", "list", "1", "in"}, want: `null`},
		{path: []string{"app", "parts"}, want: `{"one":{"two":12}}`, open: `{"one":{"two":12},"secret":5}`},
		{path: []string{"app", "parts", "one", "two"}, want: `12`},
		{path: []string{"app", "_hidden"}, want: ``},
		{path: []string{"app", "_hidden", "0"}, want: ``},
		{path: []string{"app", "_hide"}, want: ``},
		{path: []string{"app", "_hide", "a"}, want: ``},
		{path: []string{"app", "_inner"}, want: ``, open: `{"data":7}`},
		{path: []string{"app", "_inner", "copied"}, want: ``},
		{path: []string{"app", "_inner", "data"}, want: ``, open: `7`},
		{path: []string{"app", "parts", "_three"}, want: ``},
		{path: []string{"app", "twice"}, want: ``},
		{path: []string{"app", "twice", "1"}, want: ``},
		{path: []string{"app", "tools"}, want: `{}`, open: `{"secret":6}`},
		{path: []string{"app", "secrets"}, want: ``, open: `{"table":[1,2]}`},
		{path: []string{"app", "secrets", "table"}, want: ``, open: `[1,2]`},
		{path: []string{"app", "deep"}, want: `{"here":1}`, open: `{"here":1,"secret":3}`},
		{path: []string{"app", "deep", "secret"}, want: ``, open: `3`},
		{path: []string{"app", "only"}, want: ``, open: `{"data":4}`},
		{path: []string{"top"}, want: ``, open: `{"secret":1}`},
		{path: []string{"top", "secret"}, want: ``, open: `1`},
		{path: []string{"odd", "a/b", "c.d", "here"}, want: `2`},
		{path: []string{"odd", "a", "b"}, want: ``},
		{path: []string{"app", "decision\"]; true; data[\"x"}, want: ``},
		{path: []string{"app\x00", "decision"}, want: ``},
		{path: []string{"no"}, want: ``},
		{path: []string{"data", "app"}, want: ``},
		{path: []string{"input"}, want: ``},
		{path: []string{"app"}, want: all, open: `{"_inner":{"data":7},"decision":true,"deep":{"here":1,"secret":3},"list":["zero",{"in":null}],"maybe":"default",` +
			`"only":{"data":4},"parts":{"one":{"two":12},"secret":5},"secrets":{"table":[1,2]},"table":[1,2],"tags":["a","b"],"tools":{"secret":6},"users":{}}`},
	} {
		if c.input == "" {
			c.input = `{}`
		}
		if c.open == "" {
			c.open = c.want
		}
		for range 2 { // compiled, and then cached
			require.Equal(t, c.want, document(t, engine, c.path, c.input), "%q", c.path)
			require.Equal(t, c.open, document(t, open, c.path, c.input), "%q", c.path)
		}
	}
	require.Equal(t, `{"app":`+all+`,"odd":{"a/b":{"c.d":{"here":2}}}}`, document(t, engine, nil, `{}`))
	require.Contains(t, document(t, open, nil, `{}`), `"top":{"secret":1}`)
}

func TestBuiltInTablesAreNotServed(t *testing.T) {
	t.Parallel()
	engine := pdp.New(pdp.Config{Timeout: time.Minute, Policy: builtInPolicy()})
	for _, path := range [][]string{{"authz", "messages"}, {"authz", "messages", "reasons"}, {"authz", "regional", "matrix"}} {
		require.Empty(t, document(t, engine, path, `{}`))
	}
	require.NotContains(t, document(t, engine, nil, `{}`), `"messages"`)
	// Private rules refer to whole tables in order to look up values in them.
	for _, path := range [][]string{{"authz", "_roles"}, {"authz", "_actions"}, {"authz", "_actions", "regional"}, {"authz", "_kinds"}, {"authz", "question", "_username"}} {
		require.Empty(t, document(t, engine, path, `{}`), path)
		require.Empty(t, document(t, pdp.New(pdp.Config{Timeout: time.Minute, Policy: builtInPolicy(), ServeData: true}), path, `{}`), path)
	}
	for _, path := range [][]string{nil, {"authz"}, {"authz", "regional"}} {
		require.NotContains(t, document(t, engine, path, `{}`), `"_`, path)
		require.NotContains(t, document(t, engine, path, `{}`), `offered_at`, path)
	}
}
