package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const basicSecret = "a-secret:of-the-tests"

// tokenOf signs a token of a machine. change may be nil.
func (i *identityProvider) tokenOf(t *testing.T, subject string, change func(claims map[string]any)) string {
	t.Helper()
	claims := map[string]any{"iss": "https://idp.example.org", "aud": "wardkeeper", "sub": subject, "exp": time.Now().Add(time.Hour).Unix()}
	if change != nil {
		change(claims)
	}
	return sign(t, claims, "k1", jwa.ES256(), i.key)
}

// sign signs claims with a key that has an id.
func sign(t *testing.T, claims map[string]any, id string, algorithm jwa.SignatureAlgorithm, key any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	header := jws.NewHeaders()
	require.NoError(t, header.Set(jws.KeyIDKey, id))
	token, err := jws.Sign(payload, jws.WithKey(algorithm, key, jws.WithProtectedHeaders(header)))
	require.NoError(t, err)
	return string(token)
}

func basicAuth(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

// callersFile writes settings with a caller for each way to prove who it is. keys is a member of the key jwt.
func callersFile(t *testing.T, keys string) (path, tokens, secrets string) {
	t.Helper()
	tokens, secrets = writeFile(t, "tokens", firstToken), writeFile(t, "secrets", basicSecret)
	return writeFile(t, "wardkeeper.yaml", fmt.Sprintf(`
callers:
  - {name: portal, roles: [ask, search], token_file: %s}
  - {name: batch, roles: [ask, opa], client_id: batch, client_secret_file: %s}
  - {name: prometheus, roles: [operations], certificate_subject: "CN=prometheus"}
  - {name: mesh, roles: [ask], certificate_san: "URI:spiffe://example.org/mesh"}
  - {name: jobs, roles: [ask], jwt_subject: jobs}
  - {name: admins, roles: [ask, search, opa, operations], jwt_claim: "groups=pdp-admins"}
  - {name: slow, roles: [ask], token_file: %s, rate: 1, burst: 2}
jwt: {issuer: "https://idp.example.org", audience: wardkeeper, algorithms: [ES256], %s}
`, tokens, secrets, writeFile(t, "slow", thirdToken), keys)), tokens, secrets
}

// routesByRole has a request for each role.
var routesByRole = map[string]struct{ method, path, body string }{
	"ask":        {"POST", evaluationPath, viewJane},
	"search":     {"POST", "/access/v1/search/action", `{"subject":{"type":"user","id":"alice"},"resource":{"type":"user","id":"jane"}}`},
	"opa":        {"POST", "/v1/data/authz/decision", `{"input":` + viewJane + `}`},
	"operations": {"GET", "/metrics", ""},
	"revision":   {"GET", "/v1/revision", ""},
	"public":     {"GET", "/ready", ""},
}

// send sends a request with an Authorization field, unless it is empty.
func send(t *testing.T, client *http.Client, method, url, authorization, body string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w, err := client.Do(r)
	require.NoError(t, err)
	defer func() { require.NoError(t, w.Body.Close()) }()
	text, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	return w, string(text)
}

func TestCallersAndTheirRoles(t *testing.T) {
	t.Parallel()
	a, clients, idp := newAuthority(t), newAuthority(t), newIdentityProvider(t)
	file, _, _ := callersFile(t, "keys_file: "+idp.keySet(t))
	d := startServer(t, append(a.serverFiles(t), "--config", file, "--directory", testDirectory,
		"--tls-client-ca-file", writeFile(t, "clients.pem", clients.pem), "--tls-client-certificates", "optional")...)
	public, err := x509.MarshalPKIXPublicKey(idp.key.Public())
	require.NoError(t, err)
	claims := map[string]any{"iss": "https://idp.example.org", "aud": "wardkeeper", "sub": "jobs", "exp": time.Now().Add(time.Hour).Unix()}
	jobs := idp.tokenOf(t, "jobs", nil)
	spiffe, err := url.Parse("spiffe://example.org/mesh")
	require.NoError(t, err)
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(jobs, ".")[1] + "."
	expired := idp.tokenOf(t, "jobs", func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() })
	elsewhere := idp.tokenOf(t, "jobs", func(c map[string]any) { c["aud"] = "shop" })
	member := idp.tokenOf(t, "eve", func(c map[string]any) { c["groups"] = []string{"staff", "pdp-admins"} })

	for name, c := range map[string]struct {
		authorization string
		certificate   *tls.Certificate
		roles         string // that the caller has; "none" for a caller that is not known
	}{
		"nothing":                       {"", nil, "none"},
		"token":                         {"Bearer " + firstToken, nil, "ask search"},
		"unknown token":                 {"Bearer " + secondToken, nil, "none"},
		"basic":                         {basicAuth("batch", basicSecret), nil, "ask opa"},
		"basic, another secret":         {basicAuth("batch", "a-secret"), nil, "none"},
		"basic, another id":             {basicAuth("portal", basicSecret), nil, "none"},
		"basic, empty":                  {basicAuth("", ""), nil, "none"},
		"basic, not UTF-8":              {basicAuth("batch", "\xff\xfe"), nil, "none"},
		"token sent as basic":           {basicAuth("portal", firstToken), nil, "none"},
		"certificate":                   {"", clients.forClient(t, "prometheus", nil), "operations revision"},
		"certificate's SAN":             {"", clients.forClient(t, "x", func(c *x509.Certificate) { c.URIs = []*url.URL{spiffe} }), "ask"},
		"another name":                  {"", clients.forClient(t, "Prometheus", nil), "none"},
		"SAN of another kind":           {"", clients.forClient(t, "x", func(c *x509.Certificate) { c.EmailAddresses = []string{"spiffe://example.org/mesh"} }), "none"},
		"certificate and a wrong token": {"Bearer " + secondToken, clients.forClient(t, "prometheus", nil), "none"},
		"certificate and a token":       {"Bearer " + firstToken, clients.forClient(t, "prometheus", nil), "ask search"},
		"JWT":                           {"Bearer " + jobs, nil, "ask"},
		"JWT by a claim":                {"Bearer " + member, nil, "ask search opa operations revision"},
		"JWT of nobody":                 {"Bearer " + idp.tokenOf(t, "eve", nil), nil, "none"},
		"JWT, alg none":                 {"Bearer " + unsigned, nil, "none"},
		"JWT, HS256 by the public key":  {"Bearer " + sign(t, claims, "k1", jwa.HS256(), public), nil, "none"},
		"JWT of another key":            {"Bearer " + sign(t, claims, "k1", jwa.ES256(), idp.other), nil, "none"},
		"JWT, kid unknown":              {"Bearer " + sign(t, claims, "k2", jwa.ES256(), idp.key), nil, "none"},
		"JWT, another audience":         {"Bearer " + elsewhere, nil, "none"},
		"JWT, expired":                  {"Bearer " + expired, nil, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := a.client(t, c.certificate)
			for role, route := range routesByRole {
				want := http.StatusForbidden
				switch {
				case role == "public" || strings.Contains(" "+c.roles+" ", " "+role+" "):
					want = http.StatusOK
				case c.roles == "none":
					want = http.StatusUnauthorized
				}
				w, body := send(t, client, route.method, d.url+route.path, c.authorization, route.body)
				require.Equal(t, want, w.StatusCode, "%s: %s", role, body)
				switch want {
				case http.StatusUnauthorized:
					require.Equal(t, []string{"Bearer", `Basic realm="wardkeeper", charset="UTF-8"`}, w.Header.Values("WWW-Authenticate"))
				case http.StatusForbidden:
					require.Contains(t, body, "This caller does not have the role ")
				}
			}
		})
	}
	t.Run("metadata", func(t *testing.T) {
		t.Parallel()
		_, body := send(t, a.client(t, nil), "GET", d.url+"/.well-known/authzen-configuration", "", "")
		require.Contains(t, body, `"authentication_methods_supported":["bearer","client_secret_basic","tls_client_auth"],"authorization_servers":["https://idp.example.org"]`)
	})
	t.Run("rate", func(t *testing.T) {
		t.Parallel()
		client := a.client(t, nil)
		for first := true; ; first = false {
			w, body := send(t, client, "POST", d.url+evaluationPath, "Bearer "+thirdToken, viewJane)
			if w.StatusCode == http.StatusTooManyRequests {
				require.False(t, first)
				require.Equal(t, "1", w.Header.Get("Retry-After"))
				require.Equal(t, `{"error":"This caller sends more requests than it may: try again later."}`, body)
				break
			}
			require.Equal(t, http.StatusOK, w.StatusCode)
		}
		d.waitForLog(t, `"caller":"slow"`, 2)
	})
	t.Run("log", func(t *testing.T) {
		t.Parallel()
		send(t, a.client(t, nil), "POST", d.url+evaluationPath, basicAuth("batch", basicSecret), viewJane)
		d.waitForLog(t, `"caller":"batch"`, 1)
		for _, secret := range []string{firstToken, basicSecret, jobs} {
			require.NotContains(t, d.log.String(), secret)
		}
	})
}

