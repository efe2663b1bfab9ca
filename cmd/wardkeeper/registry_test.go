package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stretchr/testify/require"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote"
)

const (
	image         = "policies/authz"
	registryLogin = "robot:of-the-registry"
)

// imageRegistry is a registry behind a handler of the test. Pulls go through the handler, pushes do not.
type imageRegistry struct {
	store http.Handler
	front *httptest.Server
	pulls atomic.Int64 // requests for blobs
}

// newImageRegistry starts a registry behind the handler that via returns; via may be nil.
func newImageRegistry(t *testing.T, via func(http.Handler) http.Handler) *imageRegistry {
	t.Helper()
	r := &imageRegistry{store: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
	var pulled http.Handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Method == http.MethodGet && isBlob(q) {
			r.pulls.Add(1)
		}
		r.store.ServeHTTP(w, q)
	})
	if via != nil {
		pulled = via(pulled)
	}
	r.front = httptest.NewServer(pulled)
	t.Cleanup(r.front.Close)
	return r
}

func isBlob(r *http.Request) bool { return strings.Contains(r.URL.Path, "/blobs/") }

func (r *imageRegistry) host() string { return strings.TrimPrefix(r.front.URL, "http://") }

// push sets the tag prod to an image whose layer is the bundle, as `oras push` does.
func (r *imageRegistry) push(t *testing.T, data []byte) {
	t.Helper()
	door := httptest.NewServer(r.store)
	defer door.Close()
	repository, err := remote.NewRepository(strings.TrimPrefix(door.URL, "http://") + "/" + image)
	require.NoError(t, err)
	repository.PlainHTTP = true
	layer := content.NewDescriptorFromBytes(ocispec.MediaTypeImageLayerGzip, data)
	require.NoError(t, repository.Push(t.Context(), layer, bytes.NewReader(data)))
	manifest, err := oras.PackManifest(t.Context(), repository, oras.PackManifestVersion1_1, "application/vnd.wardkeeper.tests",
		oras.PackManifestOptions{Layers: []ocispec.Descriptor{layer}})
	require.NoError(t, err)
	require.NoError(t, repository.Tag(t.Context(), manifest, "prod"))
}

// subscriber follows the tag prod, polling once a second. credentials may be nil.
func (r *imageRegistry) subscriber(t *testing.T, credentials map[string]any) subscriber {
	t.Helper()
	s := subscriber{signer: newSigner(t, "RS256")}
	service := map[string]any{"url": r.front.URL, "type": "oci"}
	if credentials != nil {
		service["credentials"] = credentials
	}
	bundle, err := json.Marshal(map[string]any{
		"service": service, "resource": r.host() + "/" + image + ":prod",
		"polling":   map[string]any{"min_delay_seconds": 1, "max_delay_seconds": 1},
		"key_file":  writeFile(t, "public.pem", s.signer.public),
		"state_dir": filepath.Join(t.TempDir(), "state"),
	})
	require.NoError(t, err)
	s.config = writeFile(t, "wardkeeper.yaml", fmt.Sprintf("decision: app/decision\npolicy: {\"bundle\": %s}\n", bundle))
	return s
}

func TestRegistryFromTheCommandLine(t *testing.T) {
	t.Parallel()
	r := newImageRegistry(t, nil)
	signer := newSigner(t, "ES256")
	r.push(t, smallRelease(1).signed(t, signer))
	d := startServer(t, "--bundle", "oci+http://"+r.host()+"/"+image+":prod", "--decision", "app/decision",
		"--verification-key", writeFile(t, "public.pem", signer.public), "--state-dir", t.TempDir())
	now := d.waitForRelease(t, 1)
	require.Equal(t, "oci://"+r.host()+"/"+image+":prod", now.Source)
	require.True(t, now.Verified)
}

