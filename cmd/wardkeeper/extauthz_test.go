package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/wardkeeper/wardkeeper/adapters/extauthz/envoytest"
	"github.com/wardkeeper/wardkeeper/testdata/clinic/script"
)

// envoy sends requests as Envoy does.
type envoy struct {
	conn  *grpc.ClientConn
	token string
}

func newEnvoy(t *testing.T, target, token string) envoy {
	t.Helper()
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return envoy{conn, token}
}

// status returns the status that the person gets for a request, 200 if it is forwarded.
func (e envoy) status(t *testing.T, method, path, person, body string) int {
	t.Helper()
	fields := []string{":method", method, ":path", path, ":authority", "clinic", "x-forwarded-proto", "http", "x-remote-user", person}
	if body != "" {
		fields = append(fields, "content-type", "application/json", "content-length", "13", "x-envoy-auth-partial-body", "false")
	}
	header := &corev3.HeaderMap{}
	for i := 0; i < len(fields); i += 2 {
		if fields[i+1] != "" {
			header.Headers = append(header.Headers, &corev3.HeaderValue{Key: fields[i], RawValue: []byte(fields[i+1])})
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if e.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+e.token)
	}
	response, err := authv3.NewAuthorizationClient(e.conn).Check(ctx, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: method, Path: path, Host: "clinic", Protocol: "HTTP/1.1", HeaderMap: header, RawBody: []byte(body),
		}},
	}})
	require.NoError(t, err)
	if response.GetOkResponse() != nil {
		return http.StatusOK
	}
	return int(response.GetDeniedResponse().GetStatus().GetCode())
}

const routesOfEnvoy = routesOfTests + "  - {path: /users, methods: [POST], action: user.view, resource: {id: {body: /id}}}\n"

func TestEnvoyIsAnsweredByTheRouteFile(t *testing.T) {
	t.Parallel()
	token := writeFile(t, "token", firstToken+"\n")
	socket := socketPath(t)
	d := startServer(t, "--directory", testDirectory, "--token-file", token, "--routes", writeFile(t, "routes.yaml", routesOfEnvoy),
		"--ext-authz", "unix:"+socket, "--ext-authz", "127.0.0.1:0")
	e := newEnvoy(t, "unix:"+socket, firstToken)
	for _, c := range []struct {
		method, path, person, body string
		status                     int
	}{
		{"GET", "/users/jane", "alice", "", 200}, {"GET", "/users/nobody", "alice", "", 403}, {"GET", "/open", "", "", 200}, {"GET", "/users/jane/x", "alice", "", 403},
		{"GET", "/users//jane", "alice", "", 400}, {"GET", "/users/jane", "", "", 401}, {"POST", "/users", "alice", `{"id":"jane"}`, 200}, {"POST", "/users", "alice", "", 503},
	} {
		assert.Equal(t, c.status, e.status(t, c.method, c.path, c.person, c.body), c)
	}
	assert.Equal(t, 503, newEnvoy(t, "unix:"+socket, secondToken).status(t, "GET", "/open", "", ""), "it is no proxy of ours")
	assert.Equal(t, 503, newEnvoy(t, "unix:"+socket, "").status(t, "GET", "/open", "", ""))
	response, err := healthv1.NewHealthClient(e.conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
	require.NoError(t, err)
	assert.Equal(t, healthv1.HealthCheckResponse_SERVING, response.GetStatus())

	status, _ := d.proxied(t, firstToken, "/users/jane", "alice")
	assert.Equal(t, http.StatusOK, status, "other proxies are answered too")
	req, err := http.NewRequest(http.MethodGet, d.url+"/metrics", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+firstToken)
	w, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	text, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	require.NoError(t, w.Body.Close())
	assert.Regexp(t, `(?m)^wardkeeper_[a-z_]+\{.*action="user.view".*allowed.*\} 3$`, string(text))

	d.waitForLog(t, `"msg":"wardkeeper answers Envoy","addresses":["unix:`+socket+`","127.0.0.1:`, 1)
	d.waitForLog(t, `"route":"/envoy.service.auth.v3.Authorization/Check","status":200`, 3)
	d.signal(t, syscall.SIGTERM)
	exit, logs := d.end()
	assert.Equal(t, statusOK, exit, logs)
	assert.NotContains(t, logs, "jane")
	assert.NoFileExists(t, socket)
}

func TestEnvoyWithoutTokenOverAUnixSocket(t *testing.T) {
	t.Parallel()
	pdp, socket := socketPath(t), socketPath(t)
	startServerAt(t, "unix:"+pdp, "--directory", testDirectory, "--routes", writeFile(t, "routes.yaml", routesOfTests), "--ext-authz", "unix:"+socket, "--socket-mode", "0600")
	assert.Equal(t, 200, newEnvoy(t, "unix:"+socket, "").status(t, "GET", "/users/jane", "alice", ""))
}

func TestAddressesOfEnvoyAreChecked(t *testing.T) {
	t.Parallel()
	token := writeFile(t, "token", firstToken+"\n")
	routes := writeFile(t, "routes.yaml", routesOfTests)
	socket := "unix:" + filepath.Join(t.TempDir(), "pdp.sock")
	for name, c := range map[string]struct {
		args  []string
		fault string
	}{
		"no route file":            {[]string{"--ext-authz", "127.0.0.1:0"}, "--ext-authz needs a route file that says what requests mean: set --routes"},
		"no address":               {[]string{"--ext-authz", "7", "--routes", routes, "--token-file", token}, `--ext-authz is "7": use HOST:PORT or unix:/PATH`},
		"other machines":           {[]string{"--ext-authz", "0.0.0.0:0", "--routes", routes}, `--ext-authz is "0.0.0.0:0", which other machines can reach: set --token-file`},
		"given twice":              {[]string{"--ext-authz", "127.0.0.1:8181", "--routes", routes, "--token-file", token}, `--ext-authz is "127.0.0.1:8181": it is given twice`},
		"socket at another's file": {[]string{"--ext-authz", "unix:" + token, "--routes", routes, "--token-file", token}, "is a file, not a socket"},
		"anybody names a person":   {[]string{"--ext-authz", "127.0.0.1:0", "--addr", socket, "--routes", routes}, "anybody could name a person in the header X-Remote-User"},
	} {
		t.Run(name, func(t *testing.T) {
			got := run(t, nil, append([]string{"serve", "--check", "--directory", testDirectory}, c.args...)...)
			assert.Equal(t, statusFailed, got.status, got)
			assert.Contains(t, got.err, c.fault)
		})
	}
	got := run(t, nil, "serve", "--check", "--directory", testDirectory, "--addr", socket, "--ext-authz", strings.Replace(socket, "pdp", "envoy", 1), "--routes", writeFile(t, "routes.yaml", routesOfEnvoy))
	assert.Equal(t, statusOK, got.status, got)
}

// startEnvoy starts a stand-in for Envoy in front of an application, with the configuration of adapters/envoy. Odd paths and
// fields with underscores reach the sidecar, which Envoy would settle or refuse itself by the settings that are turned off.
func startEnvoy(t *testing.T, addr, socket, app string) (url string) {
	t.Helper()
	config, err := envoytest.Load("../../adapters/envoy/envoy.yaml")
	require.NoError(t, err)
	config.NormalizesPath, config.RejectsUnderscores, config.Timeout = false, false, time.Minute
	front := &envoytest.Front{Config: config, Client: authv3.NewAuthorizationClient(newEnvoy(t, "unix:"+socket, "").conn), Application: app}
	t.Cleanup(front.Close)
	l, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: front}}
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