// Whether a token is valid is not known while the issuer cannot be reached: the caller is not told that it is not.
func TestKeysThatCannotBeFetched(t *testing.T) {
	t.Parallel()
	idp := newIdentityProvider(t)
	var down atomic.Bool
	down.Store(true)
	keys := readFile(t, idp.keySet(t))
	issuer := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = io.WriteString(w, keys)
	}))
	t.Cleanup(issuer.Close)
	authority := writeFile(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issuer.Certificate().Raw})))
	file, _, _ := callersFile(t, "keys_url: "+issuer.URL+", keys_ca_file: "+authority)
	file = writeFile(t, "wardkeeper.yaml", strings.NewReplacer(
		`  - {name: prometheus, roles: [operations], certificate_subject: "CN=prometheus"}`+"\n", "",
		`  - {name: mesh, roles: [ask], certificate_san: "URI:spiffe://example.org/mesh"}`+"\n", "").Replace(readFile(t, file)))
	d := startServer(t, "--config", file, "--directory", testDirectory)
	jobs := "Bearer " + idp.tokenOf(t, "jobs", nil)
	w, body := send(t, http.DefaultClient, "POST", d.url+evaluationPath, jobs, viewJane)
	require.Equal(t, http.StatusServiceUnavailable, w.StatusCode)
	require.Contains(t, body, "It cannot be determined now who the caller is")
	require.Empty(t, w.Header.Get("WWW-Authenticate"))
	w, _ = send(t, http.DefaultClient, "POST", d.url+evaluationPath, "Bearer "+firstToken, viewJane)
	require.Equal(t, http.StatusOK, w.StatusCode, "other callers do not depend on it")
	down.Store(false)
	waitUntil(t, "the keys are fetched", func() bool {
		w, _ := send(t, http.DefaultClient, "POST", d.url+evaluationPath, jobs, viewJane)
		return w.StatusCode == http.StatusOK
	})
}

