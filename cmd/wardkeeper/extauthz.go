package main

import (
	"log/slog"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/extauthz"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/callers"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
)

// envoyServer is the server that answers Envoy, with its listeners.
type envoyServer struct {
	*extauthz.Server
	listeners listeners
}

// newEnvoyServer returns the server that answers Envoy, or nil if there is no address for it.
func newEnvoyServer(
	s *config.Settings, side *sidecar, checker func() *check.Checker, secure *serverTLS, clients *callers.Callers, logger *slog.Logger,
) (*extauthz.Server, error) {
	if len(s.ExtAuthz) == 0 {
		return nil, nil
	}
	return extauthz.New(extauthz.Config{
		Checker: checker, Authenticate: proxyAuthenticator(clients), TLS: secure.config(), Ready: side.isReady, MaxChecks: s.MaxRequests,
		Timeout: s.RequestTimeout, IdleTimeout: s.IdleTimeout, Logger: logger,
	})
}

// Serve serves all of them until one fails.
func (e envoyServer) Serve() error {
	failed := make(chan error, len(e.listeners))
	for _, l := range e.listeners {
		go func() { failed <- e.Server.Serve(l) }()
	}
	return <-failed
}
