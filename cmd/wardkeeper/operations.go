package main

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/lifecycle"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
)

// maxOperationsConnections limits the connections at the operations' addresses. They are apart from those of other clients, so that
// metrics can be read while these take all of theirs.
const maxOperationsConnections = 64

// operationsServer is the server at the operations' addresses, with its listeners.
type operationsServer struct {
	*http.Server
	listeners listeners
}

// newOperationsServers returns the server at the operations' addresses, or none if there is no such address.
func newOperationsServers(server *httpapi.Server, ls listeners) []lifecycle.Server {
	if len(ls) == 0 {
		return nil
	}
	return []lifecycle.Server{operationsServer{server.OperationsServer(), server.Listeners(maxOperationsConnections, ls...)}}
}

// Serve implements [lifecycle.Server].
func (o operationsServer) Serve() error {
	failed := make(chan error, len(o.listeners))
	for _, l := range o.listeners {
		go func(l net.Listener) { failed <- o.Server.Serve(l) }(l)
	}
	return <-failed
}

// Shutdown implements [lifecycle.Server]. It does not wait for profiles, which take minutes.
func (o operationsServer) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if o.Server.Shutdown(ctx) != nil {
		return o.Close()
	}
	return nil
}
