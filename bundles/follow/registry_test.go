package follow_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stretchr/testify/require"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
)

// imageOf is a registry that serves a bundle as policies/authz:prod.
func imageOf(t *testing.T, data []byte) http.Handler {
	t.Helper()
	store := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	door := httptest.NewServer(store)
	defer door.Close()
	repository := bundletest.Must(remote.NewRepository(strings.TrimPrefix(door.URL, "http://") + "/policies/authz"))
	repository.PlainHTTP = true
	layer := content.NewDescriptorFromBytes(ocispec.MediaTypeImageLayerGzip, data)
	require.NoError(t, repository.Push(t.Context(), layer, bytes.NewReader(data)))
	manifest := bundletest.Must(oras.PackManifest(t.Context(), repository, oras.PackManifestVersion1_1, "application/vnd.wardkeeper.tests",
		oras.PackManifestOptions{Layers: []ocispec.Descriptor{layer}}))
	require.NoError(t, repository.Tag(t.Context(), manifest, "prod"))
	return store
}

// imageAt resolves settings for that image, with the members of more added to its service.
func imageAt(t *testing.T, front *httptest.Server, more map[string]any) *follow.BundleSource {
	t.Helper()
	service := map[string]any{"url": front.URL, "type": "oci"}
	maps.Copy(service, more)
	return source(t, map[string]any{
		"service": service, "resource": strings.TrimPrefix(front.URL, "http://") + "/policies/authz:prod",
		"key_file": bundletest.KeyFile(t, bundletest.TrustedKey), "state_dir": t.TempDir(),
	})
}

// Anyone who knows the URL of the storage can open it.
func TestRegistryRedirectIsRedacted(t *testing.T) {
	t.Parallel()
	store := imageOf(t, bundletest.Signed(bundletest.Release(1)).Pack())
	answer := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	on := func(location string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusTemporaryRedirect)
		}
	}
	for name, c := range map[string]struct {
		blob http.HandlerFunc // of the storage
		says string
	}{
		"good":            {nil, ""},
		"the time is up":  {answer(403, "<Error>"+secretText+"</Error>"), "the registry answered 403"},
		"said as OCI":     {answer(400, `{"errors": [{"code": "DENIED", "message": "`+secretText+`", "detail": "`+secretText+`"}]}`), "the registry answered 400"},
		"not logged in":   {answer(401, secretText), "the registry answered 401"},
		"broken":          {answer(500, ""), "the registry answered 500"},
		"gone":            {answer(404, secretText), "not found"},
		"another length":  {answer(200, secretText), "mismatch Content-Length"},
		"hangs up":        {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"sends on":        {on("http://127.0.0.1:1/?sig=" + secretText), "refused"},
		"without address": {on("http://%" + secretText), "invalid URL"},
		"in turn":         {on("?sig=" + secretText), "too often"},
	} {
		blobs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c.blob == nil {
				store.ServeHTTP(w, r)
				return
			}
			c.blob(w, r)
		}))
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/blobs/") {
				http.Redirect(w, r, blobs.URL+r.URL.Path+"?X-Amz-Signature="+secretText, http.StatusTemporaryRedirect)
				return
			}
			store.ServeHTTP(w, r)
		}))
		o := imageAt(t, front, nil)
		r, err := openOnce(o)
		if name == "good" {
			require.NoError(t, err)
			require.EqualValues(t, 1, r.Sequence)
		} else {
			require.Equal(t, bundles.Unavailable, bundletest.RefusalOf(t, err, name).Reason, name)
			require.ErrorContains(t, err, c.says, name)
			require.NotContains(t, err.Error(), secretText, name)
			startFollower(t, o).checkRedacts(name)
		}
		blobs.Close()
		front.Close()
	}
}

// The cases are answers about manifests, answers of the token service, and URLs.
func TestRegistryAnswersAreRedacted(t *testing.T) {
	t.Parallel()
	store := imageOf(t, bundletest.Signed(bundletest.Release(1)).Pack())
	challenge := func(realm string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				_, _ = io.WriteString(w, `{"token": ""}`)
				return
			}
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm=%q,service="tests"`, strings.ReplaceAll(realm, "HOST", r.Host)))
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"no token":         challenge("http://HOST/token?key=" + secretText),
		"no realm":         challenge("%" + secretText),
		"a realm of files": challenge("file:///" + secretText),
		"nobody's realm":   challenge("http://127.0.0.1:1/?key=" + secretText),
		"another type": func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet {
				store.ServeHTTP(w, r)
				return
			}
			http.Redirect(w, r, "/elsewhere?sig="+secretText, http.StatusFound)
		},
	} {
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				w.Header().Set("Content-Type", "text/html")
				return
			}
			answer(w, r)
		}))
		o := imageAt(t, front, nil)
		_, err := openOnce(o)
		require.Equal(t, bundles.Unavailable, bundletest.RefusalOf(t, err, name).Reason, name)
		require.NotContains(t, err.Error(), secretText, name)
		startFollower(t, o).checkRedacts(name)
		front.Close()
	}
}

func TestRegistryRedirectGetsNoToken(t *testing.T) {
	t.Parallel()
	store := imageOf(t, bundletest.Signed(bundletest.Release(1)).Pack())
	var asked, told atomic.Int32
	blobs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if len(r.Header.Values("Authorization")) > 0 {
			told.Add(1)
		}
		if r.URL.RawQuery == "" {
			http.Redirect(w, r, r.URL.Path+"?again", http.StatusTemporaryRedirect)
			return
		}
		store.ServeHTTP(w, r)
	}))
	t.Cleanup(blobs.Close)
	for name, c := range map[string]struct{ challenge, wanted string }{
		"of its token service": {`Bearer realm="http://HOST/token",service="tests"`, "Bearer granted"},
		"of the settings":      {`Basic realm="tests"`, "Basic " + base64.StdEncoding.EncodeToString([]byte("robot:"+secretText))},
	} {
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			given := r.Header.Get("Authorization")
			switch {
			case r.URL.Path == "/token" && strings.HasPrefix(given, "Basic "):
				_, _ = io.WriteString(w, `{"token": "granted"}`)
			case given != c.wanted:
				w.Header().Set("WWW-Authenticate", strings.ReplaceAll(c.challenge, "HOST", r.Host))
				w.WriteHeader(http.StatusUnauthorized)
			case strings.Contains(r.URL.Path, "/blobs/"):
				http.Redirect(w, r, blobs.URL+r.URL.Path, http.StatusTemporaryRedirect)
			default:
				store.ServeHTTP(w, r)
			}
		}))
		before := asked.Load()
		_, err := openOnce(imageAt(t, front, credentials("bearer", map[string]any{"scheme": "Basic", "token": "robot:" + secretText})))
		require.NoError(t, err, name)
		require.EqualValues(t, 2, asked.Load()-before, name)
		require.Zero(t, told.Load(), name)
		front.Close()
	}
}
