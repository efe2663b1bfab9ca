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

// parts are the files of a bundle, by name.
type Files map[string]string

// entrypoint is the decision of the bundles here.
const Entrypoint = "app/decision"

// release is a good bundle: rules, tables in JSON and in YAML, a golden decision and a file that is no policy.
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

// with is a bundle with other content in some files; an empty one is taken out.
func (p Files) With(changes Files) Files {
	all := maps.Clone(p)
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_, content string) bool { return content == "" })
	return all
}

// renamed is a bundle with a file under another name.
func (p Files) Rename(from, to string) Files {
	all := maps.Clone(p)
	all[to] = all[from]
	delete(all, from)
	return all
}

// signer makes the signature of a bundle, honest or not.
type Signer struct {
	Key     *ecdsa.PrivateKey
	ID      string // the kid; "" leaves it out
	Scope   string
	Hash    bundle.HashingAlgorithm
	Header  map[string]any // more members of the token's header
	Secret  string         // signs by HMAC instead
	Exclude []string       // files that are left out
}

func NewKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

// The keys of the tests.
var TrustedKey, OtherKey = NewKey(), NewKey()

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

// sign adds a signature to a bundle.
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

func Must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// signed is a release with our signature, by the key "k1".
func Signed(p Files) Files { return Signer{Key: TrustedKey, ID: "k1"}.Sign(p) }

// entry is one entry of an archive: a file unless its header says otherwise.
type Entry struct {
	tar.Header
	Content string
}

func (p Files) Entries() []Entry {
	var all []Entry
	for _, name := range slices.Sorted(maps.Keys(p)) {
		all = append(all, Entry{tar.Header{Name: name}, p[name]})
	}
	return all
}

// tarred packs entries.
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

func Gzip(data []byte, level int) []byte {
	var out bytes.Buffer
	w := Must(gzip.NewWriterLevel(&out, level))
	_ = Must(w.Write(data))
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

func Pack(entries ...Entry) []byte { return Gzip(Tar(entries...), gzip.BestSpeed) }

func (p Files) Pack() []byte { return Pack(p.Entries()...) }

// keyFile is a file of public keys.
func KeyFile(t *testing.T, keys ...*ecdsa.PrivateKey) string {
	return WriteFile(t, "keys.pem", []byte(PublicPEM(keys...)))
}

func WriteFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func InputSchema() []byte {
	file := Must(policies.Files().Open("schemas/input.json"))
	defer func() { _ = file.Close() }()
	var out bytes.Buffer
	_ = Must(out.ReadFrom(file))
	return out.Bytes()
}

// ourKey is our key by its id.
var TrustedKeys = map[string]*ecdsa.PrivateKey{"k1": TrustedKey}

// noise does not get smaller when it is packed.
func Random(n int) string {
	data := make([]byte, n)
	_, _ = rand.Read(data)
	return string(data)
}

// refusal has to be what an error is.
func RefusalOf(t *testing.T, err error, what string) *bundles.Refusal {
	t.Helper()
	var r *bundles.Refusal
	require.ErrorAs(t, err, &r, what)
	require.NotEmpty(t, r.Reason, what)
	require.NotEmpty(t, r.Error(), what)
	return r
}

// unpack writes the files of a bundle into a folder.
func Unpack(t *testing.T, dir string, p Files) {
	t.Helper()
	for name, content := range p {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
}

// tree is a policy tree in memory: names and contents.
func FS(files map[string]string) fstest.MapFS {
	all := fstest.MapFS{}
	for name, content := range files {
		all[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return all
}
