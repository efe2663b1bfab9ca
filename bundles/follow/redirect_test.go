package follow_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
)

// storage serves the bundle to everyone, and records the headers of requests.
type storage struct {
	http.Handler
	asked atomic.Pointer[http.Header] // of the last request for the bundle
	again atomic.Pointer[http.Header] // of the last conditional request
}

func newStorage(body []byte) *storage {
	s := &storage{}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := r.Header.Clone()
		w.Header().Set("ETag", `"one"`)
		if r.Header.Get("If-None-Match") == `"one"` {
			s.again.Store(&header)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		s.asked.Store(&header)
		_, _ = w.Write(body)
	})
	return s
}

// Configured headers go only to the configured server; those of the protocol follow the redirect.
func TestRedirectsGetNoCredentials(t *testing.T) {
	t.Parallel()
	codes := []int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect}
	if testing.Short() {
		codes = codes[:1]
	}
	configured := map[string]string{
		"Authorization": "Bearer " + secretText, "X-Key": secretText, "Cookie": "session=" + secretText, "Cookie2": secretText, "Proxy-Authorization": secretText, "Accept": secretText,
	}
	for name, c := range map[string]struct {
		https bool   // whether the configured server uses TLS
		to    string // OWN is its URL; PLAIN and SECURE are those of other servers
		same  bool
	}{
		"another port":          {false, "PLAIN/stored", false},
		"another name":          {false, "http://localhost:PORT/stored", false},
		"another port, https":   {true, "SECURE/stored", false},
		"a server in the clear": {true, "PLAIN/stored", false},
		"on and on":             {false, "PLAIN/back?to=/back?to=/stored", false},
		"there and back":        {false, "PLAIN/back?to=OWN/stored", true},
		"a path":                {false, "/stored", true},
		"its own address":       {true, "OWN/stored", true},
	} {
		for _, code := range codes {
			stored := newStorage(bundletest.Signed(bundletest.Release(1)).Pack())
			back := func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/back" {
					http.Redirect(w, r, r.URL.Query().Get("to"), code)
					return
				}
				stored.ServeHTTP(w, r)
			}
			plain, secure := serve(t, nil), serveTLS(t, nil, nil)
			plain.change(func() { plain.answer = back })
			secure.change(func() { secure.answer = back })
			s := serve(t, nil)
			if c.https {
				s = serveTLS(t, nil, nil)
			}
			places := strings.NewReplacer("OWN", s.URL, "PLAIN", plain.URL, "SECURE", secure.URL, "PORT", s.URL[strings.LastIndexByte(s.URL, ':')+1:])
			s.change(func() {
				s.answer = func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path != "/app.tar.gz" {
						stored.ServeHTTP(w, r)
						return
					}
					w.Header().Set("Set-Cookie", "given="+secretText)
					http.Redirect(w, r, places.Replace(c.to), code)
				}
			})
			more := map[string]any{"headers": map[string]string{}}
			for name, value := range configured {
				if name != "Authorization" {
					more["headers"].(map[string]string)[name] = value
				}
			}
			more["credentials"] = map[string]any{"bearer": map[string]any{"token": secretText}}
			more["tls"] = map[string]any{"ca_cert": authorityOf(t, secure)}
			f := startFollower(t, s.source(t, s.service(more)))
			f.untilSequence(1)
			f.untilOutcome(follow.Unchanged)
			for _, header := range []*http.Header{stored.asked.Load(), stored.again.Load()} {
				require.NotNil(t, header, name)
				require.Equal(t, "modes=snapshot", header.Get("Prefer"), name)
				require.Equal(t, "wardkeeper", header.Get("User-Agent"), name)
				if c.same {
					require.Equal(t, configured["Authorization"], header.Get("Authorization"), name)
					require.Equal(t, secretText, header.Get("X-Key"), name)
					continue
				}
				for of, values := range *header {
					require.NotContains(t, strings.Join(values, " "), secretText, "%s: %s", name, of)
				}
				for of := range configured {
					require.NotContains(t, *header, of, name)
				}
			}
			require.Equal(t, `"one"`, stored.again.Load().Get("If-None-Match"), name)
			f.Close()
		}
	}
}

// A signature is a credential, too.
func TestRedirectsGetNoSignature(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "key-of-the-tests")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "x")
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("AWS_SESSION_TOKEN", secretText)
	stored := newStorage(bundletest.Signed(bundletest.Release(1)).Pack())
	elsewhere := httptest.NewServer(stored)
	t.Cleanup(elsewhere.Close)
	s := serve(t, nil)
	s.change(func() {
		s.answer = func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Amz-Security-Token") == secretText {
				http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
			}
		}
	})
	_, err := openOnce(s.source(t, s.service(credentials("s3_signing", map[string]any{"environment_credentials": map[string]any{}}))))
	require.NoError(t, err)
	for _, name := range []string{"Authorization", "X-Amz-Security-Token", "X-Amz-Date"} {
		require.NotContains(t, *stored.asked.Load(), name)
	}
}

// The active release stays in force, and the target is not logged.
func TestBrokenRedirects(t *testing.T) {
	t.Parallel()
	to := func(location string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusFound)
		}
	}
	other := serve(t, nil)
	s := serve(t, nil)
	other.change(func() { other.answer = to(s.URL + "/app.tar.gz?sig=" + secretText) })
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		says   string
		at     int32 // the most requests that the server may get
	}{
		"itself":           {to("?sig=" + secretText), "too often", 5},
		"in turn":          {to(other.URL + "/?sig=" + secretText), "too often", 5},
		"what is broken":   {to("http://%" + secretText), "invalid URL", 1},
		"a bad port":       {to("http://host:" + secretText + "/"), "invalid URL", 1},
		"a control sign":   {to("http://host/\x7f" + secretText), "does not speak HTTP", 1},
		"another protocol": {to("ftp://host/" + secretText), "unsupported protocol", 1},
		"a long protocol":  {to(strings.Repeat("x", 50_000) + "://host/"), "unsupported protocol", 1},
		"no host":          {to("http:///" + secretText), "no Host", 1},
		"nobody":           {to("http://127.0.0.1:1/?sig=" + secretText), "refused", 1},
		"nowhere":          {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusFound) }, "302", 1},
	} {
		s.change(func() { s.answer = c.answer })
		before := s.requests.Load()
		_, err := openOnce(s.source(t, nil))
		require.Equal(t, bundles.Unavailable, bundletest.RefusalOf(t, err, name).Reason, name)
		require.ErrorContains(t, err, c.says, name)
		require.NotContains(t, err.Error(), secretText, name)
		require.Less(t, len(err.Error()), 1000, name)
		require.LessOrEqual(t, s.requests.Load()-before, c.at, name)
		f := startFollower(t, s.source(t, nil))
		f.checkRedacts(name)
		f.Close()
	}
}
