package follow_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
)

// serveTLS serves a bundle by HTTPS with TLS settings, which may be nil.
func serveTLS(t *testing.T, body []byte, settings *tls.Config) *server {
	t.Helper()
	s := &server{body: body}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.TLS, s.Config.ErrorLog = settings, log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func inPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// authorityOf writes the certificate that signed a server's certificate to a file.
func authorityOf(t *testing.T, s *server) string {
	t.Helper()
	return bundletest.WriteFile(t, "ca.pem", inPEM("CERTIFICATE", s.Certificate().Raw))
}

// clientCertificate makes a certificate, and returns its file and that of its key.
func clientCertificate(t *testing.T) (cert, key string) {
	t.Helper()
	private := bundletest.NewKey()
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "tests"}, NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der := bundletest.Must(x509.CreateCertificate(rand.Reader, about, about, &private.PublicKey, private))
	return bundletest.WriteFile(t, "client.pem", inPEM("CERTIFICATE", der)), bundletest.WriteFile(t, "client.key", keyInPEM(private))
}

func keyInPEM(key *ecdsa.PrivateKey) []byte {
	return inPEM("PRIVATE KEY", bundletest.Must(x509.MarshalPKCS8PrivateKey(key)))
}

func secondOf(_, second string) string { return second }

// requireClientCertificate returns settings that require a client certificate signed by the one in file.
func requireClientCertificate(t *testing.T, file string) *tls.Config {
	t.Helper()
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(bundletest.Must(os.ReadFile(file))))
	return &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
}

func TestServerCertificateIsVerified(t *testing.T) {
	t.Parallel()
	s := serveTLS(t, bundletest.Signed(bundletest.Release(1)).Pack(), nil)
	other, _ := clientCertificate(t)
	for name, c := range map[string]struct {
		more  map[string]any
		known bool
	}{
		"its own":     {map[string]any{"tls": map[string]any{"ca_cert": authorityOf(t, s)}}, true},
		"its own too": {map[string]any{"tls": map[string]any{"ca_cert": authorityOf(t, s), "system_ca_required": true}}, true},
		"another":     {map[string]any{"tls": map[string]any{"ca_cert": other}}, false},
		"the system":  {nil, false},
		"no matter":   {map[string]any{"allow_insecure_tls": true}, true},
	} {
		before := s.requests.Load()
		_, err := openOnce(s.source(t, s.service(c.more)))
		if c.known {
			require.NoError(t, err, name)
			continue
		}
		require.Equal(t, bundles.Unavailable, bundletest.RefusalOf(t, err, name).Reason, name)
		require.ErrorContains(t, err, "x509", name)
		require.Equal(t, before, s.requests.Load(), "%s: nothing is asked of a server that is not known", name)
	}
}

func TestClientCertificateIsSent(t *testing.T) {
	t.Parallel()
	cert, key := clientCertificate(t)
	foreign, foreignKey := clientCertificate(t)
	s := serveTLS(t, bundletest.Signed(bundletest.Release(1)).Pack(), requireClientCertificate(t, cert))
	known := map[string]any{"ca_cert": authorityOf(t, s)}
	for name, c := range map[string]struct {
		credentials map[string]any
		open        bool
	}{
		"the right one": {map[string]any{"client_tls": map[string]any{"cert": cert, "private_key": key}}, true},
		"another":       {map[string]any{"client_tls": map[string]any{"cert": foreign, "private_key": foreignKey}}, false},
		"none":          {nil, false},
	} {
		before := s.requests.Load()
		o := s.source(t, s.service(map[string]any{"tls": known, "credentials": c.credentials}))
		_, err := openOnce(o)
		if c.open {
			require.NoError(t, err, name)
			continue
		}
		require.Equal(t, bundles.Unavailable, bundletest.RefusalOf(t, err, name).Reason, name)
		require.Equal(t, before, s.requests.Load(), name)
	}
}

// Whatever the token service answers, no secret is logged, and the server is not asked without a token.
func TestTokenServiceIsUsed(t *testing.T) {
	t.Parallel()
	const granted = "granted-" + secretText
	good := func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		if r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "bundles" || id != "tests" || secret != secretText {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": granted, "token_type": "bearer", "expires_in": 3600})
	}
	answer := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	service := func(tokens, s *server) map[string]any {
		all := credentials("oauth2", map[string]any{
			"token_url": tokens.URL + "/token?key=" + secretText, "client_id": "tests", "client_secret": secretText, "scopes": []string{"bundles"},
		})
		all["tls"] = map[string]any{"ca_cert": authorityOf(t, tokens)}
		return s.service(all)
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"good":             {good, ""},
		"refuses":          {answer(401, `{"error": "invalid_client", "error_description": "`+secretText+`"}`), "invalid_client"},
		"says what it got": {answer(400, "no such secret: "+secretText), "the token service of the credentials refused"},
		"says a word":      {answer(400, `{"error": "`+secretText+`"}`), "the token service of the credentials refused"},
		"breaks down":      {answer(500, strings.Repeat(secretText, 10_000)), "the token service of the credentials refused"},
		"no token":         {answer(200, `{"access_token": "`+secretText+`", "token_type": "mac"}`), "token type"},
		"no JSON":          {answer(200, secretText), "invalid character"},
		"sends on": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://%"+secretText)
			w.WriteHeader(302)
		}, "invalid URL"},
		"hangs up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"is down":  {nil, "refused"},
	} {
		tokens, s := serveTLS(t, nil, nil), serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
		tokens.change(func() { tokens.answer = c.answer })
		s.guard(func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer "+granted })
		o := s.source(t, service(tokens, s))
		if c.answer == nil {
			tokens.Close()
		}
		if c.says == "" {
			startFollower(t, o).untilSequence(1)
			s.waitForRequests(t, 3)
			require.EqualValues(t, 1, tokens.requests.Load(), "a token is for many requests")
			continue
		}
		_, err := openOnce(o)
		require.Equal(t, bundles.Unavailable, bundletest.RefusalOf(t, err, name).Reason, name)
		require.ErrorContains(t, err, c.says, name)
		require.Less(t, len(err.Error()), 500, name)
		startFollower(t, o).checkRedacts(name)
		require.Zero(t, s.requests.Load(), name)
	}
}

func TestTokenServiceFailureIsTemporary(t *testing.T) {
	t.Parallel()
	tokens, s := serveTLS(t, nil, nil), serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
	var down atomic.Bool
	down.Store(true)
	tokens.change(func() {
		tokens.answer = func(w http.ResponseWriter, _ *http.Request) {
			if down.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			_, _ = fmt.Fprint(w, `{"access_token": "t", "token_type": "Bearer", "expires_in": 1}`)
		}
	})
	all := credentials("oauth2", map[string]any{"token_url": tokens.URL, "client_id": "tests", "client_secret": secretText})
	all["tls"] = map[string]any{"ca_cert": authorityOf(t, tokens)}
	f := startFollower(t, s.source(t, s.service(all)))
	f.untilOutcome(follow.Unavailable)
	down.Store(false)
	f.untilSequence(1)
	asked := tokens.requests.Load()
	s.waitForRequests(t, 2)
	require.Greater(t, tokens.requests.Load(), asked, "a token that is about to end is not used")
	down.Store(true)
	require.True(t, f.untilOutcome(follow.Unavailable).Active.Verified)
	require.True(t, f.decides("read1"))
}
