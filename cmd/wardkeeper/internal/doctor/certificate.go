package doctor

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certificate is the certificate with which the doctor's proxy serves TLS, in place of those that its configuration names.
type certificate struct {
	file, key string // paths
	pool      *x509.CertPool
}

// newCertificate writes a certificate into a folder.
func newCertificate(dir string) (certificate, error) {
	c := certificate{file: filepath.Join(dir, "certificate.pem"), key: filepath.Join(dir, "key.pem"), pool: x509.NewCertPool()}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return c, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"wardkeeper-doctor.invalid"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return c, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return c, err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	c.pool.AppendCertsFromPEM(public)
	return c, errors.Join(os.WriteFile(c.file, public, 0o600), os.WriteFile(c.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
}

// client returns the configuration of a client that asks for a host. The certificate is for another name: the proxy has one for
// all of its hosts.
func (c certificate) client(host string) *tls.Config {
	return &tls.Config{ServerName: host, InsecureSkipVerify: true, VerifyConnection: func(state tls.ConnectionState) error {
		_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: c.pool})
		return err
	}}
}

type dialer = func(context.Context) (net.Conn, error)

// overTLS returns a dial function that negotiates a protocol, "http/1.1" or "h2", on the connections of another. config must
// have the name of the server.
func overTLS(dial dialer, config *tls.Config, protocol string) dialer {
	config = config.Clone()
	config.NextProtos = []string{protocol}
	config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	return func(ctx context.Context) (net.Conn, error) {
		raw, err := dial(ctx)
		if err != nil {
			return nil, err
		}
		conn := tls.Client(raw, config)
		if err := conn.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, err
		}
		return conn, nil
	}
}
