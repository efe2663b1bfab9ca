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

// bilingual is a listener that speaks TLS with those who begin it, and plainly with the others.
type bilingual struct {
	net.Listener
	settings *tls.Config
}

func (b bilingual) Accept() (net.Conn, error) {
	plain, err := b.Listener.Accept()
	if err != nil {
		return nil, err
	}
	begun := peeked{plain, bufio.NewReader(plain)}
	if first, err := begun.read.Peek(1); err == nil && first[0] == 0x16 { // a handshake
		return tls.Server(begun, b.settings), nil
	}
	return begun, nil
}

type peeked struct {
	net.Conn
	read *bufio.Reader
}

func (p peeked) Read(b []byte) (int, error) { return p.read.Read(b) }

// TestNothingIsSentInTheClear: a server that sends its callers from https to http of its own address gets the question
// there, and no credentials.
func TestNothingIsSentInTheClear(t *testing.T) {
	t.Parallel()
	known := serveTLS(t, nil, nil) // for its certificate
	stored := newStorage(bundletest.Signed(bundletest.Release(1)).Pack())
	s := &server{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Listener = bilingual{s.Listener, &tls.Config{Certificates: known.TLS.Certificates}}
	s.Start()
	t.Cleanup(s.Close)
	address := s.Listener.Addr().String()
	s.change(func() {
		s.answer = func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Key") == hush && r.URL.Path == "/app.tar.gz" {
				http.Redirect(w, r, "http://"+address+"/stored", http.StatusFound)
				return
			}
			stored.ServeHTTP(w, r)
		}
	})
	more := credentials("bearer", map[string]any{"token": hush})
	more["url"], more["headers"] = "https://"+address, map[string]string{"X-Key": hush}
	more["tls"] = map[string]any{"ca_cert": authorityOf(t, known)}
	_, err := openOnce(s.origin(t, s.service(more)))
	require.NoError(t, err)
	require.NotContains(t, *stored.asked.Load(), "Authorization")
	require.NotContains(t, *stored.asked.Load(), "X-Key")
	require.Equal(t, "modes=snapshot", stored.asked.Load().Get("Prefer"))
}
