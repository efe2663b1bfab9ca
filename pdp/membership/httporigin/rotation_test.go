package httporigin

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
)

// The application gets a certificate of another authority, and the CA file is replaced.
func TestAuthoritiesAreRotated(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		old, renewed := fixture.NewAuthority(t), fixture.NewAuthority(t)
		var current atomic.Pointer[tls.Certificate]
		useAuthority := func(a *fixture.Authority) {
			certificate, key := a.Issue("application")
			pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
			require.NoError(t, err)
			current.Store(&pair)
		}
		useAuthority(old)
		a := origintest.NewApplication(t, fixture.WithUsers(fixture.Everyone))
		s := httptest.NewUnstartedServer(a)
		s.EnableHTTP2 = http2
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.TLS = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return current.Load(), nil }}
		s.StartTLS()
		s.TLS.Certificates = nil
		t.Cleanup(s.Close)

		trusted := filepath.Join(t.TempDir(), "ca.pem")
		fixture.WriteFile(t, trusted, old.PEM())
		h, logged := openTestOrigin(t, s.URL, func(cfg *Config) { cfg.CAFile, cfg.breakerTimeout = trusted, time.Nanosecond })
		require.NoError(t, h.Check(context.Background()), name)

		// A truncated file does not replace the good one, even for new connections.
		fixture.WriteFile(t, trusted, renewed.PEM()[:200])
		h.Renew()
		require.NoError(t, h.Check(context.Background()), name)
		assert.Equal(t, 1, strings.Count(logged.String(), "the CA file cannot be used"), logged.String())

		useAuthority(renewed)
		h.Renew()
		require.ErrorContains(t, h.Check(context.Background()), "signed by unknown authority", name)
		fixture.WriteFile(t, trusted, renewed.PEM())
		require.NoError(t, h.Check(context.Background()), name)

		// An authority that is removed is distrusted at once, not only when connections end.
		fixture.WriteFile(t, trusted, old.PEM())
		require.ErrorContains(t, h.Check(context.Background()), "signed by unknown authority", name)
	}
}

// A new connection looks up the application's name again.
func TestConnectionsAreReplacedAtMaxAge(t *testing.T) {
	var connections atomic.Int32
	s := httptest.NewUnstartedServer(origintest.NewApplication(t, fixture.WithUsers(fixture.Everyone)))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	for maxAge, want := range map[time.Duration]int32{time.Hour: 1, time.Nanosecond: 5} {
		before := connections.Load()
		h, _ := openTestOrigin(t, s.URL, func(cfg *Config) { cfg.connectionMaxAge = maxAge })
		for range 5 {
			require.NoError(t, h.Check(context.Background()))
		}
		assert.Equal(t, want, connections.Load()-before, maxAge)
	}
}
