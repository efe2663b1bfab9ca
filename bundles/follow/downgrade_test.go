package follow_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
)

// plainOrTLSListener is a listener that accepts both TLS and plain connections.
type plainOrTLSListener struct {
	net.Listener
	settings *tls.Config
}

func (b plainOrTLSListener) Accept() (net.Conn, error) {
	plain, err := b.Listener.Accept()
	if err != nil {
		return nil, err
	}
	begun := peekedConn{plain, bufio.NewReader(plain)}
	if first, err := begun.read.Peek(1); err == nil && first[0] == 0x16 { // a TLS handshake
		return tls.Server(begun, b.settings), nil
	}
	return begun, nil
}

type peekedConn struct {
	net.Conn
	read *bufio.Reader
}

func (p peekedConn) Read(b []byte) (int, error) { return p.read.Read(b) }

// The server redirects from https to http at its own address.
func TestRedirectToPlainHTTPGetsNoCredentials(t *testing.T) {
	t.Parallel()
	known := serveTLS(t, nil, nil) // for its certificate
	stored := newStorage(bundletest.Signed(bundletest.Release(1)).Pack())
	s := &server{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Listener = plainOrTLSListener{s.Listener, &tls.Config{Certificates: known.TLS.Certificates}}
	s.Start()
	t.Cleanup(s.Close)
	address := s.Listener.Addr().String()
	s.change(func() {
		s.answer = func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Key") == secretText && r.URL.Path == "/app.tar.gz" {
				http.Redirect(w, r, "http://"+address+"/stored", http.StatusFound)
				return
			}
			stored.ServeHTTP(w, r)
		}
	})
	more := credentials("bearer", map[string]any{"token": secretText})
	more["url"], more["headers"] = "https://"+address, map[string]string{"X-Key": secretText}
	more["tls"] = map[string]any{"ca_cert": authorityOf(t, known)}
	_, err := openOnce(s.source(t, s.service(more)))
	require.NoError(t, err)
	require.NotContains(t, *stored.asked.Load(), "Authorization")
	require.NotContains(t, *stored.asked.Load(), "X-Key")
	require.Equal(t, "modes=snapshot", stored.asked.Load().Get("Prefer"))
}
