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

// TestHTTPAuthoritiesAreRotated: the application's certificate comes from another authority, which the file names from then on.
func TestHTTPAuthoritiesAreRotated(t *testing.T) {
	for name, second := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		old, renewed := fixture.NewAuthority(t), fixture.NewAuthority(t)
		var current atomic.Pointer[tls.Certificate]
		serves := func(a *fixture.Authority) {
			certificate, key := a.Issue("application")
			pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
			require.NoError(t, err)
			current.Store(&pair)
		}
		serves(old)
		a := origintest.NewApplication(t, fixture.WithUsers(fixture.Everyone))
		s := httptest.NewUnstartedServer(a)
		s.EnableHTTP2 = second
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.TLS = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return current.Load(), nil }}
		s.StartTLS()
		s.TLS.Certificates = nil
		t.Cleanup(s.Close)

		trusted := filepath.Join(t.TempDir(), "ca.pem")
		fixture.WriteFile(t, trusted, old.PEM())
		h, told := quick(t, s.URL, func(cfg *Config) { cfg.CAFile, cfg.rest = trusted, time.Nanosecond })
		require.NoError(t, h.Check(context.Background()), name)

		// Half of a file, and none: what was good stays, also for new connections.
		fixture.WriteFile(t, trusted, renewed.PEM()[:200])
		h.Renew()
		require.NoError(t, h.Check(context.Background()), name)
		assert.Equal(t, 1, strings.Count(told.String(), "the CA file cannot be used"), told.String())

		serves(renewed)
		h.Renew()
		require.ErrorContains(t, h.Check(context.Background()), "signed by unknown authority", name)
		fixture.WriteFile(t, trusted, renewed.PEM())
		require.NoError(t, h.Check(context.Background()), name)

		// Who is no authority any more is none at once, not once a connection happens to end.
		fixture.WriteFile(t, trusted, old.PEM())
		require.ErrorContains(t, h.Check(context.Background()), "signed by unknown authority", name)
	}
}

// TestHTTPConnectionsHaveALife, so that the application's name is looked up again.
func TestHTTPConnectionsHaveALife(t *testing.T) {
	var connections atomic.Int32
	s := httptest.NewUnstartedServer(origintest.NewApplication(t, fixture.WithUsers(fixture.Everyone)))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	for life, wanted := range map[time.Duration]int32{time.Hour: 1, time.Nanosecond: 5} {
		before := connections.Load()
		h, _ := quick(t, s.URL, func(cfg *Config) { cfg.life = life })
		for range 5 {
			require.NoError(t, h.Check(context.Background()))
		}
		assert.Equal(t, wanted, connections.Load()-before, life)
	}
}
