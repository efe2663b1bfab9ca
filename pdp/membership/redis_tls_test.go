package membership

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// authority signs what a TLS server and its clients show.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.issue(t, "ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// issue writes NAME.crt and NAME.key; without an authority so far, it signs itself.
func (a *authority) issue(t *testing.T, name string, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(a.file(name+".crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(a.file(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	return cert, key
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

func TestRedisTLS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	usage := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	a.issue(t, "server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: usage})
	a.issue(t, "client", &x509.Certificate{ExtKeyUsage: usage})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	_, port, _ := net.SplitHostPort(addr)
	servertest.StartRedis(t, "--tls-port", port, "--tls-cert-file", a.file("server.crt"), "--tls-key-file", a.file("server.key"),
		"--tls-ca-cert-file", a.file("ca.crt"), "--tls-auth-clients", "yes")

	cfg := RedisConfig{
		URL: "rediss://" + addr, Timeout: 5 * time.Second,
		CAFile: a.file("ca.crt"), CertFile: a.file("client.crt"), KeyFile: a.file("client.key"),
	}
	tier := openTier(t, cfg)
	require.NoError(t, roundTrip(tier, "alice"))
	followTier(t, tier).beganAgain(t, 0)

	anonymous := cfg
	anonymous.CertFile, anonymous.KeyFile = "", ""
	assert.Error(t, roundTrip(openTier(t, anonymous), "alice"))
	stranger := cfg
	stranger.CAFile = newAuthority(t).file("ca.crt")
	assert.ErrorContains(t, roundTrip(openTier(t, stranger), "alice"), "certificate")
	cfg.URL = "rediss://localhost:" + port
	assert.ErrorContains(t, roundTrip(openTier(t, cfg), "alice"), "certificate", "its name is checked")
}

func TestRedisSentinelCredentials(t *testing.T) {
	o, err := RedisConfig{
		URL: "rediss://u:p@s1,s2/3?master_name=main", SentinelUsername: "su", SentinelPassword: "sp", Password: "over",
	}.withDefaults().options()
	require.NoError(t, err)
	f := o.Failover()
	assert.Equal(t, []string{"s1:26379", "s2:26379"}, f.SentinelAddrs)
	assert.Equal(t, []string{"main", "su", "sp", "u", "over"}, []string{f.MasterName, f.SentinelUsername, f.SentinelPassword, f.Username, f.Password})
	assert.Equal(t, 3, f.DB)
	assert.NotNil(t, f.TLSConfig)
}
