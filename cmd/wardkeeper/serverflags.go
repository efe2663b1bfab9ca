package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/callers"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/client"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/unixsocket"
	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

const defaultServer = "http://127.0.0.1:8181"

// serverHelp explains the flags of serverFlags.
const serverHelp = `The server is --server, or WARDKEEPER_SERVER: a URL, or unix:/PATH for a server that listens on a Unix socket. A token is read from
--token-file, or WARDKEEPER_TOKEN_FILE; --client-id and --client-secret-file are for HTTP Basic, --cert-file and --key-file for a
client certificate. --ca-file is for a server whose certificate is not of one of the system's authorities.`

// serverFlags are the flags by which commands reach a running server, and prove to it who asks.
type serverFlags struct {
	server                    string
	tokenFile                 string
	clientID, secretFile      string
	caFile, certFile, keyFile string
	timeout                   time.Duration
}

func (f *serverFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.server, "server", "", "`URL|unix:/PATH` of the server (default "+defaultServer+")")
	flags.StringVar(&f.tokenFile, "token-file", "", "`FILE` with a token for the server; the first line is sent")
	flags.StringVar(&f.clientID, "client-id", "", "`ID` for HTTP Basic")
	flags.StringVar(&f.secretFile, "client-secret-file", "", "`FILE` with the secret for HTTP Basic; the first line is sent")
	flags.StringVar(&f.caFile, "ca-file", "", "`FILE` with the authorities of the server's certificate (PEM)")
	flags.StringVar(&f.certFile, "cert-file", "", "`FILE` with a client certificate (PEM)")
	flags.StringVar(&f.keyFile, "key-file", "", "`FILE` with the key of the client certificate (PEM)")
	flags.DurationVar(&f.timeout, "timeout", 10*time.Second, "how long to wait for an answer")
}

// address returns the server that the flags or the environment name.
func (f *serverFlags) address(p process) string {
	return cmp.Or(f.server, p.variable(config.ServerVariable), defaultServer)
}

// client returns a client of the server.
func (f *serverFlags) client(p process) (client.Client, error) {
	c, err := clientOf(f.address(p))
	if err != nil {
		return c, fmt.Errorf("the address of the server (--server, %s) is invalid: %w", config.ServerVariable, err)
	}
	if c.Transport == nil {
		files, err := rotation.OpenTLS(rotation.TLSConfig{CAFile: f.caFile, CertFile: f.certFile, KeyFile: f.keyFile})
		if err != nil {
			return c, err
		}
		c.Transport = &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: files.Config(), ForceAttemptHTTP2: true}
	}
	c.Authorization, err = f.authorization(p)
	return c, err
}

// authorization returns the Authorization field to send; "" without credentials.
func (f *serverFlags) authorization(p process) (string, error) {
	switch {
	case (f.clientID == "") != (f.secretFile == ""):
		return "", errors.New("HTTP Basic takes both --client-id and --client-secret-file")
	case f.clientID != "" && f.tokenFile != "":
		return "", errors.New("choose one of --token-file and --client-id")
	case strings.Contains(f.clientID, ":"):
		return "", errors.New("--client-id must not have a colon")
	}
	file := cmp.Or(f.secretFile, f.tokenFile, p.variable(config.Variable("token-file")))
	if file == "" {
		return "", nil
	}
	found, err := callers.Read(file)
	if err != nil {
		return "", err
	}
	if f.clientID != "" {
		return client.Basic(f.clientID, found[0]), nil
	}
	return client.Bearer(found[0]), nil
}

// clientOf returns a client of the server at a URL or Unix socket. Its error does not quote a URL, which may contain a password.
func clientOf(server string) (client.Client, error) {
	if !config.IsUnix(server) {
		if _, err := config.ParseBaseURL(server); err != nil {
			return client.Client{}, fmt.Errorf("%w, or unix:/PATH", err)
		}
		return client.Client{BaseURL: server}, nil
	}
	addr, err := config.ParseAddr(server)
	if err != nil {
		return client.Client{}, err
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return unixsocket.Dial(ctx, addr.Address) }
	return client.Client{BaseURL: "http://localhost", Transport: &http.Transport{DialContext: dial}}, nil
}

// variable returns an environment variable, or "".
func (p process) variable(name string) string {
	for _, e := range p.environ {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}

// jsonLine encodes a report for --json. What a server said in it cannot control a terminal.
func jsonLine(report any) (string, error) {
	line, err := json.Marshal(report)
	return terminal.Printable(string(line)) + "\n", err
}
