package main

import (
	"crypto/elliptic"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/bundles/release"
)

// -update rewrites testdata/inspect/tree.txt.
func TestBundleInspectOutput(t *testing.T) {
	const wanted = "testdata/inspect/tree.txt"
	got := run(t, nil, "bundle", "inspect", "testdata/inspect/tree")
	require.Equal(t, statusOK, got.status, got)
	require.Empty(t, got.err)
	if *update {
		require.NoError(t, os.WriteFile(wanted, []byte(got.out), 0o644))
	}
	require.Equal(t, readFile(t, wanted), got.out)
}

func TestBundleInspectShowsTheTablesOfTheBuiltInPolicy(t *testing.T) {
	t.Parallel()
	got := run(t, nil, "bundle", "inspect", "../../policies", "--json")
	require.Equal(t, statusOK, got.status, got)
	var contents release.Contents
	require.NoError(t, json.Unmarshal([]byte(got.out), &contents))
	require.Equal(t, []string{"authz/decision"}, contents.Entrypoints)
	columns := map[string][]string{}
	for _, table := range contents.Tables {
		require.NotEmpty(t, table.Rows, table.Path)
		columns[table.Path] = table.Columns
	}
	var regional struct{ Matrix map[string]yaml.Node }
	require.NoError(t, yaml.Unmarshal([]byte(readFile(t, "../../policies/authz/regional/data.yaml")), &regional))
	var written []string
	for i, node := range regional.Matrix["user.list"].Content {
		if i%2 == 0 {
			written = append(written, node.Value)
		}
	}
	require.Contains(t, written, "region")
	require.Equal(t, written, columns["authz.regional.matrix"], "in the order of the file")
	for _, path := range []string{
		"authz.regional.roles", "authz.health_system.roles", "authz.practice_group.roles", "authz.vendor.roles",
		"authz.health_system.plans", "authz.practice_group.levels",
	} {
		require.Contains(t, columns, path)
		require.NotEqual(t, []string{"value"}, columns[path], path)
	}
}

func TestBundleInspectShowsReleaseSignatureAndFiles(t *testing.T) {
	t.Parallel()
	private, public := keyFiles(t, ecdsaKey(t, elliptic.P256()))
	signed := builtReaders(t, "--signing-key", private)
	got := run(t, nil, "bundle", "inspect", signed)
	require.Equal(t, statusOK, got.status, got)
	for _, wanted := range []string{
		"  revision          r1\n", "  sequence          7\n", "  roots             app, golden\n", "  rego version      1\n",
		"  signature         signed by key default (ES256), not verified\n",
		"  entrypoint        app/decision\n", "  golden decisions  2\n",
		"  app/app.rego\n",
		"\ndata.app.table\n         who  why\n         ---  ---\n  read   ann  she asked\n  write  bob  he is the author\n",
	} {
		require.Contains(t, got.out, wanted)
	}

	got = run(t, nil, "bundle", "inspect", signed, "--json", "--verification-key", public)
	require.Equal(t, statusOK, got.status, got)
	var contents release.Contents
	require.NoError(t, json.Unmarshal([]byte(got.out), &contents))
	require.Equal(t, &release.Signature{KeyID: "default", Algorithm: "ES256", Verified: true}, contents.Signature)
	require.Equal(t, []release.Table{{Path: "app.table", Columns: []string{"who", "why"}, Rows: []release.Row{
		{Name: "read", Cells: []any{"ann", "she asked"}}, {Name: "write", Cells: []any{"bob", "he is the author"}},
	}}}, contents.Tables)
	require.Equal(t, []string{"app/decision"}, contents.Entrypoints)

	got = run(t, nil, "bundle", "inspect", filepath.Join(readersPolicy(t, nil), "policy"))
	require.Equal(t, statusOK, got.status, got)
	for _, wanted := range []string{
		"  revision          none\n", "  sequence          none\n", "  signature         none\n", "  roots             all of data\n",
		"  golden decisions  0\n", "\n2 files, ",
	} {
		require.Contains(t, got.out, wanted)
	}

	_, otherPublic := keyFiles(t, ecdsaKey(t, elliptic.P256()))
	got = run(t, nil, "bundle", "inspect", signed, "--verification-key", otherPublic)
	require.Equal(t, statusNo, got.status, got)
	require.Empty(t, got.out)
	got = run(t, nil, "bundle", "inspect", builtReaders(t), "--verification-key", public)
	require.Equal(t, statusNo, got.status, got)
	require.Contains(t, got.err, "it is not signed")
	got = run(t, nil, "bundle", "inspect", testDirectory)
	require.Equal(t, statusNo, got.status, got)
	got = run(t, nil, "bundle", "inspect", "testdata/none")
	require.Equal(t, statusFailed, got.status, got)
}

func TestBundleInspectEscapesControlCharacters(t *testing.T) {
	t.Parallel()
	dir := readersPolicy(t, map[string]string{"policy/app/data.yaml": "table:\n  read: {who: \"ann\\e[31m\", \"wh\\u202ey\": \"x\\ny\"}\n\"\\e]0;\\a\": 1\n"})
	for _, more := range [][]string{nil, {"--json"}} {
		got := run(t, nil, append([]string{"bundle", "inspect", filepath.Join(dir, "policy")}, more...)...)
		require.Equal(t, statusOK, got.status, got)
		require.NotContains(t, got.out, "\x1b")
		require.NotContains(t, got.out, "\a")
		require.NotContains(t, got.out, "\u202e")
		require.Contains(t, got.out, `ann\u001b[31m`)
	}
}
