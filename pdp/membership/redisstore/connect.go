package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// dialer returns a function that opens connections within a timeout.
type dialer func(timeout time.Duration) func(ctx context.Context, network, addr string) (net.Conn, error)

// setCredentials sets the credentials for Redis and Sentinel.
func (c Config) setCredentials(o *redis.UniversalOptions) error {
	if c.Username != "" {
		o.Username = c.Username
	}
	if c.Password != "" {
		o.Password = c.Password
	}
	password, err := c.openPassword("the password file", c.PasswordFile)
	if password != nil {
		username := o.Username
		o.CredentialsProviderContext = func(context.Context) (string, string, error) { return username, password.Get(), nil }
	}
	sentinel, err2 := c.openPassword("the password file for Sentinel", c.SentinelPasswordFile)
	if sentinel != nil {
		// go-redis accepts only a fixed password for Sentinel, so authenticate after connecting.
		o.SentinelUsername, o.SentinelPassword = "", ""
		o.OnConnect = func(ctx context.Context, conn *redis.Conn) error {
			if err := conn.Ping(ctx).Err(); err == nil || !strings.HasPrefix(err.Error(), "NOAUTH") {
				return err // a master, to which go-redis has authenticated, or a Sentinel without a password
			}
			if c.SentinelUsername != "" {
				return conn.AuthACL(ctx, c.SentinelUsername, sentinel.Get()).Err()
			}
			return conn.Auth(ctx, sentinel.Get()).Err()
		}
	}
	return errors.Join(err, err2)
}

// openPassword reads the only line of a file, and reads it again when the file changes. It returns nil if no file is
// named.
func (c Config) openPassword(name, file string) (*rotation.Value[string], error) {
	if file == "" {
		return nil, nil
	}
	return rotation.Open(rotation.Config[string]{
		Name: name, Paths: []string{file}, Logger: c.Logger,
		Parse: func(contents [][]byte) (string, error) {
			secret := strings.TrimRight(string(contents[0]), "\r\n")
			if secret == "" || strings.ContainsAny(secret, "\r\n") {
				return "", errors.New("it must have one line, the password")
			}
			return secret, nil
		},
	})
}

// newDialer returns a dialer that uses TLS if the URL requires it, with the current contents of the files for each
// connection. parsed says whether the URL is valid.
func (c Config) newDialer(a address, parsed bool) (dialer, error) {
	files := c.CAFile != "" || c.CertFile != "" || c.KeyFile != ""
	switch {
	case parsed && files && !a.tls:
		return nil, errors.New("certificates need rediss:// in the url")
	case (c.CertFile == "") != (c.KeyFile == ""):
		return nil, errors.New("the client's certificate and key must be given together")
	}
	tlsConfig, err := rotation.OpenTLS(rotation.TLSConfig{CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile, Logger: c.Logger})
	if err != nil {
		return nil, err
	}
	return func(timeout time.Duration) func(ctx context.Context, network, addr string) (net.Conn, error) {
		plain := &net.Dialer{Timeout: timeout, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 5 * time.Second, Count: 3}}
		return func(ctx context.Context, network, addr string) (net.Conn, error) {
			if !a.tls {
				return plain.DialContext(ctx, network, addr)
			}
			return (&tls.Dialer{NetDialer: plain, Config: tlsConfig.Config()}).DialContext(ctx, network, addr)
		}
	}, nil
}
