package bundles

import (
	"context"
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles/input"
)

// cacheHeavy exercises what a cache can get wrong: the same rule under another input, functions that differ only in one
// argument, undefined rules, partial sets, and tables read whole and in part.
const cacheHeavy = `package app

decision := {
	"once": [limit, limit],
	"other": [x | some n in numbers.range(1, 3); x := limit with input.n as n],
	"nested": [x | some n in numbers.range(1, 3); x := [outer, limit] with input.n as n],
	"calls": [f(a, b) | some a in ["aa", "ab", "ba", "bb"]; some b in ["x", "y"]],
	"undefined": [n | some n in numbers.range(1, 3); not missing(n)],
	"members": {m | some m in set},
	"table": [data.app.t.a.b, data.app.t.a.c, data.app.t.a, data.app.t[input.k]],
	"late": [limit, outer],
	"many": sum([g(x, n) | some x in numbers.range(1, 150); some n in [1, 2]; f("a", "b")]),
	"manynested": [y | some n in [1, 2]; y := sum([g(x, limit) | some x in numbers.range(1, 150)]) with input.n as n],
}

outer := limit + 100

limit := input.n * 10

f(a, b) := concat("/", [a, b, sprintf("%d", [limit])])

g(x, y) := (x * y) + limit

missing(n) if n == input.n

set contains m if some m in [limit, outer, limit]
`

// The values are compared with those of OPA's own caches.
func TestEvalCacheChangesNoValue(t *testing.T) {
	ctx := context.Background()
	r, err := Open(ctx, Config{Source: "test", Entrypoint: "app/decision", Files: fstest.MapFS{
		"app/app.rego":    {Data: []byte(cacheHeavy)},
		"app/t/data.json": {Data: []byte(`{"a": {"b": 1, "c": [2]}, "k": {"z": null}}`)},
	}})
	require.NoError(t, err)
	q, err := r.Prepare("app/decision")
	require.NoError(t, err)
	for n := range 20 {
		in := ast.ObjectTerm(
			ast.Item(ast.StringTerm("n"), ast.IntNumberTerm(n)),
			ast.Item(ast.StringTerm("k"), ast.StringTerm([]string{"a", "k"}[n%2])),
		)
		value, err := q.Eval(ctx, input.Of(in))
		require.NoError(t, err)
		got, err := ast.JSON(value.Value)
		require.NoError(t, err)
		want, err := rego.New(rego.Query("data.app.decision"), rego.Compiler(r.compiler), rego.Store(r.store),
			rego.ParsedInput(in.Value)).Eval(ctx)
		require.NoError(t, err)
		require.Equal(t, want[0].Expressions[0].Value, got)
	}
}

func TestEvalCache(t *testing.T) {
	c := newEvalCache()
	defer c.release()
	ref := func(name string, n int) ast.Ref {
		return ast.Ref{ast.DefaultRootDocument, ast.StringTerm(name), ast.IntNumberTerm(n)}
	}
	value, undefined := c.Get(ref("a", 1))
	require.Nil(t, value)
	require.False(t, undefined)

	reused := ref("a", 1)
	c.Put(reused, ast.StringTerm("one"))
	reused[2] = ast.IntNumberTerm(2)
	c.Put(reused, nil)
	value, _ = c.Get(ref("a", 1))
	require.Equal(t, ast.StringTerm("one"), value)
	value, undefined = c.Get(ref("a", 2))
	require.Nil(t, value)
	require.True(t, undefined)

	c.Push()
	value, undefined = c.Get(ref("a", 1))
	require.Nil(t, value, "a frame hides what is below")
	require.False(t, undefined)
	c.Put(ref("a", 1), ast.StringTerm("inner"))
	require.Len(t, c.Keys(), 1)
	c.Pop()
	value, _ = c.Get(ref("a", 1))
	require.Equal(t, ast.StringTerm("one"), value)

	for n := range 500 { // names with the same length, first and last letter have the same fingerprint
		c.Put(ref(fmt.Sprintf("x%03dx", n), n), ast.IntNumberTerm(n))
	}
	for n := range 500 {
		value, _ = c.Get(ref(fmt.Sprintf("x%03dx", n), n))
		require.Equal(t, ast.IntNumberTerm(n), value)
	}
}
