package extauthz

import (
	"context"
	"crypto/tls"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/peer"
)

// transport secures connections by TLS, except those over Unix sockets, and remembers what the listener accepted.
type transport struct {
	credentials.TransportCredentials // for those that are secured; plain if none is
	plain                            credentials.TransportCredentials
}

// accepted says how a connection is secured, and which one it is.
type accepted struct {
	credentials.AuthInfo
	conn net.Conn // as the listener accepted it
}

// newCredentials returns the credentials of a server; without TLS if config is nil.
func newCredentials(config *tls.Config) credentials.TransportCredentials {
	plain := insecure.NewCredentials()
	if config == nil {
		return transport{plain, plain}
	}
	return transport{credentials.NewTLS(config), plain}
}

// ServerHandshake implements [credentials.TransportCredentials].
func (t transport) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	handshake := t.TransportCredentials.ServerHandshake
	if conn.LocalAddr().Network() == "unix" {
		handshake = t.plain.ServerHandshake
	}
	secured, info, err := handshake(conn)
	return secured, accepted{info, conn}, err
}

// Clone implements [credentials.TransportCredentials].
func (t transport) Clone() credentials.TransportCredentials {
	return transport{t.TransportCredentials.Clone(), t.plain.Clone()}
}

// acceptedBy returns how the caller's connection was accepted.
func acceptedBy(ctx context.Context) (a accepted) {
	if p, ok := peer.FromContext(ctx); ok {
		a, _ = p.AuthInfo.(accepted)
	}
	return a
}

// keepOpen tells the listener's connection that a response is being computed, so that no new connection takes its place.
func keepOpen(ctx context.Context) (done func()) {
	c, ok := acceptedBy(ctx).conn.(interface {
		BeginResponse()
		EndResponse()
	})
	if !ok {
		return func() {}
	}
	c.BeginResponse()
	return c.EndResponse
}
