package bundletest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/util"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/policies"
)

// Files are the files of a bundle, by name.
type Files map[string]string

// Entrypoint is the decision of the bundles made here.
const Entrypoint = "app/decision"

// Release returns a good bundle: rules, data in JSON and YAML, a golden decision and a file that is not policy.
func Release(sequence int) Files {
	return Files{
		".manifest": fmt.Sprintf(`{"revision": "release %d", "roots": ["app", "golden"], "metadata": {"sequence": %d}}`, sequence, sequence),
		"app/app.rego": `package app

default decision := {"allow": false}

decision := {"allow": true, "context": {"word": data.app.words.hello}} if input.action.name in data.app.table.actions
`,
		"app/table/data.json": fmt.Sprintf(`{"actions": ["read", "read%d"], "limit": 10}`, sequence),
		"app/words/data.yaml": "hello: good day\nbye: [so, long]\n",
		"golden/data.json": `{"decisions": [{"name": "reading", "question": {"subject": {"type": "user", "id": "a"},
			"action": {"name": "read"}, "resource": {"type": "doc", "id": "1"}}, "decision": true, "context": {"word": "good day"}}]}`,
		"notes.md": "what is new\n",
	}
}

// With returns the files with the content of some replaced. A file whose content becomes empty is removed.
func (p Files) With(changes Files) Files {
	all := maps.Clone(p)
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_, content string) bool { return content == "" })
	return all
}

// Rename returns the files with one of them renamed.
func (p Files) Rename(from, to string) Files {
	all := maps.Clone(p)
	all[to] = all[from]
	delete(all, from)
	return all
}

// Signer signs bundles, validly or not.
type Signer struct {
	Key     *ecdsa.PrivateKey
	ID      string // the kid; "" omits it
	Scope   string
	Hash    bundle.HashingAlgorithm
	Header  map[string]any // additional members of the token's header
	Secret  string         // signs by HMAC instead
	Exclude []string       // files that the signature does not cover
}

// NewKey makes an ECDSA key.
func NewKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

// TrustedKey is configured in tests; OtherKey is not.
var TrustedKey, OtherKey = NewKey(), NewKey()

// PublicPEM returns the public keys in PEM.
func PublicPEM(keys ...*ecdsa.PrivateKey) string {
	var all strings.Builder
	for _, key := range keys {
		der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		if err != nil {
			panic(err)
		}
		_ = pem.Encode(&all, &pem.Block{Type: "PUBLIC KEY", Bytes: der})
	}
	return all.String()
}

// Sign returns the files with a signature.
func (s Signer) Sign(p Files) Files {
	if s.Hash == "" {
		s.Hash = bundle.SHA256
	}
	var listed []bundle.FileInfo
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if slices.Contains(s.Exclude, name) {
			continue
		}
		listed = append(listed, bundle.NewFile(name, hashOf(name, p[name], s.Hash), s.Hash.String()))
	}
	payload := map[string]any{"files": listed}
	if s.Scope != "" {
		payload["scope"] = s.Scope
	}
	header := map[string]any{"alg": "ES256", "typ": "JWT"}
	if s.ID != "" {
		header["kid"] = s.ID
	}
	maps.Copy(header, s.Header)
	token := encoded(header) + "." + encoded(payload)
	token += "." + base64.RawURLEncoding.EncodeToString(s.seal(token))
	return p.With(Files{".signatures.json": string(Must(json.Marshal(map[string]any{"signatures": []string{token}})))})
}

func (s Signer) seal(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	switch {
	case s.Secret != "":
		mac := hmac.New(sha256.New, []byte(s.Secret))
		mac.Write([]byte(token))
		return mac.Sum(nil)
	case s.Key == nil:
		return nil
	}
	r, v, err := ecdsa.Sign(rand.Reader, s.Key, sum[:])
	if err != nil {
		panic(err)
	}
	return append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...)
}

func hashOf(name, content string, algorithm bundle.HashingAlgorithm) string {
	var value any = []byte(content)
	if bundle.IsStructuredDoc(name) {
		if err := util.Unmarshal([]byte(content), &value); err != nil {
			value = []byte(content)
		}
	}
	return hex.EncodeToString(Must(Must(bundle.NewSignatureHasher(algorithm)).HashFile(value)))
}

func encoded(v any) string { return base64.RawURLEncoding.EncodeToString(Must(json.Marshal(v))) }

// Must panics on an error.
func Must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// Signed returns the files signed by TrustedKey with the id "k1".
func Signed(p Files) Files { return Signer{Key: TrustedKey, ID: "k1"}.Sign(p) }

// Entry is an entry of an archive, a file unless its header says otherwise.
type Entry struct {
	tar.Header
	Content string
}

// Entries returns the files as entries, sorted by name.
func (p Files) Entries() []Entry {
	var all []Entry
	for _, name := range slices.Sorted(maps.Keys(p)) {
		all = append(all, Entry{tar.Header{Name: name}, p[name]})
	}
	return all
}

// Tar returns an uncompressed archive.
func Tar(entries ...Entry) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		if e.Typeflag == 0 {
			e.Typeflag = tar.TypeReg
		}
		e.Mode, e.Size = 0o600, int64(len(e.Content))
		if err := w.WriteHeader(&e.Header); err != nil {
			panic(err)
		}
		_ = Must(w.Write([]byte(e.Content)))
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// Gzip compresses data.
func Gzip(data []byte, level int) []byte {
	var out bytes.Buffer
	w := Must(gzip.NewWriterLevel(&out, level))
	_ = Must(w.Write(data))
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// Pack returns a .tar.gz.
func Pack(entries ...Entry) []byte { return Gzip(Tar(entries...), gzip.BestSpeed) }

// Pack returns the files as a .tar.gz.
func (p Files) Pack() []byte { return Pack(p.Entries()...) }

// KeyFile writes public keys to a file.
func KeyFile(t *testing.T, keys ...*ecdsa.PrivateKey) string {
	return WriteFile(t, "keys.pem", []byte(PublicPEM(keys...)))
}

// WriteFile writes a file in a temporary folder, and returns its path.
func WriteFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// InputSchema returns the schema of the input of the built-in policies.
func InputSchema() []byte {
	file := Must(policies.Files().Open("schemas/input.json"))
	defer func() { _ = file.Close() }()
	var out bytes.Buffer
	_ = Must(out.ReadFrom(file))
	return out.Bytes()
}

// TrustedKeys is TrustedKey by its id.
var TrustedKeys = map[string]*ecdsa.PrivateKey{"k1": TrustedKey}

// Random returns n bytes that cannot be compressed.
func Random(n int) string {
	data := make([]byte, n)
	_, _ = rand.Read(data)
	return string(data)
}

// RefusalOf requires that err is a refusal with a reason and a text.
func RefusalOf(t *testing.T, err error, what string) *bundles.Refusal {
	t.Helper()
	var r *bundles.Refusal
	require.ErrorAs(t, err, &r, what)
	require.NotEmpty(t, r.Reason, what)
	require.NotEmpty(t, r.Error(), what)
	return r
}

// Unpack writes files into a folder.
func Unpack(t *testing.T, dir string, p Files) {
	t.Helper()
	for name, content := range p {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
}

// FS returns files as a file system in memory.
func FS(files map[string]string) fstest.MapFS {
	all := fstest.MapFS{}
	for name, content := range files {
		all[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return all
}
