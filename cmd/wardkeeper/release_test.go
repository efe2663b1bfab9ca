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

// signer is a key pair in PEM.
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

// releasePolicy allows everything. Its answers contain the number of the release.
const releasePolicy = `package app

decision := {"allow": true, "context": {"release": data.app.release}}
`

// testRelease is a release of a policy: its files, and the sequence of its manifest.
type testRelease struct {
	sequence int64 // 0: none
	files    map[string]string
}

// smallRelease returns release n of releasePolicy.
func smallRelease(n int64) testRelease {
	return testRelease{n, map[string]string{"app/app.rego": releasePolicy, "app/data.json": fmt.Sprintf(`{"release": %d}`, n)}}
}

// signed returns the release as a .tar.gz, signed with the key id "tests".
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
	return archiveBytes(tb, a)
}

func (r testRelease) archive(tb testing.TB) *bundles.Archive {
	tb.Helper()
	roots := map[string]bool{}
	for name := range r.files {
		root, _, _ := strings.Cut(name, "/")
		roots[root] = true
	}
	manifestMembers := map[string]any{"revision": fmt.Sprintf("r%d", r.sequence), "roots": slices.Collect(maps.Keys(roots))}
	if r.sequence > 0 {
		manifestMembers["metadata"] = map[string]any{"sequence": r.sequence}
	}
	manifest, err := json.Marshal(manifestMembers)
	require.NoError(tb, err)
	a := &bundles.Archive{Files: []bundles.File{{Name: ".manifest", Data: manifest}}}
	for name, content := range r.files {
		a.Files = append(a.Files, bundles.File{Name: name, Data: []byte(content)})
	}
	return a
}

func archiveBytes(tb testing.TB, a *bundles.Archive) []byte {
	tb.Helper()
	var out bytes.Buffer
	require.NoError(tb, a.Write(&out))
	return out.Bytes()
}

// replaceFile replaces a file atomically, as a release is published.
func replaceFile(t *testing.T, path string, data []byte) {
	t.Helper()
	next := filepath.Join(filepath.Dir(path), "next")
	require.NoError(t, os.WriteFile(next, data, 0o644))
	require.NoError(t, os.Rename(next, path))
}

// tool finds a program that the tests need. /usr/sbin is often not on the path.
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

// waitUntil waits until a condition holds. If it does not, the servers of the test report their state.
func waitUntil(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	for limit := time.Now().Add(servertest.Timeout); !condition(); time.Sleep(20 * time.Millisecond) {
		require.False(tb, time.Now().After(limit), "timed out waiting until %s", what)
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

// revision returns the answer of GET /v1/revision.
func (d *daemon) revision(t *testing.T) (s httpapi.PolicyStatus) {
	t.Helper()
	status, body := d.get(t, "/v1/revision")
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, json.Unmarshal([]byte(body), &s))
	return s
}

// waitForRelease waits until a release is active, and checks that it decides.
func (d *daemon) waitForRelease(t *testing.T, sequence int64) httpapi.PolicyStatus {
	t.Helper()
	waitUntil(t, fmt.Sprintf("release %d is active", sequence), func() bool { return d.revision(t).Sequence == sequence })
	require.Equal(t, sequence, d.decidingRelease(t))
	return d.revision(t)
}

// decidingRelease returns the number of the release that decides a question.
func (d *daemon) decidingRelease(t *testing.T) int64 {
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

// readiness returns the answer of GET /ready about the policy.
func (d *daemon) readiness(t *testing.T) (ready bool, s httpapi.PolicyStatus) {
	t.Helper()
	status, body := d.get(t, "/ready")
	var manifestMembers struct{ Policy httpapi.PolicyStatus }
	require.NoError(t, json.Unmarshal([]byte(body), &manifestMembers), body)
	return status == http.StatusOK, manifestMembers.Policy
}

// metric returns the value of a counter or gauge, or 0 if there is none.
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

// longPollServer is a bundle server that holds a request until it has a new bundle, as OPA's long polling expects.
type longPollServer struct {
	bundles chan []byte // the bundle of the next answer
}

func newLongPollServer(first []byte) *longPollServer {
	s := &longPollServer{bundles: make(chan []byte, 1)}
	s.bundles <- first
	return s
}

func (s *longPollServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
	defer cancel()
	select {
	case data := <-s.bundles:
		w.Header().Set("Content-Type", "application/vnd.openpolicyagent.bundles")
		w.Header().Set("ETag", fmt.Sprintf("%q", hex.EncodeToString(data[len(data)-8:])))
		_, _ = w.Write(data)
	case <-ctx.Done():
		w.WriteHeader(http.StatusNotModified)
	}
}
