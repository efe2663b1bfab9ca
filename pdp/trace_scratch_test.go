package pdp_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
)

func TestScratchTrace(t *testing.T) {
	e := builtIn(t, "bench.yaml")
	for name, q := range map[string]pdp.Request{
		"vendor":   ask("vera", "entity.create", "location", "new-entity", "", "acme", nil),
		"regional": ask("regina", "user.edit", "user", "ed", "", "metro", nil),
		"health":   ask("hanna", "user.edit", "user", "hugo", "", "mercy", nil),
		"reg-s3": ask("regina", "assignment.remove", "user", "ed", "abc", "metro", nil),
		"reg-s2": ask("regina", "assignment.remove", "user", "ed", "ghi", "north", nil),
	} {
		in, err := e.Input(context.Background(), q)
		require.NoError(t, err)
		tr := topdown.NewBufferTracer()
		_, err = e.Query().Eval(context.Background(), in, tr)
		require.NoError(t, err)
		f, _ := os.Create("/tmp/trace_" + name + ".txt")
		enters := 0
		for _, ev := range *tr {
			if ev.Op == topdown.EnterOp {
				enters++
			}
		}
		fmt.Println(name, "enters", enters, "events", len(*tr))
		topdown.PrettyTraceWithLocation(f, *tr)
		f.Close()
	}
}
