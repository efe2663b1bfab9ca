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

// dialer makes a connection within a time.
type dialer func(limit time.Duration) func(ctx context.Context, network, addr string) (net.Conn, error)

func (c Config) authenticate(o *redis.UniversalOptions) error {
	if c.Username != "" {
		o.Username = c.Username
	}
	if c.Password != "" {
		o.Password = c.Password
	}
	password, err := c.password("the password file", c.PasswordFile)
	if password != nil {
		username := o.Username
		o.CredentialsProviderContext = func(context.Context) (string, string, error) { return username, password.Get(), nil }
	}
	sentinel, err2 := c.password("the password file for Sentinel", c.SentinelPasswordFile)
	if sentinel != nil {
		// go-redis takes a fixed password for Sentinels, so that they are told this one afterwards.
		o.SentinelUsername, o.SentinelPassword = "", ""
		o.OnConnect = func(ctx context.Context, conn *redis.Conn) error {
			if err := conn.Ping(ctx).Err(); err == nil || !strings.HasPrefix(err.Error(), "NOAUTH") {
				return err // a master, which knows us already, or a Sentinel that is open to all
			}
			if c.SentinelUsername != "" {
				return conn.AuthACL(ctx, c.SentinelUsername, sentinel.Get()).Err()
			}
			return conn.Auth(ctx, sentinel.Get()).Err()
		}
	}
	return errors.Join(err, err2)
}

// password is the one line of a file; nil where there is no file.
func (c Config) password(name, file string) (*rotation.Value[string], error) {
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

// dialer speaks TLS by the files as they are when a connection is made; plainly where the address says so.
func (c Config) dialer(a redisAddress, known bool) (dialer, error) {
	files := c.CAFile != "" || c.CertFile != "" || c.KeyFile != ""
	switch {
	case known && files && !a.tls:
		return nil, errors.New("certificates need rediss:// in the url")
	case (c.CertFile == "") != (c.KeyFile == ""):
		return nil, errors.New("a client's certificate and its key must be given together")
	}
	secured, err := rotation.OpenTLS(rotation.TLSConfig{CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile, Logger: c.Logger})
	if err != nil {
		return nil, err
	}
	return func(limit time.Duration) func(ctx context.Context, network, addr string) (net.Conn, error) {
		plain := &net.Dialer{Timeout: limit, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 5 * time.Second, Count: 3}}
		return func(ctx context.Context, network, addr string) (net.Conn, error) {
			if !a.tls {
				return plain.DialContext(ctx, network, addr)
			}
			return (&tls.Dialer{NetDialer: plain, Config: secured.Config()}).DialContext(ctx, network, addr)
		}
	}, nil
}
