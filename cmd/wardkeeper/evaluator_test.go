package main

import (
	"crypto/elliptic"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// notCompiled is a package that OPA's planner does not translate rightly, so that a policy that uses it is interpreted.
const notCompiled = `package app.shelves

at.new contains "dune"

at[shelf] contains "emma" if shelf := input.resource.properties.shelf
`

// readerOfShelves is a policy that uses it.
func readerOfShelves(t *testing.T) (dir string) {
	return readersPolicy(t, map[string]string{
		"policy/app/shelves.rego": notCompiled,
		"policy/app/app.rego":     readersFiles["policy/app/app.rego"] + "\n# METADATA\n# title: Nobody\ndecision := {\"allow\": true} if count(data.app.shelves.at) > 9\n",
	})
}

func TestEvaluatorIsSaidAndChosen(t *testing.T) {
	t.Parallel()
	private, public := keyFiles(t, ecdsaKey(t, elliptic.P256()))
	compiled := builtReaders(t, "--signing-key", private)
	fallback := filepath.Join(t.TempDir(), "policy.tar.gz")
	got := run(t, nil, buildReaders(readerOfShelves(t), fallback, "--signing-key", private, "--coverage", "0")...)
	require.Equal(t, statusOK, got.status, got)

	verified := func(bundle string) string {
		got := run(t, nil, "bundle", "verify", bundle, "--verification-key", public, "--decision", "app/decision")
		require.Equal(t, statusOK, got.status, got)
		return got.out
	}
	require.Contains(t, verified(compiled), "  evaluator         compiled\n")
	require.Regexp(t, `(?m)^  evaluator         interpreted, because it cannot be compiled: .*shelves\.rego:\d+: rule data\.app\.shelves\.at`, verified(fallback))

	serve := func(bundle string, more ...string) (evaluator, because, logs string) {
		d := startServer(t, append([]string{"--bundle", bundle, "--verification-key", public, "--decision", "app/decision"}, more...)...)
		s := d.revision(t)
		d.signal(t, syscall.SIGTERM)
		_, logs = d.end()
		return s.Evaluator, s.Because, logs
	}
	evaluator, because, logs := serve(compiled)
	require.Equal(t, []string{"compiled", ""}, []string{evaluator, because})
	require.NotContains(t, logs, "cannot be compiled")
	evaluator, because, logs = serve(fallback)
	require.Equal(t, "interpreted", evaluator)
	require.Contains(t, because, "rule data.app.shelves.at")
	require.Regexp(t, `"msg":"the policy cannot be compiled and is interpreted, which is slower"`, logs)
	evaluator, because, logs = serve(compiled, "--evaluator", "interpreted")
	require.Equal(t, []string{"interpreted", ""}, []string{evaluator, because})
	require.NotContains(t, logs, "cannot be compiled")
}

func TestUnknownEvaluatorIsRefused(t *testing.T) {
	t.Parallel()
	got := run(t, nil, "serve", "--check", "--evaluator", "compield")
	require.NotEqual(t, statusOK, got.status)
	require.Contains(t, got.err, "did you mean compiled?")
}
