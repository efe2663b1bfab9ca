package rotation

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// selfSigned returns a self-signed certificate and its key, in PEM.
func selfSigned(t *testing.T, name string, lasts time.Duration) (certificate, key string) {
	t.Helper()
	return selfSignedFrom(t, name, time.Time{}, lasts)
}

func selfSignedFrom(t *testing.T, name string, from time.Time, lasts time.Duration) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: time.Now().Add(lasts),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, private.Public(), private)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	block := func(kind string, data []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}))
	}
	return block("CERTIFICATE", der), block("PRIVATE KEY", pkcs8)
}

func nameIn(t *testing.T, cfg *tls.Config) string {
	t.Helper()
	require.Len(t, cfg.Certificates, 1)
	leaf, err := x509.ParseCertificate(cfg.Certificates[0].Certificate[0])
	require.NoError(t, err)
	return leaf.Subject.CommonName
}

// While a new certificate is written and its key is not, the last pair is used.
func TestPairIsReplacedOnceItMatches(t *testing.T) {
	dir, log := t.TempDir(), &logBuffer{}
	cert, key, ca := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "ca.pem")
	first, firstKey := selfSigned(t, "first", time.Hour)
	second, secondKey := selfSigned(t, "second", time.Hour)
	put(t, cert, first)
	put(t, key, firstKey)
	put(t, ca, first)
	secured, err := OpenTLS(TLSConfig{CAFile: ca, CertFile: cert, KeyFile: key, Logger: slog.New(slog.NewTextHandler(log, nil))})
	require.NoError(t, err)
	before := secured.Config()
	assert.Equal(t, "first", nameIn(t, before))
	assert.Same(t, before, secured.Config(), "nothing has changed")

	put(t, cert, second)
	assert.Same(t, before, secured.Config())
	assert.Equal(t, 1, log.count("the client certificate cannot be used"))
	put(t, ca, second)
	assert.Equal(t, "first", nameIn(t, secured.Config()), "the authorities do not wait for the pair")
	assert.False(t, before.RootCAs.Equal(secured.Config().RootCAs))
	put(t, key, secondKey)
	assert.Equal(t, "second", nameIn(t, secured.Config()))

	put(t, ca, second+first[:len(first)/2])
	assert.True(t, secured.Config().RootCAs.Equal(secured.Config().RootCAs))
	assert.Contains(t, log.String(), "truncated")
}

// Connections are replaced when the version changes, when they reach their age, and by Renew. Requests in flight finish on
// their connection.
func TestTransportReplacesConnections(t *testing.T) {
	var connections atomic.Int32
	held, hold := make(chan struct{}), make(chan struct{})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/held" {
			close(held)
			<-hold
		}
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	var basis atomic.Int32
	var fails atomic.Bool
	made := func(life time.Duration) *http.Client {
		transport, err := NewTransport(TransportConfig{
			New: func() (*http.Transport, error) {
				if fails.Load() {
					return nil, errors.New("no transport")
				}
				return &http.Transport{}, nil
			},
			Version: func() any { return basis.Load() }, MaxAge: life,
		})
		require.NoError(t, err)
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport}
	}
	get := func(c *http.Client, path string) int32 {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, s.URL+path, nil)
		assert.NoError(t, err)
		w, err := c.Do(r)
		if assert.NoError(t, err) {
			assert.NoError(t, w.Body.Close())
		}
		return connections.Load()
	}
	c := made(time.Hour)
	require.EqualValues(t, 1, get(c, "/"))
	require.EqualValues(t, 1, get(c, "/"), "it is used again")
	basis.Add(1)
	require.EqualValues(t, 2, get(c, "/"))
	require.EqualValues(t, 2, get(c, "/"))
	c.Transport.(*Transport).Renew()
	require.EqualValues(t, 3, get(c, "/"))

	finished := make(chan struct{})
	go func() {
		get(c, "/held")
		close(finished)
	}()
	<-held
	basis.Add(1)
	require.EqualValues(t, 4, get(c, "/"))
	close(hold)
	<-finished

	fails.Store(true)
	basis.Add(1)
	get(c, "/") // with the last good transport
	fails.Store(false)
	before := get(c, "/")
	require.Equal(t, before, get(c, "/"))

	short := made(time.Nanosecond)
	before = get(short, "/")
	require.Equal(t, before+1, get(short, "/"))
	fails.Store(true)
	_, err := NewTransport(TransportConfig{New: func() (*http.Transport, error) { return nil, errors.New("none") }})
	require.EqualError(t, err, "none")
}
