package client

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMistakesAreExplained(t *testing.T) {
	t.Parallel()
	handler := http.NotFoundHandler()
	plain, secure, mutual := httptest.NewServer(handler), httptest.NewTLSServer(handler), httptest.NewUnstartedServer(handler)
	mutual.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	mutual.StartTLS()
	for _, server := range []*httptest.Server{plain, secure, mutual} {
		t.Cleanup(server.Close)
	}
	late := secure.Client().Transport.(*http.Transport).Clone()
	late.TLSClientConfig.Time = func() time.Time { return secure.Certificate().NotAfter.Add(time.Second) }
	for name, c := range map[string]struct {
		url       string
		transport http.RoundTripper
		want      string
	}{
		"TLS, but the server speaks none":   {strings.Replace(plain.URL, "http:", "https:", 1), &http.Transport{}, "use an http:// URL"},
		"unknown authority":                 {secure.URL, &http.Transport{}, "name its authority by --ca-file"},
		"an expired certificate":            {secure.URL, late, "replace the server's certificate, or set the clock"},
		"no client certificate":             {mutual.URL, mutual.Client().Transport, "by --cert-file and --key-file"},
		"nobody there":                      {"http://127.0.0.1:1", nil, "connection refused"},
		"no TLS, but the server speaks TLS": {strings.Replace(secure.URL, "https:", "http:", 1), nil, "use an https:// URL"},
	} {
		answer, err := Client{BaseURL: c.url, Transport: c.transport}.Get(t.Context(), "/ready")
		if err == nil {
			err = answer.Err()
		}
		require.ErrorContains(t, err, c.want, name)
		require.NotContains(t, err.Error(), "/ready", name)
	}
}
