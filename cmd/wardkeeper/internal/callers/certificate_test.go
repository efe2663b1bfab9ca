package callers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// issued returns a client certificate and the pool of its authority. Both are valid for an hour.
func issued(t *testing.T, c *x509.Certificate) (*x509.Certificate, *x509.CertPool) {
	t.Helper()
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "tests"}, IsCA: true, BasicConstraintsValid: true, NotAfter: time.Now().Add(time.Hour)}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, key.Public(), key)
	require.NoError(t, err)
	parent, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	c.SerialNumber, c.NotAfter, c.ExtKeyUsage = big.NewInt(2), authority.NotAfter, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	der, err = x509.CreateCertificate(rand.Reader, c, parent, key.Public(), key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(parent)
	return leaf, pool
}

func connectedWith(leaf *x509.Certificate) *tls.ConnectionState {
	return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}, VerifiedChains: [][]*x509.Certificate{{leaf}}}
}

// A connection can outlive its certificate and the trust in the authority.
func TestCertificateIsVerifiedForEachRequest(t *testing.T) {
	leaf, pool := issued(t, &x509.Certificate{Subject: pkix.Name{CommonName: "portal"}})
	_, other := issued(t, &x509.Certificate{Subject: pkix.Name{CommonName: "portal"}})
	trusted := pool
	c := certificates{authorities: func() *x509.CertPool { return trusted }}
	entries := []*entry{{Caller: Caller{Name: "portal", CertificateSubject: "CN=portal"}}}
	now := time.Now()
	for range 2 {
		e, err := c.find(connectedWith(leaf), entries, now)
		require.NoError(t, err)
		require.Same(t, entries[0], e)
	}
	_, err := c.find(connectedWith(leaf), entries, now.Add(2*time.Hour))
	require.ErrorContains(t, err, "expired")
	for _, pool := range []*x509.CertPool{other, nil} {
		trusted = pool
		_, err = c.find(connectedWith(leaf), entries, now)
		require.Error(t, err)
	}
	trusted = pool
	_, err = c.find(connectedWith(leaf), entries, now)
	require.NoError(t, err)
	_, err = c.find(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}, entries, now)
	require.ErrorIs(t, err, errNoCertificate, "the handshake has not verified it")
	_, err = c.find(nil, entries, now)
	require.ErrorIs(t, err, errNoCertificate)
}

func TestNamesOfCertificates(t *testing.T) {
	spiffe, err := url.Parse("spiffe://example.org/Portal")
	require.NoError(t, err)
	leaf, _ := issued(t, &x509.Certificate{
		Subject:  pkix.Name{CommonName: "portal, Inc.", Organization: []string{"Example"}, Country: []string{"US"}},
		DNSNames: []string{"Portal.example.org"}, URIs: []*url.URL{spiffe}, EmailAddresses: []string{"portal@example.org"}, IPAddresses: []net.IP{net.ParseIP("fd00::1")},
	})
	for names, want := range map[struct{ CertificateSubject, CertificateSAN string }]bool{
		{CertificateSubject: `CN=portal\, Inc.,O=Example,C=US`}: true, {CertificateSubject: `CN=portal\, Inc.`}: false, {CertificateSubject: `C=US,O=Example,CN=portal\, Inc.`}: false,
		{CertificateSAN: "DNS:portal.EXAMPLE.org"}: true, {CertificateSAN: "DNS:example.org"}: false, {CertificateSAN: "URI:spiffe://example.org/Portal"}: true,
		{CertificateSAN: "URI:spiffe://example.org/portal"}: false, {CertificateSAN: "email:portal@example.org"}: true, {CertificateSAN: "DNS:portal@example.org"}: false,
		{CertificateSAN: "IP:fd00:0::1"}: true, {CertificateSAN: "IP:fd00::2"}: false, {}: false,
	} {
		e := &entry{Caller: Caller{CertificateSubject: names.CertificateSubject, CertificateSAN: names.CertificateSAN}}
		assert.Equal(t, want, ownerOf(leaf, []*entry{e}) == e, names)
	}
}
