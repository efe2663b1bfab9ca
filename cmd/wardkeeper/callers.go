package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/wardkeeper/wardkeeper/adapters/identity"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/callers"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// openCallers opens the files of the settings' callers. secure may be nil, even if its files are at fault.
func openCallers(s *config.Settings, secure *serverTLS, logger *slog.Logger) (*callers.Callers, error) {
	cfg := callers.Config{Logger: logger}
	for _, c := range s.AllCallers() {
		var roles []httpapi.Role
		for _, role := range c.Roles {
			roles = append(roles, httpapi.Role(role))
		}
		claim, value := c.Claim()
		cfg.Callers = append(cfg.Callers, callers.Caller{
			Name: c.Name, Roles: roles, Setting: c.Setting, TokenFile: c.TokenFile, ClientID: c.ClientID, ClientSecretFile: c.ClientSecretFile,
			CertificateSubject: c.CertificateSubject, CertificateSAN: c.CertificateSAN, JWTClaim: claim, JWTValue: value, Rate: c.Rate, Burst: c.Burst,
		})
	}
	if secure != nil {
		cfg.ClientCAs = secure.ClientCAs
	}
	var fault error
	if s.JWT != nil {
		cfg.Issuer = s.JWT.Issuer
		keys, err := keysClient(s.JWT.KeysCAFile, logger)
		verifier, unusable := identity.New(identity.Config{
			Issuer: s.JWT.Issuer, Audience: s.JWT.Audience, Algorithms: s.JWT.Algorithms, KeysURL: s.JWT.KeysURL, KeysFile: s.JWT.KeysFile, Client: keys, Logger: logger,
		})
		if err = errors.Join(err, unusable); err != nil {
			fault = fmt.Errorf("jwt: %w", err)
		}
		cfg.Verifier = verifier
	}
	opened, err := callers.Open(cfg)
	return opened, errors.Join(fault, err)
}

// keysClient returns the client that fetches the keys of an issuer whose authorities are in a file; nil for the system's.
func keysClient(caFile string, logger *slog.Logger) (*http.Client, error) {
	if caFile == "" {
		return nil, nil
	}
	files, err := rotation.OpenTLS(rotation.TLSConfig{CAFile: caFile, Logger: logger})
	if err != nil {
		return nil, err
	}
	transport, err := rotation.NewTransport(rotation.TransportConfig{
		New: func() (*http.Transport, error) {
			return &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: files.Config().Clone(), ForceAttemptHTTP2: true}, nil
		},
		Version: func() any { return files.Config() },
	})
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: transport}, nil
}

// proxyAuthenticator returns how proxies that call over gRPC prove who they are. The name is empty if they need not.
func proxyAuthenticator(clients *callers.Callers) func(context.Context, []string, *tls.ConnectionState) (context.Context, string, error) {
	if !clients.Requires(httpapi.RoleAsk) {
		return func(ctx context.Context, _ []string, state *tls.ConnectionState) (context.Context, string, error) {
			return ctx, "", clients.CheckCertificate(state)
		}
	}
	return func(ctx context.Context, authorization []string, state *tls.ConnectionState) (context.Context, string, error) {
		caller, err := clients.Authenticate(ctx, httpapi.Credentials{Authorization: authorization, TLS: state})
		if err != nil {
			return ctx, "", err
		}
		if !caller.May(httpapi.RoleAsk) {
			return ctx, caller.Name, errors.New("it does not have the role ask")
		}
		return pdp.WithCaller(ctx, pdp.Caller{Name: caller.Name}), caller.Name, nil
	}
}
