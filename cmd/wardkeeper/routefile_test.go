package main

import (
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/adapters/routes"
)

const routesOfTests = `
version: 1
subject: {header: X-Remote-User}
defaults: {current_location: metro}
routes:
  - {path: /open, methods: [GET], public: true}
  - {path: "/users/{id}", methods: [GET], action: user.view, resource: {id: {path: id}}}
`

// proxied asks as a proxy does, and returns the status and the body.
func (d *daemon) proxied(t *testing.T, token, target, person string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, d.url+"/adapters/forward-auth", nil)
	require.NoError(t, err)
	for name, value := range map[string]string{"X-Wardkeeper-Token": token, "X-Forwarded-Method": "GET", "X-Forwarded-Uri": target, "X-Forwarded-Host": "clinic", "X-Remote-User": person} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

func TestProxiesAreAnsweredByTheRouteFile(t *testing.T) {
	t.Parallel()
	token := writeFile(t, "token", firstToken+"\n")
	file := writeFile(t, "routes.yaml", routesOfTests)
	d := startServer(t, "--directory", testDirectory, "--token-file", token, "--routes", file)
	for target, want := range map[string]int{"/users/jane": 200, "/users/nobody": 403, "/open": 200, "/users/jane/x": 403, "/users//jane": 400} {
		status, body := d.proxied(t, firstToken, target, "alice")
		assert.Equal(t, want, status, "%s: %s", target, body)
	}
	status, _ := d.proxied(t, firstToken, "/users/jane", "")
	assert.Equal(t, http.StatusUnauthorized, status)
	status, _ = d.proxied(t, secondToken, "/users/jane", "alice")
	assert.Equal(t, http.StatusServiceUnavailable, status, "it is no proxy of ours")
	replaceFile(t, file, []byte("version: 2\n"))
	waitUntil(t, "the faulty file is read", func() bool {
		status, _ := d.proxied(t, firstToken, "/users/jane", "alice")
		require.Equal(t, http.StatusOK, status)
		return strings.Contains(d.log.String(), "the route file cannot be used, the last good content stays in force")
	})
	replaceFile(t, file, []byte("version: 1\nroutes:\n  - {path: /open, methods: [GET], public: true}\n"))
	waitUntil(t, "the new routes are in force", func() bool {
		status, _ := d.proxied(t, firstToken, "/users/jane", "alice")
		return status == http.StatusForbidden
	})
}

func TestRouteFilesThatCannotBeServedAreRefused(t *testing.T) {
	t.Parallel()
	const body = "version: 1\nsubject: {header: X-Remote-User}\nroutes:\n  - {path: /users, methods: [POST], action: user.invite, resource: {id: {body: /id}}}\n"
	const keys = "version: 1\nsubject: {jwt: {keys_file: KEYS, issuer: 'https://idp.example.org', audience: clinic, algorithms: [ES256]}}\n" +
		"routes: [{path: /users, methods: [GET], action: user.list, resource: {id: all}}]\n"
	noKeys := filepath.Join(t.TempDir(), "jwks.json")
	socket := "unix:" + filepath.Join(t.TempDir(), "pdp.sock")
	token := writeFile(t, "token", firstToken+"\n")
	for name, c := range map[string]struct {
		args  []string
		fault string
	}{
		"no such file": {[]string{"--routes", filepath.Join(t.TempDir(), "none")}, "no such file"},
		"no key file": {
			[]string{"--routes", writeFile(t, "routes.yaml", strings.Replace(keys, "KEYS", noKeys, 1))},
			"routes.yaml: line 2, column 28: the file with the issuer's keys cannot be read: stat " + noKeys + ": no such file or directory",
		},
		"no key file in this folder": {
			[]string{"--routes", writeFile(t, "routes.yaml", strings.Replace(keys, "KEYS", "no-such-keys.json", 1))},
			"stat no-such-keys.json: no such file or directory; a relative path starts in the folder where the program runs, here /",
		},
		"no keys": {
			[]string{"--routes", writeFile(t, "routes.yaml", strings.Replace(keys, "KEYS", writeFile(t, "jwks.json", "{}"), 1))},
			"line 2, column 28: the file with the issuer's keys: ",
		},
		"faults":                  {[]string{"--routes", writeFile(t, "routes.yaml", "version: 1\nroutes: 7\n")}, "routes.yaml"},
		"anybody names a person":  {[]string{"--routes", writeFile(t, "routes.yaml", routesOfTests)}, "anybody could name a person in the header X-Remote-User"},
		"a route needs the body":  {[]string{"--routes", writeFile(t, "routes.yaml", body), "--token-file", token}, "line 4: the route /users draws from the body"},
		"one address is not safe": {[]string{"--routes", writeFile(t, "routes.yaml", routesOfTests), "--addr", socket, "--addr", "127.0.0.1:0"}, "anybody could name a person"},
	} {
		t.Run(name, func(t *testing.T) {
			got := run(t, nil, append([]string{"serve", "--check", "--directory", testDirectory}, c.args...)...)
			assert.Equal(t, statusFailed, got.status, got)
			assert.Contains(t, got.err, c.fault)
		})
	}
	got := run(t, nil, "serve", "--check", "--directory", testDirectory, "--routes", writeFile(t, "routes.yaml", routesOfTests), "--addr", socket)
	assert.Equal(t, statusOK, got.status, got)
	long := "\n" + strings.Repeat("# what this means\n", 20_000) // more than other files may have
	got = run(t, nil, "serve", "--check", "--directory", testDirectory, "--routes", writeFile(t, "routes.yaml", routesOfTests+long), "--addr", socket)
	assert.Equal(t, statusOK, got.status, got)
}

// The issuer's keys must survive a change of the routes: the issuer may be unavailable at that time.
func TestVerifierIsKeptWhileOnlyRoutesChange(t *testing.T) {
	const subject = "version: 1\nsubject: {jwt: {keys: 'https://idp.example.org/keys', issuer: 'https://idp.example.org', audience: AUDIENCE, algorithms: [ES256]}}\n"
	table := func(text, audience string) *routes.Table {
		parsed, err := routes.Parse([]byte(strings.Replace(text, "AUDIENCE", audience, 1)))
		require.NoError(t, err)
		return parsed
	}
	var v verifiers
	verifierOf := func(table *routes.Table) routes.Verifier {
		verifier, err := v.of(table, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		return verifier
	}
	const open, closed = "routes: [{path: /open, methods: [GET], public: true}]\n", "routes: [{path: /users, methods: [GET], action: user.list, resource: {id: all}}]\n"
	first := verifierOf(table(subject+open, "clinic"))
	assert.Same(t, first, verifierOf(table(subject+closed, "clinic")))
	assert.NotSame(t, first, verifierOf(table(subject+closed, "shop")))
	assert.Nil(t, verifierOf(table("version: 1\n"+open, "")))
}
