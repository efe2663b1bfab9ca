package extauthz

import (
	"crypto/tls"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// transport secures connections by TLS, except those over Unix sockets.
type transport struct {
	credentials.TransportCredentials
	plain credentials.TransportCredentials
}

// newCredentials returns the credentials of a server; without TLS if config is nil.
func newCredentials(config *tls.Config) credentials.TransportCredentials {
	plain := insecure.NewCredentials()
	if config == nil {
		return plain
	}
	return transport{credentials.NewTLS(config), plain}
}

// ServerHandshake implements [credentials.TransportCredentials].
func (t transport) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if conn.LocalAddr().Network() == "unix" {
		return t.plain.ServerHandshake(conn)
	}
	return t.TransportCredentials.ServerHandshake(conn)
}

// Clone implements [credentials.TransportCredentials].
func (t transport) Clone() credentials.TransportCredentials {
	return transport{t.TransportCredentials.Clone(), t.plain.Clone()}
}
