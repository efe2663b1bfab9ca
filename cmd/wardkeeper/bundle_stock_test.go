package main

import (
	"crypto/elliptic"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// runOPA runs the stock tool until it exits.
func runOPA(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	skipIfShort(t)
	path, buildErr := stockOPA()
	require.NoError(t, buildErr)
	said, err := exec.Command(path, args...).CombinedOutput()
	return string(said), err
}

func TestStockOPAVerifiesOurBundles(t *testing.T) {
	t.Parallel()
	private, public := keyFiles(t, ecdsaKey(t, elliptic.P256()))
	_, otherPublic := keyFiles(t, ecdsaKey(t, elliptic.P256()))
	ours := builtReaders(t, "--signing-key", private)
	verified := func(key string) error {
		_, err := runOPA(t, "build", "--bundle", ours, "--verification-key", key, "--signing-alg", "ES256", "-o", filepath.Join(t.TempDir(), "x.tar.gz"))
		return err
	}
	require.NoError(t, verified(public))
	require.Error(t, verified(otherPublic))

	out, err := runOPA(t, "eval", "--bundle", ours, "--format", "raw", `data.app.decision.allow with input as {"action": {"name": "read"}, "subject": {"id": "ann"}}`)
	require.NoError(t, err, out)
	require.Equal(t, "true\n", out)
	out, err = runOPA(t, "inspect", ours)
	require.NoError(t, err, out)
	require.Contains(t, out, `{"sequence":7}`)
}

// Bundles of the stock tool can be verified, inspected and released again, even with golden decisions.
func TestBundlesBuiltByStockOPA(t *testing.T) {
	t.Parallel()
	private, public := keyFiles(t, rsaKey(t, 2048))
	dir := readersPolicy(t, map[string]string{
		"policy/.manifest":        `{"revision": "theirs", "roots": ["app", "golden"], "metadata": {"sequence": 3}}`,
		"policy/golden/data.yaml": `decisions: [{name: reads, question: {subject: {type: user, id: ann}, action: {name: read}, resource: {type: book, id: "1"}}, decision: true}]`,
	})
	theirs := filepath.Join(t.TempDir(), "theirs.tar.gz")
	out, err := runOPA(t, "build", "--bundle", filepath.Join(dir, "policy"), "--ignore", "*_test.rego", "--signing-key", private, "-o", theirs)
	require.NoError(t, err, out)

	verify := []string{"--verification-key", public, "--decision", "app/decision"}
	got := run(t, nil, append([]string{"bundle", "verify", theirs}, verify...)...)
	require.Equal(t, statusOK, got.status, got)
	require.Contains(t, got.out, " theirs, release 3\n")
	require.Contains(t, got.out, "golden decisions  1, all as expected\n")

	got = run(t, nil, "bundle", "inspect", theirs, "--verification-key", public)
	require.Equal(t, statusOK, got.status, got)
	require.Contains(t, got.out, "signed by key default (RS256), verified\n")
	require.Contains(t, got.out, "\ndata.app.table\n")
	require.Contains(t, got.out, "  entrypoint        app/decision\n")

	again := filepath.Join(t.TempDir(), "again.tar.gz")
	got = run(t, nil, append([]string{"bundle", "release", "--from", theirs, "--sequence", "4", "--signing-key", private, "-o", again}, verify...)...)
	require.Equal(t, result{out: again + ": revision theirs+4, release 4, signed by key default (RS256)\n"}, got)
	got = run(t, nil, append([]string{"bundle", "verify", again}, verify...)...)
	require.Equal(t, statusOK, got.status, got)
	got = run(t, nil, append([]string{"serve", "--check", "--bundle", again}, verify...)...)
	require.Equal(t, statusOK, got.status, got)
}
