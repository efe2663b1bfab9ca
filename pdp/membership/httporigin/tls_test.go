package httporigin

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
)

func TestClientCertificateIsSentAndRotated(t *testing.T) {
	ca, other := fixture.NewAuthority(t), fixture.NewAuthority(t)
	certificate, key := ca.Issue("application")
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	require.NoError(t, err)
	a := origintest.NewApplication(t, fixture.WithUsers(fixture.Everyone))
	var sentName atomic.Value
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sentName.Store(r.TLS.PeerCertificates[0].Subject.CommonName)
		a.ServeHTTP(w, r)
	}))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it would log each refused handshake
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool()}
	s.StartTLS()
	defer s.Close()

	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		fixture.WriteFile(t, path, content)
		return path
	}
	trusted := file("ca.pem", ca.PEM())
	certificate, key = ca.Issue("sidecar one")
	certificateFile, keyFile := file("cert.pem", certificate), file("key.pem", key)
	h, logged := openTestOrigin(t, s.URL, func(cfg *Config) {
		cfg.CAFile, cfg.CertificateFile, cfg.KeyFile = trusted, certificateFile, keyFile
	})
	require.NoError(t, h.Check(context.Background()))
	assert.Equal(t, "sidecar one", sentName.Load())
	assert.Equal(t, 2, a.Requests()[0].ProtoMajor)

	certificate, key = ca.Issue("sidecar two")
	file("cert.pem", certificate) // its key does not exist yet
	h.transport.CloseIdleConnections()
	require.NoError(t, h.Check(context.Background()))
	assert.Equal(t, "sidecar one", sentName.Load())
	assert.Contains(t, logged.String(), "client certificate cannot be used, the last good content stays in force")
	file("key.pem", key)
	h.transport.CloseIdleConnections()
	require.NoError(t, h.Check(context.Background()))
	assert.Equal(t, "sidecar two", sentName.Load())

	without, logged := openTestOrigin(t, s.URL, func(cfg *Config) { cfg.CAFile, cfg.breakerTimeout = trusted, time.Nanosecond })
	require.Eventually(t, func() bool { // with TLS 1.3 the connection may close before the alert is read
		err := without.Check(context.Background())
		assert.Equal(t, pdp.Unavailable, pdp.KindOf(err))
		return err != nil && strings.Contains(err.Error(), "tls: certificate required")
	}, fixture.Timeout, time.Millisecond)
	assert.Contains(t, logged.String(), "refuses the sidecar's credentials")

	distrusting, _ := openTestOrigin(t, s.URL, func(cfg *Config) { cfg.CAFile = file("other.pem", other.PEM()) })
	assert.ErrorContains(t, distrusting.Check(context.Background()), "signed by unknown authority")
}

func TestOpenRefusesBadConfig(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		fixture.WriteFile(t, path, content)
		return path
	}
	certificate, key := fixture.NewAuthority(t).Issue("sidecar")
	for name, c := range map[string]struct {
		cfg   Config
		fault string
	}{
		"nothing":              {Config{}, "https address"},
		"no scheme":            {Config{URL: "app.example.org/x"}, "https address"},
		"another scheme":       {Config{URL: "ftp://app.example.org"}, "https address"},
		"no host":              {Config{URL: "https:///x"}, "https address"},
		"unreadable":           {Config{URL: "https://s3cret@app.example.org:x/%"}, "cannot be parsed"},
		"password":             {Config{URL: "https://jane:s3cret@app.example.org"}, "user or password"},
		"query":                {Config{URL: "https://app.example.org/?token=s3cret"}, "query"},
		"fragment":             {Config{URL: "https://app.example.org/#s3cret"}, "fragment"},
		"plain":                {Config{URL: "http://app.example.org"}, "anyone on the network can read"},
		"plain, not localhost": {Config{URL: "http://localhost.example.org"}, "plain http"},
		"two tokens":           {Config{URL: "https://a", Token: "s3cret", TokenFile: file("t", "s3cret")}, "choose one"},
		"no token":             {Config{URL: "https://a", TokenFile: filepath.Join(dir, "none")}, "no such file"},
		"empty token":          {Config{URL: "https://a", TokenFile: file("empty", " \n")}, "it is empty"},
		"two lines":            {Config{URL: "https://a", Token: "s3cret\r\nX-Evil: 1"}, "characters that a header cannot carry"},
		"a folder":             {Config{URL: "https://a", TokenFile: dir}, "not a regular file"},
		"large":                {Config{URL: "https://a", TokenFile: file("large", string(make([]byte, 256<<10+1)))}, "larger than"},
		"no CA":                {Config{URL: "https://a", CAFile: filepath.Join(dir, "none")}, "no such file"},
		"CA without any":       {Config{URL: "https://a", CAFile: file("ca", "x")}, "no certificate"},
		"half a pair":          {Config{URL: "https://a", KeyFile: file("k", key)}, "name both"},
		"key of another":       {Config{URL: "https://a", CertificateFile: file("c", certificate), KeyFile: file("x", "x")}, "client certificate"},
		"certificate gone":     {Config{URL: "https://a", CertificateFile: filepath.Join(dir, "none"), KeyFile: file("k", key)}, "no such file"},
	} {
		_, err := Open(c.cfg)
		require.ErrorContains(t, err, c.fault, name)
		assertNoSecrets(t, err.Error())
	}
	for _, cfg := range []Config{
		{URL: "https://app.example.org"}, {URL: "http://127.0.0.1:80/x/"}, {URL: "http://[::1]"}, {URL: "http://localhost:8080"},
		{URL: "http://app.example.org", Insecure: true},
	} {
		h, err := Open(cfg)
		require.NoError(t, err)
		require.NoError(t, h.Close())
	}
}
