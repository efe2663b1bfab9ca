package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/util"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// signer is a pair of keys, as PEM.
type signer struct{ algorithm, private, public string }

func newSigner(tb testing.TB, algorithm string) signer {
	tb.Helper()
	var private crypto.Signer
	var err error
	if algorithm == "RS256" {
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	require.NoError(tb, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(tb, err)
	public, err := x509.MarshalPKIXPublicKey(private.Public())
	require.NoError(tb, err)
	return signer{
		algorithm: algorithm,
		private:   string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})),
		public:    string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
	}
}

// tiny is a policy without a directory. It allows, and says by which release.
const tiny = `package app

decision := {"allow": true, "context": {"release": data.app.release}}
`

// release is one of a policy: its files, and what its manifest says of it.
type testRelease struct {
	sequence int64 // 0: none
	files    map[string]string
}

// numbered is a release of the tiny policy.
func numbered(n int64) testRelease {
	return testRelease{n, map[string]string{"app/app.rego": tiny, "app/data.json": fmt.Sprintf(`{"release": %d}`, n)}}
}

// signed is a release as a .tar.gz, signed with the key id "tests".
func (r testRelease) signed(tb testing.TB, by signer) []byte {
	tb.Helper()
	a := r.archive(tb)
	hasher, err := bundle.NewSignatureHasher(bundle.SHA256)
	require.NoError(tb, err)
	var named []bundle.FileInfo
	for _, f := range a.Files {
		var value any = f.Data
		if bundle.IsStructuredDoc(f.Name) {
			value = nil
			require.NoError(tb, util.Unmarshal(f.Data, &value))
		}
		hash, err := hasher.HashFile(value)
		require.NoError(tb, err)
		named = append(named, bundle.NewFile(f.Name, hex.EncodeToString(hash), string(bundle.SHA256)))
	}
	token, err := bundle.GenerateSignedToken(named, bundle.NewSigningConfig(by.private, by.algorithm, ""), "tests")
	require.NoError(tb, err)
	signatures, err := json.Marshal(bundle.SignaturesConfig{Signatures: []string{token}})
	require.NoError(tb, err)
	a.Files = append(a.Files, bundles.File{Name: ".signatures.json", Data: signatures})
	return packed(tb, a)
}

func (r testRelease) archive(tb testing.TB) *bundles.Archive {
	tb.Helper()
	roots := map[string]bool{}
	for name := range r.files {
		root, _, _ := strings.Cut(name, "/")
		roots[root] = true
	}
	said := map[string]any{"revision": fmt.Sprintf("r%d", r.sequence), "roots": slices.Collect(maps.Keys(roots))}
	if r.sequence > 0 {
		said["metadata"] = map[string]any{"sequence": r.sequence}
	}
	manifest, err := json.Marshal(said)
	require.NoError(tb, err)
	a := &bundles.Archive{Files: []bundles.File{{Name: ".manifest", Data: manifest}}}
	for name, content := range r.files {
		a.Files = append(a.Files, bundles.File{Name: name, Data: []byte(content)})
	}
	return a
}

func packed(tb testing.TB, a *bundles.Archive) []byte {
	tb.Helper()
	var out bytes.Buffer
	require.NoError(tb, a.Write(&out))
	return out.Bytes()
}

// replaceFile puts a file in its place at once, as a release is published.
func replaceFile(t *testing.T, path string, data []byte) {
	t.Helper()
	next := filepath.Join(filepath.Dir(path), "next")
	require.NoError(t, os.WriteFile(next, data, 0o644))
	require.NoError(t, os.Rename(next, path))
}

// tool finds a program that the tests need; /usr/sbin is not on everybody's path.
func tool(t *testing.T, name string) string {
	t.Helper()
	skipIfShort(t)
	if at, err := exec.LookPath(filepath.Join("/usr/sbin", name)); err == nil {
		return at
	}
	at, err := exec.LookPath(name)
	require.NoError(t, err, "%s is missing: .ci/run installs it", name)
	return at
}

// until waits for what has to come about by itself. If it does not, the servers of the test report their state.
func until(tb testing.TB, what string, come func() bool) {
	tb.Helper()
	for limit := time.Now().Add(servertest.Timeout); !come(); time.Sleep(20 * time.Millisecond) {
		require.False(tb, time.Now().After(limit), "it never came about that %s", what)
	}
}

func (d *daemon) get(t testing.TB, path string) (status int, body string) {
	t.Helper()
	w, err := http.Get(d.url + path)
	require.NoError(t, err)
	defer func() { require.NoError(t, w.Body.Close()) }()
	text, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	return w.StatusCode, string(text)
}

// revision is what GET /v1/revision says.
func (d *daemon) revision(t *testing.T) (s httpapi.PolicyStatus) {
	t.Helper()
	status, body := d.get(t, "/v1/revision")
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, json.Unmarshal([]byte(body), &s))
	return s
}

// untilRelease waits until a release is active, and sees that it decides.
func (d *daemon) untilRelease(t *testing.T, sequence int64) httpapi.PolicyStatus {
	t.Helper()
	until(t, fmt.Sprintf("release %d is active", sequence), func() bool { return d.revision(t).Sequence == sequence })
	require.Equal(t, sequence, d.decidedBy(t))
	return d.revision(t)
}

// decidedBy is the release of the tiny policy that decides a question.
func (d *daemon) decidedBy(t *testing.T) int64 {
	t.Helper()
	w, body := post(t, d.url, "", viewJane)
	require.Equal(t, http.StatusOK, w.StatusCode, body)
	var answer struct {
		Decision bool
		Context  struct{ Release int64 }
	}
	require.NoError(t, json.Unmarshal([]byte(body), &answer))
	require.True(t, answer.Decision, body)
	return answer.Context.Release
}

// notes is what GET /ready says of the policy.
func (d *daemon) notes(t *testing.T) (ready bool, s httpapi.PolicyStatus) {
	t.Helper()
	status, body := d.get(t, "/ready")
	var said struct{ Policy httpapi.PolicyStatus }
	require.NoError(t, json.Unmarshal([]byte(body), &said), body)
	return status == http.StatusOK, said.Policy
}

// metric is the value of a counter or gauge, 0 where there is none.
func (d *daemon) metric(t testing.TB, name string) float64 {
	t.Helper()
	_, body := d.get(t, "/metrics")
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			require.NoError(t, err)
			return f
		}
	}
	return 0
}

// shelf is a bundle server that holds a request until it has something new, as OPA's long polling wants it.
type shelf struct {
	changes chan []byte // the bundle of the next answer
}

func newShelf(first []byte) *shelf {
	s := &shelf{changes: make(chan []byte, 1)}
	s.changes <- first
	return s
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
	defer cancel()
	select {
	case data := <-s.changes:
		w.Header().Set("Content-Type", "application/vnd.openpolicyagent.bundles")
		w.Header().Set("ETag", fmt.Sprintf("%q", hex.EncodeToString(data[len(data)-8:])))
		_, _ = w.Write(data)
	case <-ctx.Done():
		w.WriteHeader(http.StatusNotModified)
	}
}
