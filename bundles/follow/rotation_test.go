package follow_test

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
)

// logging resolves settings, and returns the log of rereading files.
func logging(t *testing.T, settings map[string]any) (*follow.BundleSource, *lines) {
	t.Helper()
	log := &lines{}
	o, err := follow.DecodeSettings(bundletest.Must(json.Marshal(settings)))
	require.NoError(t, err)
	o.Logger = slog.New(slog.NewTextHandler(log, nil))
	f, err := o.Resolve()
	require.NoError(t, err)
	return f.SetPolling(fastPolling), log
}

func replace(t *testing.T, path string, data []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path+".next", data, 0o600))
	require.NoError(t, os.Rename(path+".next", path))
}

// A bundle signed by the new key is accepted even if it was refused before. The active policy stays, and a faulty key
// file changes nothing.
func TestRotatedKeyIsUsed(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]func(path string) map[string]any{
		"a key file": func(path string) map[string]any { return map[string]any{"key_file": path} },
		"keys by id": func(path string) map[string]any {
			return map[string]any{"key_file": nil, "keys": map[string]any{"k1": map[string]any{"algorithm": "ES256", "key": path}}}
		},
	} {
		byTheirs := func(n int) []byte {
			return bundletest.Signer{Key: bundletest.OtherKey, ID: "k1"}.Sign(bundletest.Release(n)).Pack()
		}
		path := bundletest.KeyFile(t, bundletest.TrustedKey)
		s := serve(t, bundletest.Signed(bundletest.Release(1)).Pack())
		o, log := logging(t, s.settings(t, settings(path)))
		f := startFollower(t, o)
		f.untilSequence(1)
		s.set(byTheirs(2))
		require.Equal(t, bundles.Signature, f.untilOutcome(follow.Refused).Attempt.Reason, name)
		replace(t, path, []byte(bundletest.PublicPEM(bundletest.OtherKey)))
		f.untilSequence(2)
		s.set(bundletest.Signed(bundletest.Release(3)).Pack())
		require.Equal(t, bundles.Signature, f.untilOutcome(follow.Refused).Attempt.Reason, name)
		require.EqualValues(t, 2, f.Status().Active.Sequence, name)
		require.True(t, f.decides("read2"), name)

		for _, fault := range []string{"", "no key", bundletest.PublicPEM(bundletest.TrustedKey)[:100], bundletest.PublicPEM(bundletest.OtherKey) + bundletest.PublicPEM(bundletest.TrustedKey)[:100]} {
			replace(t, path, []byte(fault))
			s.waitForRequests(t, 2)
		}
		require.NoError(t, os.Remove(path))
		s.set(byTheirs(4))
		f.untilSequence(4)
		require.NotZero(t, log.count("cannot be used, the last good content stays in force"), name)
		replace(t, path, []byte(bundletest.PublicPEM(bundletest.TrustedKey)))
		s.waitForRequests(t, 3)
		require.EqualValues(t, 4, f.Status().Active.Sequence, "%s: what is active stays so", name)
		s.set(bundletest.Signed(bundletest.Release(5)).Pack())
		f.untilSequence(5)
	}
}

// newCertificate makes a self-signed certificate for this machine.
func newCertificate(t *testing.T) (pair tls.Certificate, inFile, keyInFile []byte) {
	t.Helper()
	private := bundletest.NewKey()
	about := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "tests"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der := bundletest.Must(x509.CreateCertificate(rand.Reader, about, about, &private.PublicKey, private))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, inPEM("CERTIFICATE", der), keyInPEM(private)
}

// Rotated certificates are used without a restart. The last good ones stay in use while the files are faulty.
func TestRotatedCertificatesAreUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca, cert, key := filepath.Join(dir, secretText+"-ca"), filepath.Join(dir, secretText+"-cert"), filepath.Join(dir, secretText+"-key")
	var current atomic.Pointer[tls.Config]
	serves := func(pair tls.Certificate, client []byte) {
		pool := x509.NewCertPool()
		require.True(t, pool.AppendCertsFromPEM(client))
		current.Store(&tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool})
	}
	server, authority, _ := newCertificate(t)
	_, client, clientKey := newCertificate(t)
	serves(server, client)
	replace(t, ca, authority)
	replace(t, cert, client)
	replace(t, key, clientKey)
	s := serveTLS(t, bundletest.Signed(bundletest.Release(1)).Pack(), &tls.Config{
		Certificates:       []tls.Certificate{server},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return current.Load(), nil },
	})
	more := credentials("client_tls", map[string]any{"cert": cert, "private_key": key})
	more["tls"] = map[string]any{"ca_cert": ca}
	o, log := logging(t, s.settings(t, s.service(more)))
	f := startFollower(t, o)
	f.untilSequence(1)

	// Both files are faulty: the next connection uses the last good ones.
	replace(t, cert, []byte("half"))
	replace(t, ca, authority[:100])
	s.CloseClientConnections()
	s.set(bundletest.Signed(bundletest.Release(2)).Pack())
	f.untilSequence(2)
	// The download may have begun before the files were faulty, or while another test's child process still held them open.
	require.Eventually(t, func() bool {
		s.CloseClientConnections()
		return log.count("the client certificate cannot be used") > 0 && log.count("the CA file cannot be used") > 0
	}, testTimeout, 50*time.Millisecond)

	server, authority, _ = newCertificate(t)
	_, client, clientKey = newCertificate(t)
	serves(server, client)
	s.CloseClientConnections()
	f.untilOutcome(follow.Unavailable)
	replace(t, ca, authority)
	replace(t, cert, client)
	replace(t, key, clientKey)
	s.set(bundletest.Signed(bundletest.Release(3)).Pack())
	f.untilSequence(3)
	require.NotContains(t, log.String()+f.log.String(), secretText, "what is written for a path may be a secret")
}
