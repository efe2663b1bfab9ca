package rotation

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"sync"
)

// TLSConfig is what a [TLS] is made of. Files that are not named are not needed.
type TLSConfig struct {
	CAFile            string // PEM; instead of the system's authorities
	CertFile, KeyFile string // PEM; the client's own, both or none
	Logger            *slog.Logger
}

// TLS is how a client speaks TLS, by files that are read again when they change. Certificate and key are replaced
// together, once they fit. It is safe for concurrent use.
type TLS struct {
	authorities *Value[*x509.CertPool]   // nil: the system's
	pair        *Value[*tls.Certificate] // nil: none

	mu          sync.Mutex
	current     *tls.Config
	pool        *x509.CertPool
	certificate *tls.Certificate
}

// OpenTLS reads the files. It fails where one is at fault.
func OpenTLS(cfg TLSConfig) (*TLS, error) {
	t := &TLS{}
	var err error
	if cfg.CAFile != "" {
		if t.authorities, err = Authorities(cfg.CAFile, false, false, cfg.Logger); err != nil {
			return nil, err
		}
	}
	switch {
	case cfg.CertFile == "" && cfg.KeyFile == "":
	case cfg.CertFile == "" || cfg.KeyFile == "":
		return nil, errors.New("a client certificate is two files: name both, certificate and key")
	default:
		t.pair, err = Open(Config[*tls.Certificate]{
			Name: "the client certificate", Paths: []string{cfg.CertFile, cfg.KeyFile}, Logger: cfg.Logger,
			Parse: func(contents [][]byte) (*tls.Certificate, error) {
				pair, err := tls.X509KeyPair(contents[0], contents[1])
				return &pair, err
			},
		})
	}
	return t, err
}

// Config is the configuration for a connection that is made now. It must not be changed. It is the same one as before
// where no file has changed.
func (t *TLS) Config() *tls.Config {
	var pool *x509.CertPool
	var certificate *tls.Certificate
	if t.authorities != nil {
		pool = t.authorities.Get()
	}
	if t.pair != nil {
		certificate = t.pair.Get()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current == nil || pool != t.pool || certificate != t.certificate {
		t.current = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
		if certificate != nil {
			t.current.Certificates = []tls.Certificate{*certificate}
		}
		t.pool, t.certificate = pool, certificate
	}
	return t.current
}

// Authorities are the certificates of a PEM file, together with those of the system where they are asked for.
func Authorities(path string, system, discreet bool, logger *slog.Logger) (*Value[*x509.CertPool], error) {
	return Open(Config[*x509.CertPool]{
		Name: "the CA file", Paths: []string{path}, Logger: logger, Discreet: discreet,
		Parse: func(contents [][]byte) (*x509.CertPool, error) {
			if err := WholePEM(contents[0]); err != nil {
				return nil, err
			}
			pool := x509.NewCertPool()
			if system {
				var err error
				if pool, err = x509.SystemCertPool(); err != nil {
					return nil, err
				}
			}
			if !pool.AppendCertsFromPEM(contents[0]) {
				return nil, errors.New("it has no certificate in it")
			}
			return pool, nil
		},
	})
}

// WholePEM refuses a file whose last block is cut off, which decoders pass over.
func WholePEM(data []byte) error {
	for block, rest := pem.Decode(data); ; block, rest = pem.Decode(rest) {
		if block == nil {
			if bytes.Contains(rest, []byte("-----BEGIN")) {
				return errors.New("a PEM block in it is cut off or malformed")
			}
			return nil
		}
	}
}