func TestClinicBehindEnvoy(t *testing.T) {
	t.Parallel()
	skipIfShort(t)
	envoy := socketPath(t)
	idp := newIdentityProvider(t)
	b := newBehindProxyAt(t, "unix:"+socketPath(t), "--routes", idp.routes(t), "--ext-authz", "unix:"+envoy)
	b.target.SignIn = func(person, kind string) string { return idp.signIn(t, person, kind) }
	b.target.URL = startEnvoy(t, "127.0.0.1:0", envoy, b.clinic)
	// Envoy itself keeps the person's id, whatever it is.
	b.target.File = writeFile(t, "script.yaml", replaceIn(t, readFile(t, b.target.File), "['X-Request-ID: 5f 0c'], stopped: true", "['X-Request-ID: 5f0c'], stopped: true"))
	script.Run(t, b.target)
}

// Connections that send nothing give way to those of Envoy, and none of Envoy's that is at work does.
func TestConnectionsOfEnvoyHaveTheLimitsOfTheOthers(t *testing.T) {
	t.Parallel()
	socket := socketPath(t)
	d := startServer(t, "--directory", testDirectory, "--routes", writeFile(t, "routes.yaml", routesOfEnvoy), "--ext-authz", "unix:"+socket, "--max-connections", "4",
		"--token-file", writeFile(t, "token", firstToken))
	for range 8 {
		silent, err := net.Dial("unix", socket)
		require.NoError(t, err)
		defer func() { _ = silent.Close() }()
	}
	e := newEnvoy(t, "unix:"+socket, firstToken)
	for range 3 {
		require.Equal(t, http.StatusOK, e.status(t, http.MethodGet, "/users/jane", "alice", ""))
	}
	metrics := d.page(t, "/metrics", firstToken)
	require.Regexp(t, `(?m)^wardkeeper_http_connections_dropped_total\{reason="closed"\} [4-9]`, metrics)
	require.Regexp(t, `(?m)^wardkeeper_http_connections_open [1-4]$`, metrics)
}
