package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// readersFiles is a small policy with everything that a bundle can contain: a table, its check, tests, golden decisions.
var readersFiles = map[string]string{
	"policy/app/app.rego": `# METADATA
# title: Who may read and write
package app

# METADATA
# title: The decision
# entrypoint: true
default decision := {"allow": false}

decision := {"allow": true} if data.app.table[input.action.name].who == input.subject.id

# METADATA
# title: What is wrong with the table
faults contains sprintf("table: %s has nobody", [name]) if {
	some name, row in data.app.table
	row.who == ""
}
`,
	"policy/app/app_test.rego": `package app_test

test_reading if data.app.decision.allow with input as {"action": {"name": "read"}, "subject": {"id": "ann"}}

test_others if not data.app.decision.allow with input as {"action": {"name": "read"}, "subject": {"id": "bob"}}

test_nobody if "table: read has nobody" in data.app.faults with data.app.table as {"read": {"who": ""}}
`,
	"policy/app/data.yaml": `table:
  read:  {who: ann, why: "she asked"}
  write: {who: bob, why: "he is the author"}
`,
	"policy/notes.txt": "no policy",
	"golden/decisions/reading.yaml": `rule: READ-1
cases:
  - name: Ann reads
    question:
      subject: {type: user, id: ann}
      action: {name: read}
      resource: {type: book, id: "1"}
    decision: true
  - name: Bob does not
    question:
      subject: {type: user, id: bob}
      action: {name: read}
      resource: {type: book, id: "1"}
    decision: false
`,
}

// readersPolicy writes the small policy with changed files into a new folder. A file changed to "" is left out.
func readersPolicy(t *testing.T, changes map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files := maps.Clone(readersFiles)
	maps.Copy(files, changes)
	for name, text := range files {
		if text != "" {
			putFile(t, filepath.Join(dir, name), text)
		}
	}
	return dir
}

func putFile(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

// buildReaders returns the command line that builds a bundle of the small policy.
func buildReaders(dir, output string, more ...string) []string {
	return append([]string{"bundle", "build", filepath.Join(dir, "policy"), "--decision", "app/decision", "-o", output,
		"--golden", filepath.Join(dir, "golden"), "--revision", "r1", "--sequence", "7"}, more...)
}

// builtReaders builds a bundle of the small policy.
func builtReaders(t *testing.T, more ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "policy.tar.gz")
	got := run(t, nil, buildReaders(readersPolicy(t, nil), path, more...)...)
	require.Equal(t, statusOK, got.status, got)
	return path
}

// keyFiles writes a key pair to files.
func keyFiles(t *testing.T, private crypto.Signer) (privateFile, publicFile string) {
	t.Helper()
	dir := t.TempDir()
	privateFile, publicFile = filepath.Join(dir, "private.pem"), filepath.Join(dir, "public.pem")
	der, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	putFile(t, privateFile, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	der, err = x509.MarshalPKIXPublicKey(private.Public())
	require.NoError(t, err)
	putFile(t, publicFile, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	return privateFile, publicFile
}

func ecdsaKey(t *testing.T, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	require.NoError(t, err)
	return key
}

func rsaKey(t *testing.T, bits int) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	require.NoError(t, err)
	return key
}