// Each secret is replaced while it is used: first the new one beside the old one, then the new one alone.
func TestSecretsAreReplacedUnderLoad(t *testing.T) {
	t.Parallel()
	idp := newIdentityProvider(t)
	tokens, secrets := writeFile(t, "tokens", firstToken), writeFile(t, "secrets", basicSecret)
	keys := idp.keySet(t)
	d := startServer(t, "--directory", testDirectory, "--config", writeFile(t, "wardkeeper.yaml", fmt.Sprintf(`
callers:
  - {name: portal, roles: [ask], token_file: %s}
  - {name: batch, roles: [ask], client_id: batch, client_secret_file: %s}
  - {name: jobs, roles: [ask], jwt_subject: jobs}
jwt: {issuer: "https://idp.example.org", audience: wardkeeper, algorithms: [ES256], keys_file: %s}
`, tokens, secrets, keys)))
	next := &identityProvider{key: idp.other, other: idp.key}
	nextKeys := strings.ReplaceAll(readFile(t, next.keySet(t)), `"k1"`, `"k2"`)
	bothKeys := strings.TrimSuffix(strings.TrimSpace(readFile(t, keys)), "]}") + "," + strings.TrimPrefix(nextKeys, `{"keys":[`)
	claims := map[string]any{"iss": "https://idp.example.org", "aud": "wardkeeper", "sub": "jobs", "exp": time.Now().Add(time.Hour).Unix()}
	for _, c := range []struct{ name, file, both, after, old, new string }{
		{"token", tokens, firstToken + "\n" + secondToken, secondToken, "Bearer " + firstToken, "Bearer " + secondToken},
		{"secret", secrets, basicSecret + "\n" + thirdToken, thirdToken, basicAuth("batch", basicSecret), basicAuth("batch", thirdToken)},
		{"key", keys, bothKeys, nextKeys, "Bearer " + idp.tokenOf(t, "jobs", nil), "Bearer " + sign(t, claims, "k2", jwa.ES256(), next.key)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var current atomic.Value
			current.Store(c.old)
			stop := make(chan struct{})
			var asking sync.WaitGroup
			for range 2 {
				asking.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
							r, err := http.NewRequest("POST", d.url+evaluationPath, strings.NewReader(viewJane))
							assert.NoError(t, err)
							r.Header.Set("Content-Type", "application/json")
							r.Header.Set("Authorization", current.Load().(string))
							w, err := http.DefaultClient.Do(r)
							if !assert.NoError(t, err) {
								return
							}
							assert.Equal(t, http.StatusOK, w.StatusCode)
							_ = w.Body.Close()
						}
					}
				})
			}
			status := func(authorization string) int {
				w, _ := send(t, http.DefaultClient, "POST", d.url+evaluationPath, authorization, viewJane)
				return w.StatusCode
			}
			replaceFile(t, c.file, []byte(c.both))
			waitUntil(t, "the new one is valid", func() bool { return status(c.new) == http.StatusOK })
			current.Store(c.new)
			// What uses the old one ends before it is withdrawn.
			close(stop)
			asking.Wait()
			replaceFile(t, c.file, []byte(c.after))
			waitUntil(t, "the old one is not", func() bool { return status(c.old) == http.StatusUnauthorized })
			require.Equal(t, http.StatusOK, status(c.new))
		})
	}
}

