package pdp_test

import (
	"context"
	"os"
	"testing"
)

func TestDump(t *testing.T) {
	e := builtIn(t, "bench.yaml")
	v, _ := e.Input(context.Background(), ask("regina", "user.edit", "user", "ed", "", "metro", nil))
	os.WriteFile("/tmp/in_allow.json", []byte(v.String()), 0o644)
	v, _ = e.Input(context.Background(), ask("regina", "assignment.remove", "user", "ed", "ghi", "north", nil))
	os.WriteFile("/tmp/in_s2.json", []byte(v.String()), 0o644)
	v, _ = e.Input(context.Background(), ask("olga", "assignment.add", "user", "pia", "smile-a", "smile", map[string]any{"role": "owner"}))
	os.WriteFile("/tmp/in_s3.json", []byte(v.String()), 0o644)
}
