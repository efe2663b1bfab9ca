package main

import (
	"crypto/tls"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/callers"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/metrics"
	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// serverTLS is the TLS of the server's addresses; nil means plain HTTP.
type serverTLS struct{ *rotation.ServerTLS }

// openTLS opens the files of the settings' TLS. It opens nothing if the certificate or its key is missing: the settings are then at
// fault, or do not ask for TLS.
func openTLS(s *config.Settings, logger *slog.Logger) (*serverTLS, error) {
	if s.TLSCertFile == "" || s.TLSKeyFile == "" {
		return nil, nil
	}
	opened, err := rotation.OpenServerTLS(rotation.ServerTLSConfig{
		CertFile: s.TLSCertFile, KeyFile: s.TLSKeyFile, ClientCAFile: s.TLSClientCAFile,
		ClientsOptional: s.TLSClientCertificates == config.CertificatesOptional, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	return &serverTLS{opened}, nil
}

// warnIfReadable logs a warning for each file with a key that every user of the machine can read. A path may be empty.
func warnIfReadable(logger *slog.Logger, keyFiles ...string) {
	for _, file := range keyFiles {
		if file != "" && callers.WorldReadable(file) {
			logger.Warn("Every user of this machine can read the key: remove that permission (chmod o-r).", "file", file)
		}
	}
}

// config returns the configuration of listeners; nil if they do not speak TLS.
func (t *serverTLS) config() *tls.Config {
	if t == nil {
		return nil
	}
	return t.Config()
}

// metrics returns the metrics of the certificate, if there is one.
func (t *serverTLS) metrics() []prometheus.Collector {
	if t == nil {
		return nil
	}
	return metrics.Certificate(t.Expires, t.Refuses)
}

// scheme returns the scheme of the server's URLs.
func (t *serverTLS) scheme() string {
	if t == nil {
		return "http"
	}
	return "https"
}

// reload reads the files again.
func (t *serverTLS) reload() {
	if t != nil {
		t.Reload()
	}
}