func TestFaultsOfCallersAreReportedTogether(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "wardkeeper.yaml", `
callers:
  - {name: "a b", roles: [ask], token_file: /none/tokens}
  - {name: twice, roles: [aks], client_id: x, certificate_san: portal}
  - {name: twice, token_file: /none/more, jwt_claim: groups, rate: -1}
  - {name: nothing, roles: [announce], burst: 1}
  - {name: odd, token: x}
  - portal
jwt: {issuer: i, audience: a, algorithms: [HS256], keys_url: "https://idp.example.org"}
`)
	got := run(t, nil, "serve", "--check", "--directory", testDirectory, "--config", file)
	require.Equal(t, statusFailed, got.status)
	for _, want := range []string{
		`:3: callers[0]: name is "a b": use up to 64 letters`, `callers[1]: "aks" is not a role: did you mean ask?`, "HTTP Basic takes both client_id and client_secret_file",
		"client certificates need their authorities", `certificate_san is "portal": write DNS:`, "name=twice is that of", "callers[2]: roles is missing",
		`jwt_claim is "groups": write NAME=VALUE`, "rate and burst must be numbers", "callers[3]: nothing says how it is recognized", "burst needs a rate",
		"the role announce requires a directory", `:7: "token" is not a setting`, "callers[5] must have members", `the algorithm "HS256" is not accepted`,
		"/none/tokens", "/none/more",
	} {
		assert.Contains(t, got.err, want)
	}
	got = run(t, nil, "serve", "--check", "--directory", testDirectory, "--addr", "0.0.0.0:0", "--config", writeFile(t, "wardkeeper.yaml",
		"callers: [{name: portal, roles: [ask], token_file: "+writeFile(t, "tokens", firstToken)+"}]"))
	assert.Equal(t, statusOK, got.status, got)
}

// Whoever is not named by a caller that may ask is refused, and so is a proxy.
func TestProxiesAreCallers(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	socket := socketPath(t)
	d := startServer(t, append(a.serverFiles(t), "--directory", testDirectory, "--routes", writeFile(t, "routes.yaml", routesOfTests), "--ext-authz", "unix:"+socket,
		"--config", writeFile(t, "wardkeeper.yaml", fmt.Sprintf(`
callers:
  - {name: nginx, roles: [ask], token_file: %s}
  - {name: prometheus, roles: [operations], token_file: %s}
`, writeFile(t, "nginx", firstToken), writeFile(t, "prometheus", secondToken))))...)
	for token, want := range map[string]int{firstToken: http.StatusOK, secondToken: http.StatusServiceUnavailable, thirdToken: http.StatusServiceUnavailable, "": http.StatusServiceUnavailable} {
		r, err := http.NewRequest(http.MethodGet, d.url+"/adapters/forward-auth", nil)
		require.NoError(t, err)
		for name, value := range map[string]string{"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/users/jane", "X-Forwarded-Host": "clinic", "X-Remote-User": "alice", "X-Wardkeeper-Token": token} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w, err := a.client(t, nil).Do(r)
		require.NoError(t, err)
		require.NoError(t, w.Body.Close())
		assert.Equal(t, want, w.StatusCode, token)
		assert.Equal(t, want, newEnvoy(t, "unix:"+socket, token).status(t, "GET", "/users/jane", "alice", ""), token)
	}
	d.waitForLog(t, `"caller":"nginx"`, 2)
}