func TestMovedTagIsPulledOnce(t *testing.T) {
	t.Parallel()
	r := newImageRegistry(t, nil)
	s := r.subscriber(t, nil)
	r.push(t, smallRelease(1).signed(t, s.signer))
	d := s.startServer(t)
	first := d.waitForRelease(t, 1)
	waitUntil(t, "the tag is looked at again", func() bool { return d.revision(t).Attempt.Outcome == "unchanged" })
	require.Equal(t, first.Activated, d.revision(t).Activated)
	require.EqualValues(t, 1, r.pulls.Load(), "an image that is known is not pulled again")
	r.push(t, smallRelease(2).signed(t, s.signer))
	d.waitForRelease(t, 2)
	r.push(t, smallRelease(1).signed(t, s.signer))
	waitUntil(t, "the old release is refused", func() bool { return d.revision(t).Attempt.Reason == "replayed" })
	require.EqualValues(t, 2, d.decidingRelease(t))
	require.EqualValues(t, 3, r.pulls.Load())
}

// The blob is not even parsed.
func TestRegistryBlobWithAnotherDigestIsRefused(t *testing.T) {
	t.Parallel()
	var damage atomic.Bool
	r := newImageRegistry(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if !damage.Load() || !isBlob(q) {
				next.ServeHTTP(w, q)
				return
			}
			whole := httptest.NewRecorder()
			next.ServeHTTP(whole, q)
			body := whole.Body.Bytes()
			body[len(body)/2] ^= 1
			w.Header().Set("Content-Type", "application/octet-stream")
			_, _ = w.Write(body)
		})
	})
	s := r.subscriber(t, nil)
	r.push(t, smallRelease(1).signed(t, s.signer))
	d := s.startServer(t)
	d.waitForRelease(t, 1)
	damage.Store(true)
	r.push(t, smallRelease(2).signed(t, s.signer))
	waitUntil(t, "the forgery is refused", func() bool { return d.revision(t).Attempt.Reason == "malformed" })
	require.Contains(t, d.revision(t).Attempt.Message, "the registry sent content that does not match")
	require.EqualValues(t, 1, d.decidingRelease(t))
	damage.Store(false)
	d.waitForRelease(t, 2)
}

// requireToken requires a token from its token service, which in turn requires the configured credentials.
func requireToken(next http.Handler) http.Handler {
	const granted = "granted-for-a-while"
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		switch given := q.Header.Get("Authorization"); {
		case q.URL.Path == "/token" && given == "Basic "+base64.StdEncoding.EncodeToString([]byte(registryLogin)):
			_ = json.NewEncoder(w).Encode(map[string]string{"token": granted})
		case given == "Bearer "+granted:
			next.ServeHTTP(w, q)
		default:
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="tests",scope="repository:%s:pull"`, q.Host, image))
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
}

// requirePassword requires the configured credentials.
func requirePassword(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if user, password, _ := q.BasicAuth(); user+":"+password != registryLogin {
			w.Header().Set("WWW-Authenticate", `Basic realm="tests"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, q)
	})
}

// Credentials are sent to the registry and its token service, but not to the storage that the registry redirects to.
func TestRegistryCredentials(t *testing.T) {
	t.Parallel()
	login := map[string]any{"bearer": map[string]any{"scheme": "Basic", "token": registryLogin}}
	for name, lock := range map[string]func(http.Handler) http.Handler{"basic": requirePassword, "token service": requireToken} {
		t.Run(name, func(t *testing.T) {
			var atStorage atomic.Pointer[http.Header]
			var r *imageRegistry
			storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
				header := q.Header.Clone()
				atStorage.Store(&header)
				r.store.ServeHTTP(w, q)
			}))
			defer storage.Close()
			r = newImageRegistry(t, func(next http.Handler) http.Handler {
				return lock(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
					if isBlob(q) {
						http.Redirect(w, q, storage.URL+q.URL.Path, http.StatusFound)
						return
					}
					next.ServeHTTP(w, q)
				}))
			})
			s := r.subscriber(t, login)
			r.push(t, smallRelease(1).signed(t, s.signer))
			d := s.startServer(t)
			d.waitForRelease(t, 1)
			require.NotNil(t, atStorage.Load())
			require.Empty(t, atStorage.Load().Values("Authorization"))

			d = r.subscriber(t, nil).startServer(t)
			waitUntil(t, "the registry is asked", func() bool { return d.revision(t).Attempt != nil })
			require.Equal(t, "unavailable", d.revision(t).Attempt.Reason)
			require.Empty(t, d.revision(t).ID)
		})
	}
}
