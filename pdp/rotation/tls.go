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

// TLSConfig configures a [TLS]. Each file may be left out.
type TLSConfig struct {
	CAFile            string // PEM; replaces the system's authorities
	CertFile, KeyFile string // PEM; the client's own, both or neither
	Logger            *slog.Logger
}

// TLS is a client's TLS configuration from files that are read again when they change. Certificate and key are replaced
// together, as soon as they match. It is safe for concurrent use.
type TLS struct {
	authorities *Value[*x509.CertPool]   // nil: the system's
	pair        *Value[*tls.Certificate] // nil: none

	mu          sync.Mutex
	current     *tls.Config
	pool        *x509.CertPool
	certificate *tls.Certificate
}

// OpenTLS reads the files. It fails if one cannot be read or parsed.
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
		return nil, errors.New("a client certificate takes two files: name both, certificate and key")
	default:
		t.pair, err = openPair("the client certificate", cfg.CertFile, cfg.KeyFile, cfg.Logger)
	}
	return t, err
}

// openPair reads a certificate and its key.
func openPair(name, certFile, keyFile string, logger *slog.Logger) (*Value[*tls.Certificate], error) {
	return Open(Config[*tls.Certificate]{
		Name: name, Paths: []string{certFile, keyFile}, Logger: logger,
		Parse: func(contents [][]byte) (*tls.Certificate, error) {
			if err := WholePEM(contents[0]); err != nil {
				return nil, err
			}
			pair, err := tls.X509KeyPair(contents[0], contents[1])
			return &pair, err
		},
	})
}

// Config returns the configuration for new connections, which the caller must not change. While no file changes, it returns
// the same one.
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

// Authorities reads the certificates of a PEM file, and adds the system's if system is set. hidePath is [Config.HidePaths].
func Authorities(path string, system, hidePath bool, logger *slog.Logger) (*Value[*x509.CertPool], error) {
	return Open(Config[*x509.CertPool]{
		Name: "the CA file", Paths: []string{path}, Logger: logger, HidePaths: hidePath,
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
				return nil, errors.New("it holds no certificate")
			}
			return pool, nil
		},
	})
}

// WholePEM refuses a file whose last block is truncated, which decoders ignore.
func WholePEM(data []byte) error {
	for block, rest := pem.Decode(data); ; block, rest = pem.Decode(rest) {
		if block == nil {
			if bytes.Contains(rest, []byte("-----BEGIN")) {
				return errors.New("a PEM block in it is truncated or malformed")
			}
			return nil
		}
	}
}
