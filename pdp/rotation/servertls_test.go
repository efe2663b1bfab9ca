package rotation

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// While a new certificate is written and its key is not, the last pair is presented.
func TestServerPairIsReplacedOnceItMatches(t *testing.T) {
	dir, log := t.TempDir(), &logBuffer{}
	cert, key, ca := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "ca.pem")
	first, firstKey := selfSigned(t, "first", time.Hour)
	second, secondKey := selfSigned(t, "second", time.Hour)
	put(t, cert, first)
	put(t, key, firstKey)
	put(t, ca, first)
	cfg := ServerTLSConfig{CertFile: cert, KeyFile: key, ClientCAFile: ca, Logger: slog.New(slog.NewTextHandler(log, nil))}
	secured, err := OpenServerTLS(cfg)
	require.NoError(t, err)
	current := func() *tls.Config {
		secured.Reload()
		config, err := secured.Config().GetConfigForClient(nil)
		require.NoError(t, err)
		return config
	}
	before := current()
	assert.Equal(t, "first", nameIn(t, before))
	assert.Equal(t, tls.RequireAndVerifyClientCert, before.ClientAuth)
	assert.Same(t, before, current(), "nothing has changed")

	put(t, cert, second)
	assert.Same(t, before, current())
	assert.Equal(t, 1, log.count("the server's certificate cannot be used"))
	put(t, ca, second)
	assert.Equal(t, "first", nameIn(t, current()), "the authorities do not wait for the pair")
	assert.False(t, before.ClientCAs.Equal(secured.ClientCAs()))
	put(t, key, secondKey)
	assert.Equal(t, "second", nameIn(t, current()))
	leaf, err := x509.ParseCertificate(current().Certificates[0].Certificate[0])
	require.NoError(t, err)
	assert.Equal(t, leaf.NotAfter, secured.Expires())
	put(t, key, firstKey[:len(firstKey)/2])
	assert.Equal(t, "second", nameIn(t, current()))

	cfg.ClientCAFile = filepath.Join(dir, "none")
	_, err = OpenServerTLS(cfg)
	assert.ErrorContains(t, err, "the server's certificate")
	assert.ErrorContains(t, err, "no such file")
	cfg.ClientCAFile, cfg.CertFile, cfg.KeyFile = "", ca, filepath.Join(dir, "key2.pem")
	put(t, cfg.KeyFile, secondKey)
	secured, err = OpenServerTLS(cfg)
	require.NoError(t, err)
	assert.Nil(t, secured.ClientCAs())
	assert.Equal(t, tls.NoClientCert, current().ClientAuth)
}

func TestExpiredCertificateIsToldOfOnce(t *testing.T) {
	dir, log := t.TempDir(), &logBuffer{}
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	expired, expiredKey := selfSigned(t, "expired", -time.Hour)
	put(t, cert, expired)
	put(t, key, expiredKey)
	secured, err := OpenServerTLS(ServerTLSConfig{CertFile: cert, KeyFile: key, Logger: slog.New(slog.NewTextHandler(log, nil))})
	require.NoError(t, err)
	secured.Reload()
	assert.Equal(t, 1, log.count("the server's certificate is not valid now"))
}

// A renewal that went wrong must not lock out the clients that the certificate before still serves.
func TestCertificateThatIsNotValidDoesNotReplaceOneThatIs(t *testing.T) {
	valid, validKey := selfSigned(t, "valid", time.Hour)
	expired, expiredKey := selfSigned(t, "expired", -time.Hour)
	later, laterKey := selfSignedFrom(t, "later", time.Now().Add(time.Minute), time.Hour)
	for name, bad := range map[string][2]string{"expired": {expired, expiredKey}, "not valid yet": {later, laterKey}} {
		t.Run(name, func(t *testing.T) {
			dir, log := t.TempDir(), &logBuffer{}
			cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
			replace := func(certificate, private string) {
				put(t, cert, certificate)
				put(t, key, private)
			}
			replace(valid, validKey)
			secured, err := OpenServerTLS(ServerTLSConfig{CertFile: cert, KeyFile: key, Logger: slog.New(slog.NewTextHandler(log, nil))})
			require.NoError(t, err)
			assert.False(t, secured.Refuses())
			replace(bad[0], bad[1])
			secured.Reload()
			secured.Reload()
			assert.Equal(t, "valid", nameIn(t, secured.current.Load()))
			assert.True(t, secured.Refuses())
			assert.Equal(t, 1, log.count("the last good one stays in force"))
			found := secured.pair.Get()
			assert.Same(t, found, secured.choose(found, time.Now().Add(2*time.Hour)), "the last one has expired too")
			replace(valid, validKey)
			secured.Reload()
			assert.False(t, secured.Refuses())
			put(t, key, expiredKey)
			secured.Reload()
			assert.True(t, secured.Refuses(), "the key does not match")
		})
	}
}
