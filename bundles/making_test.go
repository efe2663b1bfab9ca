package bundles_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
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

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/policies"
)

// parts are the files of a bundle, by name.
type parts map[string]string

// entrypoint is the decision of the bundles here.
const entrypoint = "app/decision"

// release is a good bundle: rules, tables in JSON and in YAML, a golden decision and a file that is no policy.
func release(sequence int) parts {
	return parts{
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
func (p parts) with(changes parts) parts {
	all := maps.Clone(p)
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_, content string) bool { return content == "" })
	return all
}

// renamed is a bundle with a file under another name.
func (p parts) renamed(from, to string) parts {
	all := maps.Clone(p)
	all[to] = all[from]
	delete(all, from)
	return all
}

// signer makes the signature of a bundle, honest or not.
type signer struct {
	key     *ecdsa.PrivateKey
	id      string // the kid; "" leaves it out
	scope   string
	hash    bundle.HashingAlgorithm
	token   map[string]any // more members of the token's header
	secret  string         // signs by HMAC instead
	exclude []string       // files that are left out
}

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

// The keys of the tests.
var ours, theirs = newKey(), newKey()

func publicPEM(keys ...*ecdsa.PrivateKey) string {
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
func (s signer) sign(p parts) parts {
	if s.hash == "" {
		s.hash = bundle.SHA256
	}
	var listed []bundle.FileInfo
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if slices.Contains(s.exclude, name) {
			continue
		}
		listed = append(listed, bundle.NewFile(name, hashOf(name, p[name], s.hash), s.hash.String()))
	}
	payload := map[string]any{"files": listed}
	if s.scope != "" {
		payload["scope"] = s.scope
	}
	header := map[string]any{"alg": "ES256", "typ": "JWT"}
	if s.id != "" {
		header["kid"] = s.id
	}
	maps.Copy(header, s.token)
	token := encoded(header) + "." + encoded(payload)
	token += "." + base64.RawURLEncoding.EncodeToString(s.seal(token))
	return p.with(parts{".signatures.json": string(must(json.Marshal(map[string]any{"signatures": []string{token}})))})
}

func (s signer) seal(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	switch {
	case s.secret != "":
		mac := hmac.New(sha256.New, []byte(s.secret))
		mac.Write([]byte(token))
		return mac.Sum(nil)
	case s.key == nil:
		return nil
	}
	r, v, err := ecdsa.Sign(rand.Reader, s.key, sum[:])
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
	return hex.EncodeToString(must(must(bundle.NewSignatureHasher(algorithm)).HashFile(value)))
}

func encoded(v any) string { return base64.RawURLEncoding.EncodeToString(must(json.Marshal(v))) }

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// signed is a release with our signature, by the key "k1".
func signed(p parts) parts { return signer{key: ours, id: "k1"}.sign(p) }

// entry is one entry of an archive: a file unless its header says otherwise.
type entry struct {
	tar.Header
	content string
}

func (p parts) entries() []entry {
	var all []entry
	for _, name := range slices.Sorted(maps.Keys(p)) {
		all = append(all, entry{tar.Header{Name: name}, p[name]})
	}
	return all
}

// tarred packs entries.
func tarred(entries ...entry) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		if e.Typeflag == 0 {
			e.Typeflag = tar.TypeReg
		}
		e.Mode, e.Size = 0o600, int64(len(e.content))
		if err := w.WriteHeader(&e.Header); err != nil {
			panic(err)
		}
		_ = must(w.Write([]byte(e.content)))
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

func zipped(data []byte, level int) []byte {
	var out bytes.Buffer
	w := must(gzip.NewWriterLevel(&out, level))
	_ = must(w.Write(data))
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

func packed(entries ...entry) []byte { return zipped(tarred(entries...), gzip.BestSpeed) }

func (p parts) packed() []byte { return packed(p.entries()...) }

// origin is where settings in JSON say that bundles come from, with the times of tests.
func origin(t *testing.T, settings map[string]any) *bundles.Following {
	t.Helper()
	o, err := bundles.DecodeOrigin(must(json.Marshal(settings)))
	if err != nil {
		t.Fatal(err)
	}
	following, err := o.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	return following.Hurry(hurried)
}

// byKeys is the setting of keys by id.
func byKeys(keys map[string]*ecdsa.PrivateKey) map[string]any {
	all := map[string]any{}
	for id, key := range keys {
		all[id] = map[string]any{"key": publicPEM(key), "algorithm": "ES256"}
	}
	return all
}

// keyFile is a file of public keys.
func keyFile(t *testing.T, keys ...*ecdsa.PrivateKey) string {
	return written(t, "keys.pem", []byte(publicPEM(keys...)))
}

func written(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// opened opens an archive once, as the settings and the path say.
func opened(t *testing.T, raw []byte, settings map[string]any) (*bundles.Revision, error) {
	t.Helper()
	return opener(t, settings)(raw)
}

// opener opens one archive after another at the same path.
func opener(t *testing.T, settings map[string]any) func(raw []byte) (*bundles.Revision, error) {
	t.Helper()
	path := written(t, "bundle.tar.gz", nil)
	all := map[string]any{"path": path}
	maps.Copy(all, settings)
	o := origin(t, all)
	return func(raw []byte) (*bundles.Revision, error) {
		t.Helper()
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		return o.Open(context.Background(), entrypoint, inputSchema())
	}
}

func inputSchema() []byte {
	file := must(policies.Files().Open("schemas/input.json"))
	defer func() { _ = file.Close() }()
	var out bytes.Buffer
	_ = must(out.ReadFrom(file))
	return out.Bytes()
}

// ourKey is our key by its id.
var ourKey = map[string]*ecdsa.PrivateKey{"k1": ours}

// noise does not get smaller when it is packed.
func noise(n int) string {
	data := make([]byte, n)
	_, _ = rand.Read(data)
	return string(data)
}

func header(name string) tar.Header { return tar.Header{Name: name} }
