package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/elliptic"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// rewriteArchive writes a copy of an archive with the contents that change returns; nil removes a file.
func rewriteArchive(t *testing.T, path string, change func(name string, data []byte) []byte) (changed string) {
	t.Helper()
	archive, err := bundles.ReadArchive(bytes.NewReader([]byte(readFile(t, path))), bundles.Limits{})
	require.NoError(t, err)
	var out bytes.Buffer
	packed := gzip.NewWriter(&out)
	files := tar.NewWriter(packed)
	for _, f := range archive.Files {
		if data := change(f.Name, f.Data); data != nil {
			require.NoError(t, files.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.Name, Mode: 0o644, Size: int64(len(data))}))
			_, err := files.Write(data)
			require.NoError(t, err)
		}
	}
	require.NoError(t, files.Close())
	require.NoError(t, packed.Close())
	changed = filepath.Join(t.TempDir(), "changed.tar.gz")
	putFile(t, changed, out.String())
	return changed
}

func TestBundleVerifyRefusesWhatAServerRefuses(t *testing.T) {
	t.Parallel()
	private, public := keyFiles(t, ecdsaKey(t, elliptic.P256()))
	_, otherPublic := keyFiles(t, ecdsaKey(t, elliptic.P256()))
	signed, unsigned := builtReaders(t, "--signing-key", private), builtReaders(t)
	changing := func(name string, change func([]byte) []byte) string {
		return rewriteArchive(t, signed, func(n string, data []byte) []byte {
			if n == name {
				return change(data)
			}
			return data
		})
	}
	resigned := func(name string, change func([]byte) []byte) string {
		path := changing(name, change)
		require.Equal(t, statusOK, run(t, nil, "bundle", "sign", path, "--signing-key", private).status)
		return path
	}
	config := func(text string) string { return writeFile(t, "wardkeeper.yaml", text) }
	byKey := []string{"--verification-key", public}
	for name, c := range map[string]struct {
		path   string
		how    []string
		status int
		wanted string
	}{
		"a changed file":   {changing("app/app.rego", func(d []byte) []byte { return append(d, '\n') }), byKey, statusNo, "is not valid: \"app/app.rego\" is not what was signed"},
		"a changed table":  {changing("app/data.yaml", func([]byte) []byte { return []byte("{}") }), byKey, statusNo, "is not valid: \"app/data.yaml\" is not what was signed"},
		"a missing file":   {changing("app/data.yaml", func([]byte) []byte { return nil }), byKey, statusNo, "files that were signed are missing: app/data.yaml"},
		"another sequence": {changing(".manifest", func(d []byte) []byte { return bytes.Replace(d, []byte("7"), []byte("9"), 1) }), byKey, statusNo, "is not valid: \".manifest\" is not what was signed"},
		"a faulty table": {resigned("app/data.yaml", func(d []byte) []byte { return bytes.Replace(d, []byte("bob"), []byte(`""`), 1) }), byKey,
			statusNo, "table: write has nobody"},
		"a golden decision that is another": {resigned("app/data.yaml", func(d []byte) []byte { return bytes.Replace(d, []byte("ann"), []byte("eve"), 1) }), byKey,
			statusNo, "reading: Ann reads: expected"},
		"another key":      {signed, []string{"--verification-key", otherPublic}, statusNo, "signed by an unknown key"},
		"unsigned":         {unsigned, byKey, statusNo, "it is not signed"},
		"cut off":          {writeFile(t, "short.tar.gz", readFile(t, signed)[:200]), byKey, statusNo, "truncated"},
		"another decision": {signed, append(byKey, "--decision", "app/other"), statusNo, "no rule data.app.other"},
		"no such file":     {"testdata/none.tar.gz", byKey, statusFailed, "testdata/none.tar.gz"},
		"a folder":         {"testdata/policies", byKey, statusFailed, "is a folder"},
		"no such key":      {signed, []string{"--verification-key", "testdata/none.pem"}, statusFailed, "the key file cannot be read"},
		"the private key":  {signed, []string{"--verification-key", private}, statusFailed, "is not a public key"},
		"no keys at all":   {signed, nil, statusFailed, "no keys to verify with"},
		"settings without": {signed, []string{"--config", config("decision: app/decision\n")}, statusFailed, "names no keys"},
		"settings that are not": {signed, []string{"--config", "testdata/none.yaml"}, statusFailed,
			"cannot read the configuration file"},
		"too large": {signed, []string{"--config", config("policy: {bundle: {key_file: " + public + ", size_limit_bytes: 100}}\n")}, statusNo, "larger than 100 bytes"},
		"a key that the settings do not have": {signed, []string{"--config", config("policy: {bundle: {keys: {other: {key: " + public + ", algorithm: ES256}}}}\n")}, statusNo,
			`key id "default"`},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"bundle", "verify", c.path, "--decision", "app/decision"}, c.how...)
			got := run(t, nil, args...)
			require.Equal(t, c.status, got.status, got)
			require.Contains(t, got.err, c.wanted)
			require.Empty(t, got.out)
		})
	}
}

// The keys and the entrypoint come from the settings, the bundle from the command line.
func TestBundleVerifyWithAServersSettings(t *testing.T) {
	t.Parallel()
	private, public := keyFiles(t, ecdsaKey(t, elliptic.P256()))
	signed, unsigned := builtReaders(t, "--signing-key", private, "--key-id", "k2026"), builtReaders(t)
	const remote = "service: {url: https://bundles.example.org}, resource: authz.tar.gz, state_dir: /nowhere"
	settings := writeFile(t, "wardkeeper.yaml",
		"decision: app/decision\npolicy: {bundle: {"+remote+", keys: {k2026: {key: "+public+", algorithm: ES256}}}}\n")
	got := run(t, nil, "bundle", "verify", signed, "--config", settings)
	require.Equal(t, statusOK, got.status, got)
	require.Contains(t, got.out, "valid, key k2026\n")
	got = run(t, nil, "bundle", "verify", unsigned, "--config", settings)
	require.Equal(t, statusNo, got.status, got)

	settings = writeFile(t, "wardkeeper.yaml", "decision: app/decision\npolicy: {bundle: {"+remote+", allow_unsigned: true}}\n")
	got = run(t, nil, "bundle", "verify", unsigned, "--config", settings)
	require.Equal(t, statusOK, got.status, got)
	require.Contains(t, got.out, "signature         none, which the settings allow\n")
	got = run(t, nil, "bundle", "verify", unsigned, "--config", settings, "--verification-key", public)
	require.Equal(t, statusNo, got.status, got)
}
