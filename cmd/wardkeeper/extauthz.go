package main

import (
	"log/slog"
	"net"

	"golang.org/x/net/netutil"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/extauthz"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/callers"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/lifecycle"
)

// maxEnvoyConnections limits the connections from Envoy on each address. Each of its worker threads needs one.
const maxEnvoyConnections = 256

// envoyServer is the server that answers Envoy, with its listeners.
type envoyServer struct {
	*extauthz.Server
	listeners listeners
}

// newEnvoyServers returns the server that answers Envoy, or none if there is no address for it.
func newEnvoyServers(
	s *config.Settings, side *sidecar, checker func() *check.Checker, ls listeners, secure *serverTLS, clients *callers.Callers,
	logger *slog.Logger,
) ([]lifecycle.Server, error) {
	if len(ls) == 0 {
		return nil, nil
	}
	server, err := extauthz.New(extauthz.Config{
		Checker: checker, Authenticate: proxyAuthenticator(clients), TLS: secure.config(), Ready: side.isReady, MaxChecks: s.MaxRequests,
		Timeout: s.RequestTimeout, IdleTimeout: s.IdleTimeout, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	return []lifecycle.Server{envoyServer{server, ls}}, nil
}

// Serve implements [lifecycle.Server].
func (e envoyServer) Serve() error {
	failed := make(chan error, len(e.listeners))
	for _, l := range e.listeners {
		go func(l net.Listener) { failed <- e.Server.Serve(l) }(netutil.LimitListener(l, maxEnvoyConnections))
	}
	return <-failed
}
