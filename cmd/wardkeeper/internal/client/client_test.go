package client

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLongMessagesAreShortened(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]string{
		"message": "HTTP/1.1 503 Service Unavailable\r\n\r\n" + `{"error":"` + strings.Repeat("x", 100_000) + `"}`,
		"status":  "HTTP/1.1 503 " + strings.Repeat("x", 100_000) + "\r\n\r\n",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer func() { _ = l.Close() }()
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, a)
			_ = conn.Close()
		}()
		answer, err := Client{BaseURL: "http://" + l.Addr().String()}.Get(t.Context(), "/ready")
		require.NoError(t, err, name)
		require.Less(t, len(answer.Text)+len(answer.Err().Error()), 2000, name)
	}
}

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
