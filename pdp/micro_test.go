package pdp_test

import (
	"context"
	"os"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/policies"
)

func BenchmarkMicro(b *testing.B) {
	ctx := context.Background()
	rev0, err := bundles.Open(ctx, bundles.Config{Files: policies.Files(), Source: "b", Entrypoint: "authz/decision"})
	require.NoError(b, err)
	voc, _ := pdp.ReadVocabulary(ctx, rev0)
	data, _ := os.ReadFile("../testdata/directories/bench.yaml")
	dir, err := membership.Parse(data, *voc)
	require.NoError(b, err)
	for _, c := range []struct{ name, rego string }{
		{"floor", `decision := true`},
		{"10 exprs", `decision := true if { input.action.name == "user.edit"; input.subject.type == "user"; input.facts.subject.id == input.subject.id; input.facts.subject.status == "active"; input.facts.user.id == input.resource.id; input.facts.user.status == "active"; input.facts.user.within[input.facts.current.id]; input.facts.place; input.facts.current.path[input.facts.current.id]; input.facts.model == "regional" }`},
		{"one call", `decision := true if f(input.facts.current)
f(at) if at.kind == "region"`},
		{"two calls", `decision := true if { f(input.facts.current); g(input.facts.current) }
f(at) if at.kind == "region"
g(at) if at.kind == "region"`},
		{"one rule", `decision := true if f
f if input.facts.current.kind == "region"`},
		{"two rules", `decision := true if {f;g}
f if input.facts.current.kind == "region"
g if input.facts.current.kind == "region"`},
		{"every0", `decision := true if { every x in [] { x == "a" } }`},
		{"every1", `decision := true if { every x in ["a"] { x == "a" } }`},
		{"every3", `decision := true if { every x in ["a","a","a"] { x == "a" } }`},
		{"some1", `decision := true if { some l, r in input.facts.current.held; l == "metro" }`},
		{"comp", `decision := true if { x := {r | some r in input.facts.current.held}; x }`},
		{"object.get", `decision := true if { object.get(input, ["context","confirmed"], null) == null }`},
		{"count", `decision := true if { count(input.facts.user.assignments) > 1 }`},
		{"data", `decision := true if { data.t.x[input.action.name].resource == input.resource.type }`},
		{"in", `decision := true if { input.action.name in {"user.edit", "b", "c"} }`},
		{"not", `decision := true if { not input.facts.xyz }`},
		{"obj", `decision := {"allow": true}`},
	} {
		rev, err := bundles.Open(ctx, bundles.Config{Files: fstest.MapFS{"t/t.rego": {Data: []byte("package t\n" + c.rego)}, "t/data.yaml": {Data: []byte("x: {user.edit: {resource: user}}")}}, Source: "b", Entrypoint: "t/decision"})
		require.NoError(b, err)
		e, err := pdp.New(pdp.Config{Revision: rev, Source: fixed{dir}})
		require.NoError(b, err)
		q := ask("regina", "user.edit", "user", "ed", "", "metro", nil)
		b.Run(c.name, func(b *testing.B) {
			d, err := e.Decide(ctx, q)
			require.NoError(b, err)
			require.True(b, d.Allow)
			b.ReportAllocs()
			for b.Loop() {
				e.Decide(ctx, q)
			}
		})
	}
}
