package rotation

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// ServerTLSConfig configures a [ServerTLS]. CertFile, KeyFile and Logger are required.
type ServerTLSConfig struct {
	CertFile, KeyFile string // PEM; the certificate comes first in its file, then those that lead to its authority
	// ClientCAFile has the authorities of client certificates (PEM). "" means that clients are not asked for one.
	ClientCAFile string
	// ClientsOptional lets clients connect without a certificate. One that they send must be valid even then.
	ClientsOptional bool
	Logger          *slog.Logger
}

// ServerTLS is a server's TLS configuration from files that are read again by [ServerTLS.Reload]. Handshakes read no file, so a
// file system that hangs delays none. It is safe for concurrent use.
type ServerTLS struct {
	pair        *Value[*tls.Certificate]
	authorities *Value[*x509.CertPool] // nil: clients are not asked for a certificate
	optional    bool
	log         *slog.Logger

	mu          sync.Mutex       // held while Reload reads the files
	certificate *tls.Certificate // the one in current
	refused     *tls.Certificate // the last one that was not taken; nil: none
	refuses     atomic.Bool
	current     atomic.Pointer[tls.Config]
}

// OpenServerTLS reads the files. Its error joins the faults of all of them.
func OpenServerTLS(cfg ServerTLSConfig) (*ServerTLS, error) {
	t := &ServerTLS{optional: cfg.ClientsOptional, log: cfg.Logger}
	var err, fault error
	t.pair, err = openPair("the server's certificate", cfg.CertFile, cfg.KeyFile, cfg.Logger)
	if cfg.ClientCAFile != "" {
		t.authorities, fault = Authorities(cfg.ClientCAFile, false, false, cfg.Logger)
	}
	if err = errors.Join(err, fault); err != nil {
		return nil, err
	}
	t.Reload()
	return t, nil
}

// Reload reads the files again if they have changed. Later handshakes use what they then hold; connections are kept. A certificate that
// is not valid now does not replace one that is.
func (t *ServerTLS) Reload() {
	t.mu.Lock()
	defer t.mu.Unlock()
	certificate, pool := t.choose(t.pair.Get(), time.Now()), t.readAuthorities()
	t.refuses.Store(t.refused != nil || t.pair.Faulty())
	if t.certificate == certificate && t.current.Load().ClientCAs == pool {
		return
	}
	next := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: protocols(), Certificates: []tls.Certificate{*certificate}}
	if t.authorities != nil {
		next.ClientCAs, next.ClientAuth = pool, tls.RequireAndVerifyClientCert
		if t.optional {
			next.ClientAuth = tls.VerifyClientCertIfGiven
		}
		next.SessionTicketsDisabled = true // a resumed session would keep a client whose authority was withdrawn
	}
	if leaf := certificate.Leaf; t.certificate != certificate && !validAt(leaf, time.Now()) {
		t.log.Warn("the server's certificate is not valid now, so clients do not connect", "not_before", leaf.NotBefore, "not_after", leaf.NotAfter)
	}
	t.certificate = certificate
	t.current.Store(next)
}

// choose returns the certificate to present: the one in the files, or as long as that is not valid, the one that is presented now if it
// is.
func (t *ServerTLS) choose(found *tls.Certificate, now time.Time) *tls.Certificate {
	if t.certificate == nil || t.certificate == found || validAt(found.Leaf, now) || !validAt(t.certificate.Leaf, now) {
		t.refused = nil
		return found
	}
	if t.refused != found {
		t.refused = found
		t.log.Warn("the new certificate of the server is not valid now, the last good one stays in force",
			"not_before", found.Leaf.NotBefore, "not_after", found.Leaf.NotAfter)
	}
	return t.certificate
}

func validAt(leaf *x509.Certificate, now time.Time) bool {
	return !now.Before(leaf.NotBefore) && !now.After(leaf.NotAfter)
}

func (t *ServerTLS) readAuthorities() *x509.CertPool {
	if t.authorities == nil {
		return nil
	}
	return t.authorities.Get()
}

// ClientCAs returns the authorities of client certificates that are in force, or nil if clients are not asked for one.
func (t *ServerTLS) ClientCAs() *x509.CertPool { return t.current.Load().ClientCAs }

// Refuses reports whether the files have held something else than the certificate that is presented, because it is not valid now or
// cannot be read.
func (t *ServerTLS) Refuses() bool { return t.refuses.Load() }

// Expires returns when the certificate that is presented expires.
func (t *ServerTLS) Expires() time.Time { return t.current.Load().Certificates[0].Leaf.NotAfter }

// Config returns a configuration that uses the current files for each handshake.
func (t *ServerTLS) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: protocols(),
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return t.current.Load(), nil },
	}
}

func protocols() []string { return []string{"h2", "http/1.1"} }
