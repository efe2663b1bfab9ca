package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jwt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// arrived is a request as the application received it.
type arrived struct {
	Method, Target, Host string
	Header               http.Header
	Length               int64
	Sum                  string // SHA-256 of the body
}

// application answers each request with what it received.
type application struct {
	*httptest.Server
	mu       sync.Mutex
	requests []arrived
}

func newApplication(t *testing.T) *application {
	t.Helper()
	a := &application{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, _ := io.Copy(sum, r.Body)
		got := arrived{r.Method, r.RequestURI, r.Host, r.Header, n, hex.EncodeToString(sum.Sum(nil))}
		a.mu.Lock()
		a.requests = append(a.requests, got)
		a.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(got)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *application) addr() string { return a.Listener.Addr().String() }

// count returns how many requests have arrived.
func (a *application) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.requests)
}

// people is an issuer of tokens, and a route file that trusts it.
type people struct {
	key    jwk.Key
	routes string
}

func newPeople(t *testing.T) people {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	key, err := jwk.Import(private)
	require.NoError(t, err)
	require.NoError(t, key.Set(jwk.KeyIDKey, "tests"))
	public, err := key.PublicKey()
	require.NoError(t, err)
	set := jwk.NewSet()
	require.NoError(t, set.AddKey(public))
	data, err := json.Marshal(set)
	require.NoError(t, err)
	keys := writeFile(t, "keys.json", string(data))
	return people{key, writeFile(t, "routes.yaml", `
version: 1
subject: {jwt: {keys_file: `+keys+`, issuer: "https://idp.example.org", audience: user-admin, algorithms: [ES256]}}
defaults: {current_location: metro}
routes:
  - {path: /open, methods: [GET], public: true}
  - {path: "/users/{id}", methods: [GET, POST], action: user.view, resource: {id: {path: id}}}
`)}
}

// token returns the value of Authorization for a person.
func (p people) token(t *testing.T, person string) string {
	t.Helper()
	claims, err := jwt.NewBuilder().Issuer("https://idp.example.org").Audience([]string{"user-admin"}).Subject(person).
		IssuedAt(time.Now()).Expiration(time.Now().Add(time.Hour)).Build()
	require.NoError(t, err)
	signed, err := jwt.Sign(claims, jwt.WithKey(jwa.ES256(), p.key))
	require.NoError(t, err)
	return "Bearer " + string(signed)
}

// proxy is a running proxy.
type proxy struct{ addr string }

// proxies start each proxy in front of an application, with the files of its folder. pdp and app are the addresses; changes are
// replacements of text in the files.
var proxies = map[string]struct {
	socket  bool // the sidecar listens on a Unix socket
	start   func(t *testing.T, pdp, app string, changes map[string]string) *proxy
	patient map[string]string // let a question take a minute: a machine under load must not fail a test
}{
	"haproxy":               {false, startHAProxy, patientHAProxy},
	"haproxy over a socket": {true, startHAProxy, patientHAProxy},
	"apache":                {true, startApache, patientApache},
}

// proxyAddr returns the address on which a proxy must listen: a free one, unless it is the sample application's.
func proxyAddr(t *testing.T) string {
	t.Helper()
	if os.Getenv(sampleProxy) != "" {
		return os.Getenv("LISTEN_ADDR")
	}
	return fmt.Sprintf("127.0.0.1:%d", servertest.FreePort(t))
}

// pdpAddr returns a free address for a sidecar, which other users of this machine can reach.
func pdpAddr(t *testing.T, socket bool) string {
	t.Helper()
	if !socket {
		return fmt.Sprintf("127.0.0.1:%d", servertest.FreePort(t))
	}
	path := socketPath(t)
	require.NoError(t, os.Chmod(filepath.Dir(path), 0o755))
	return "unix:" + path
}

func (p people) startPDP(t *testing.T, addr string) *daemon {
	t.Helper()
	args := []string{"--directory", testDirectory, "--routes", p.routes, "--proxy-timeout", "1m"}
	if strings.HasPrefix(addr, "unix:") {
		args = append(args, "--socket-mode", "666")
	} else {
		args = append(args, "--token-file", writeFile(t, "token", firstToken+"\n"))
	}
	return startServerAt(t, addr, args...)
}

// adapterFiles copies the files of a folder of adapters to dir and replaces texts. Each text must occur.
func adapterFiles(t *testing.T, folder, dir string, texts ...map[string]string) {
	t.Helper()
	var pairs []string
	missing := map[string]bool{}
	for _, some := range texts {
		for old, now := range some {
			pairs = append(pairs, old, now)
			missing[old] = true
		}
	}
	files, err := filepath.Glob(filepath.Join("../../adapters", folder, "[^R]*"))
	require.NoError(t, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		for old := range missing {
			if strings.Contains(string(data), old) {
				delete(missing, old)
			}
		}
		text := strings.NewReplacer(pairs...).Replace(string(data))
		require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(file)), []byte(text), 0o644))
	}
	require.Empty(t, missing, "the files of the folder do not have these texts")
}

// proxyDir returns a folder that the proxy can read when it runs as another user.
func proxyDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Dir(socketPath(t))
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

// startProxy runs a proxy in the foreground and waits until it listens. The proxy and its children end with the test.
func startProxy(t *testing.T, addr, logs string, cmd *exec.Cmd) *proxy {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out.log"))
	require.NoError(t, err)
	defer func() { require.NoError(t, out.Close()) }()
	cmd.Stdout, cmd.Stderr = out, out
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // the log has the error
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
		if t.Failed() {
			for _, name := range []string{out.Name(), logs} {
				text, _ := os.ReadFile(name)
				t.Logf("%s: %s", name, text)
			}
		}
	})
	waitUntil(t, "the proxy listens", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return &proxy{addr}
}

// answer is the response that a person gets.
type answer struct {
	status int
	header http.Header
	body   string
}

// arrived decodes the answer of the application.
func (a answer) arrived(t *testing.T) arrived {
	t.Helper()
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	var got arrived
	require.NoError(t, json.Unmarshal([]byte(a.body), &got), a.body)
	return got
}

// raw sends text on one connection and reads that many answers. method is the method of the requests.
func (p *proxy) raw(t *testing.T, text, method string, answers int) []answer {
	t.Helper()
	c, err := net.Dial("tcp", p.addr)
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	require.NoError(t, c.SetDeadline(time.Now().Add(servertest.Timeout)))
	go func() { _, _ = io.WriteString(c, text) }() // the proxy may close before it has read all
	in, all := bufio.NewReader(c), []answer(nil)
	for range answers {
		w, err := http.ReadResponse(in, &http.Request{Method: method})
		require.NoError(t, err)
		if w.StatusCode == http.StatusContinue {
			w, err = http.ReadResponse(in, &http.Request{Method: method})
			require.NoError(t, err)
		}
		body, err := io.ReadAll(w.Body)
		require.NoError(t, err)
		all = append(all, answer{w.StatusCode, w.Header, string(body)})
	}
	return all
}

// request sends a request with lines of its header.
func (p *proxy) request(t *testing.T, method, target string, lines ...string) answer {
	t.Helper()
	return p.raw(t, requestText(method, target, "", lines...), method, 1)[0]
}

func requestText(method, target, body string, lines ...string) string {
	lines = append([]string{method + " " + target + " HTTP/1.1", "Host: clinic.example.org"}, lines...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

func TestProxiesAskAboutEachRequest(t *testing.T) {
	skipIfShort(t)
	for name, c := range proxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			people, app := newPeople(t), newApplication(t)
			addr := pdpAddr(t, c.socket)
			people.startPDP(t, addr)
			p := c.start(t, addr, app.addr(), c.patient)
			alice := "Authorization: " + people.token(t, "alice")
			t.Run("what is permitted arrives as it was sent", func(t *testing.T) { requireArrives(t, p, app, alice) })
			t.Run("what is refused does not arrive", func(t *testing.T) { requireRefuses(t, p, app, alice) })
			t.Run("what only the proxy may say is not the person's to say", func(t *testing.T) { requireStrips(t, p, app, alice) })
			t.Run("bodies arrive whole", func(t *testing.T) { requireBodies(t, p, app, alice) })
			t.Run("each request of a connection is judged", func(t *testing.T) { requireEachJudged(t, p, app, alice) })
		})
	}
}

func requireArrives(t *testing.T, p *proxy, app *application, alice string) {
	for _, target := range []string{"/users/jane", "/users/j%61ne", "/users/jane?a=%2F..%2f&b=c+d&b=%25", "/users/jane?", "/users/jane?q=a//b/../c;d"} {
		got := p.request(t, "GET", target, alice, "X-Request-ID: 5f0c", "Accept: text/html", "Cookie: a=b; c=d").arrived(t)
		assert.Equal(t, target, got.Target)
		assert.Equal(t, "GET", got.Method)
		assert.Equal(t, "clinic.example.org", got.Host)
		assert.Equal(t, []string{"alice"}, got.Header["X-Wardkeeper-Subject"])
		assert.Equal(t, []string{"[]"}, got.Header["X-Wardkeeper-Obligations"])
		assert.Equal(t, []string{"5f0c"}, got.Header["X-Request-Id"])
		assert.Equal(t, []string{"a=b; c=d"}, got.Header["Cookie"])
		assert.Equal(t, strings.TrimPrefix(alice, "Authorization: "), got.Header.Get("Authorization"))
		assert.Empty(t, got.Header.Get("X-Wardkeeper-Token"))
	}
	got := p.request(t, "GET", "/open").arrived(t)
	assert.Equal(t, []string{""}, got.Header["X-Wardkeeper-Subject"])
	assert.Len(t, got.Header["X-Request-Id"], 1)

	before := app.count()
	head := p.raw(t, requestText("HEAD", "/users/jane", "", alice)+requestText("HEAD", "/users/nobody", "", alice)+requestText("HEAD", "/users/jane", "", alice), "HEAD", 3)
	require.Equal(t, before+2, app.count())
	for i, want := range []int{200, 403, 200} {
		assert.Equal(t, want, head[i].status)
	}
	assert.Equal(t, "application/problem+json", head[1].header.Get("Content-Type"))
}

func requireRefuses(t *testing.T, p *proxy, app *application, alice string) {
	before := app.count()
	for _, c := range []struct {
		method, target, accept string
		lines                  []string
		status                 int
		code                   string
	}{
		{"GET", "/users/nobody", "", []string{alice}, 403, "denied"},
		{"GET", "/nowhere", "application/json", []string{alice}, 403, "denied"},
		{"DELETE", "/users/jane", "", []string{alice}, 403, "denied"},
		{"GET", "/users/jane", "", nil, 401, "unauthenticated"},
		{"GET", "/users/jane", "", []string{alice + "x"}, 401, "unauthenticated"},
		{"GET", "/users//jane", "", []string{alice}, 400, "bad_request"},
		{"GET", "//users/jane", "", []string{alice}, 400, "bad_request"},
		{"GET", "/users/jane;x", "", []string{alice}, 400, "bad_request"},
		{"GET", "/users/x%2Fjane", "", []string{alice}, 400, "bad_request"},
		{"GET", "/users/jane", "", []string{alice, "X-HTTP-Method-Override: DELETE"}, 400, "bad_request"},
		{"GET", "/users/jane", "", []string{alice, "Connection: close, X-Wardkeeper-Subject"}, 400, "bad_request"},
		{"GET", "/users/jane", "", []string{alice, "Connection: keep-alive, X-Wardkeeper-Subject"}, 400, "bad_request"},
	} {
		got := p.request(t, c.method, c.target, append(c.lines, "X-Request-ID: 5f0c")...)
		assert.Equal(t, c.status, got.status, "%v %s", c, got.body)
		assert.Equal(t, "application/problem+json", got.header.Get("Content-Type"), c.target)
		assert.Equal(t, []string{"no-store"}, got.header["Cache-Control"])
		assert.Equal(t, []string{"5f0c"}, got.header["X-Request-Id"])
		assert.Equal(t, c.status == 401, got.header.Get("WWW-Authenticate") == "Bearer")
		var problem struct{ Code, Detail string }
		require.NoError(t, json.Unmarshal([]byte(got.body), &problem), got.body)
		assert.Equal(t, c.code, problem.Code)
		assert.NotEmpty(t, problem.Detail)
		for name := range got.header {
			assert.NotContains(t, name, "Wardkeeper")
		}
	}
	page := p.request(t, "GET", "/users/nobody", alice, "Accept: text/html")
	assert.Equal(t, 403, page.status)
	assert.Equal(t, "text/html; charset=utf-8", page.header.Get("Content-Type"))
	assert.Contains(t, page.body, "<html")
	for _, target := range []string{
		"http://other.example.org/users/jane", "*", "users/jane", "/users/../users/jane", "/users/%2e%2e/users/jane", "/users/jane/.", "/users/./jane",
		"/users/jane%00", "/users/%c0%afjane", "/users\\jane", "/users/%5Cjane", "/users/jane#x", "/users/jane%3Fx", "/users/%252Fjane", "/users/jane%zz", "///users/jane",
	} {
		got := p.request(t, "GET", target, alice)
		assert.Contains(t, []int{400, 403, 404}, got.status, target)
	}
	for _, method := range []string{"TRACE", "CONNECT", "get", "G=T"} {
		got := p.request(t, method, "/users/jane", alice)
		assert.True(t, got.status >= 400 && got.status < 600, "%s: %d", method, got.status)
	}
	for _, text := range []string{
		"GET /users/jane HTTP/1.1\r\nHost: a\r\nHost: b\r\n" + alice + "\r\n\r\n",
		"GET /users/jane HTTP/1.1\r\n" + alice + "\r\n\r\n",
		"GET /users/jane HTTP/1.0\r\n" + alice + "\r\n\r\n",
		requestText("GET", "/users/jane", "", alice, "X-Long: "+strings.Repeat("x", 20<<10)),
		requestText("GET", "/users/jane?"+strings.Repeat("x", 9<<10), "", alice),
	} {
		got := p.raw(t, text, "GET", 1)[0]
		assert.True(t, got.status >= 400 && got.status < 600, "%.80q: %d", text, got.status)
	}
	require.Equal(t, before, app.count(), "nothing arrived")
}

func requireStrips(t *testing.T, p *proxy, app *application, alice string) {
	before := app.count()
	for _, field := range []string{
		"X-Wardkeeper-Subject", "x-wardkeeper-subject", "X_Wardkeeper_Subject", "X-Wardkeeper_Subject", "X.Wardkeeper.Subject", "X_WARDKEEPER_OBLIGATIONS",
		"X-Wardkeeper-Obligations", "X_Wardkeeper-Token", "X-Wardkeeper-Status", "X-Wardkeeper-Anything",
	} {
		for _, target := range []string{"/users/jane", "/open"} {
			got := p.request(t, "GET", target, alice, field+": spoofed")
			assert.Equal(t, 400, got.status, field)
			assert.Contains(t, got.body, "bad_request")
		}
	}
	require.Equal(t, before, app.count())
	for _, field := range []string{
		"X-Wardkeeper-Token", "X-Forwarded-Uri", "X_Forwarded_Uri", "X-Forwarded-Method", "X-Forwarded-Host", "X_Forwarded-Host", "X-Forwarded-Prefix",
		"Forwarded", "X-Remote-User", "X_Remote_User", "X_Request_ID", "X.Request-ID",
	} {
		for target, subject := range map[string]string{"/users/jane": "alice", "/open": ""} {
			got := p.request(t, "GET", target, alice, field+": spoofed", "X-Request-ID: 5f0c").arrived(t)
			assert.Equal(t, target, got.Target)
			assert.Equal(t, []string{"5f0c"}, got.Header["X-Request-Id"], field)
			assert.Equal(t, []string{subject}, got.Header["X-Wardkeeper-Subject"], field)
			for name, values := range got.Header {
				assert.NotContains(t, values, "spoofed", "%s arrives as %s", field, name)
			}
		}
	}
	got := p.request(t, "GET", "/users/nobody", alice, "X-Forwarded-Uri: /users/jane", "X-Forwarded-Uri: /open")
	assert.Equal(t, 403, got.status)
	got = p.request(t, "DELETE", "/users/jane", alice, "X-Forwarded-Method: GET")
	assert.Equal(t, 403, got.status)
	got = p.request(t, "GET", "/users/jane", alice, "X-Request-ID: one", "X-Request-ID: two")
	assert.Len(t, got.arrived(t).Header["X-Request-Id"], 1)
}

func requireBodies(t *testing.T, p *proxy, app *application, alice string) {
	large := strings.Repeat("0123456789abcdef", 512<<10)
	sum := func(s string) string {
		h := sha256.Sum256([]byte(s))
		return hex.EncodeToString(h[:])
	}
	for _, c := range []struct{ text, body string }{
		{requestText("POST", "/users/jane", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", alice, "Transfer-Encoding: chunked"), "hello world"},
		{requestText("POST", "/users/jane", large, alice, fmt.Sprintf("Content-Length: %d", len(large))), large},
		{requestText("POST", "/users/jane", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(large), large), alice, "Transfer-Encoding: chunked"), large},
		{requestText("POST", "/users/jane", "hello", alice, "Content-Length: 5", "Expect: 100-continue"), "hello"},
	} {
		got := p.raw(t, c.text, "POST", 1)[0].arrived(t)
		assert.EqualValues(t, len(c.body), got.Length)
		assert.Equal(t, sum(c.body), got.Sum)
		assert.Equal(t, "POST", got.Method)
	}
	hidden := requestText("GET", "/open", "")
	for _, text := range []string{
		requestText("POST", "/users/nobody", hidden, alice, fmt.Sprintf("Content-Length: %d", len(hidden))),
		requestText("POST", "/users/nobody", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(hidden), hidden), alice, "Transfer-Encoding: chunked"),
		requestText("POST", "/users/nobody", large, alice, fmt.Sprintf("Content-Length: %d", len(large))),
	} {
		before := app.count()
		assert.Equal(t, 403, p.refusedThenClosed(t, text), "%.80q", text)
		assert.Equal(t, before, app.count(), "the body of a refused request is not a request")
	}
}

// refusedThenClosed sends a request, returns the status of the answer, and requires that the connection then ends without
// another answer. It closes the sending side, so that the proxy knows that no more follows.
func (p *proxy) refusedThenClosed(t *testing.T, text string) int {
	t.Helper()
	c, err := net.Dial("tcp", p.addr)
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	require.NoError(t, c.SetDeadline(time.Now().Add(servertest.Timeout)))
	go func() {
		_, _ = io.WriteString(c, text) // the proxy may close before it has read all
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	in := bufio.NewReader(c)
	w, err := http.ReadResponse(in, nil)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, w.Body)
	require.NoError(t, err)
	rest, _ := io.ReadAll(in) // the connection may be reset
	assert.Empty(t, string(rest))
	return w.StatusCode
}

func requireEachJudged(t *testing.T, p *proxy, app *application, alice string) {
	var text bytes.Buffer
	targets := []string{"/users/jane", "/users/nobody", "/open", "/users/jane?again", "/users//jane"} // Apache closes after 400
	for _, target := range targets {
		text.WriteString(requestText("GET", target, "", alice))
	}
	before := app.count()
	got := p.raw(t, text.String(), "GET", len(targets))
	for i, want := range []int{200, 403, 200, 200, 400} {
		assert.Equal(t, want, got[i].status, targets[i])
	}
	assert.Equal(t, before+3, app.count())
}

// A sidecar that answers unlike Wardkeeper lets nothing through.
func TestProxiesPassNothingOnWithoutAnAnswer(t *testing.T) {
	skipIfShort(t)
	const pass = "HTTP/1.1 200 OK\r\nX-Wardkeeper-Subject: alice\r\nX-Wardkeeper-Obligations: []\r\n"
	odd := map[string]string{
		"silence":             "",
		"no field":            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"no request id":       pass + "Content-Length: 0\r\n\r\n",
		"a field twice":       pass + "X-Request-ID: a\r\nX-Wardkeeper-Subject: bob\r\nContent-Length: 0\r\n\r\n",
		"no end of header":    pass + "X-Request-ID: a\r\nContent-Length: 0\r\n",
		"another status":      strings.Replace(pass, "200 OK", "204 No Content", 1) + "X-Request-ID: a\r\n\r\n",
		"a redirect":          "HTTP/1.1 302 Found\r\nLocation: /adapters/forward-auth\r\nContent-Length: 0\r\n\r\n",
		"a denial of another": "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nhtml",
		"a decision":          "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 18\r\n\r\n{\"decision\":false}",
		"no HTTP":             "SSH-2.0-OpenSSH_9.2\r\n\r\n",
	}
	for name, c := range proxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, app := pdpAddr(t, c.socket), newApplication(t)
			p := c.start(t, addr, app.addr(), nil)
			requireUnavailable(t, p, "nobody listens")
			network, at := "tcp", addr
			if c.socket {
				network, at = "unix", strings.TrimPrefix(addr, "unix:")
			}
			listener, err := net.Listen(network, at)
			require.NoError(t, err)
			if c.socket {
				require.NoError(t, os.Chmod(at, 0o666))
			}
			t.Cleanup(func() { _ = listener.Close() })
			var mu sync.Mutex
			text := ""
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					go func() {
						defer func() { _ = conn.Close() }()
						if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
							return
						}
						mu.Lock()
						answer := text
						mu.Unlock()
						_, _ = io.WriteString(conn, answer)
						if answer == "" {
							_, _ = io.Copy(io.Discard, conn) // until the proxy gives up
						}
					}()
				}
			}()
			for what, answer := range odd {
				mu.Lock()
				text = answer
				mu.Unlock()
				requireUnavailable(t, p, what)
			}
			mu.Lock()
			text = pass + "X-Request-ID: a\r\nContent-Length: 0\r\n\r\n"
			mu.Unlock()
			require.Zero(t, app.count(), "nothing has arrived")
			require.Equal(t, 200, p.request(t, "GET", "/users/jane").status, "a proper answer lets it through")
		})
	}
}

func requireUnavailable(t *testing.T, p *proxy, what string) {
	t.Helper()
	got := p.request(t, "GET", "/open", "Authorization: Bearer x", "X-Request-ID: 5f0c")
	assert.Equal(t, 503, got.status, "%s: %s", what, got.body)
	assert.Equal(t, []string{"5f0c"}, got.header["X-Request-Id"], what)
	assert.Equal(t, "application/problem+json", got.header.Get("Content-Type"), what)
	assert.Equal(t, []string{"no-store"}, got.header["Cache-Control"], what)
	assert.Equal(t, []string{"1"}, got.header["Retry-After"], what)
	assert.Contains(t, got.body, `"code":"unavailable"`, what)
	page := p.request(t, "GET", "/open", "Accept: text/html")
	assert.Equal(t, 503, page.status, what)
	assert.Equal(t, "text/html; charset=utf-8", page.header.Get("Content-Type"), what)
	assert.Contains(t, page.body, "<h1>Service Unavailable</h1>", what)
}

func TestProxiesPassNothingOnWhenTheSidecarIsKilled(t *testing.T) {
	skipIfShort(t)
	for name, c := range proxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			people, app := newPeople(t), newApplication(t)
			addr := pdpAddr(t, c.socket)
			d := people.startPDP(t, addr)
			p := c.start(t, addr, app.addr(), c.patient)
			alice := "Authorization: " + people.token(t, "alice")
			var running sync.WaitGroup
			var mu sync.Mutex
			statuses := map[int]int{}
			count := func(status int) int {
				mu.Lock()
				defer mu.Unlock()
				return statuses[status]
			}
			for range 4 {
				running.Go(func() {
					for count(503) < 8 {
						got := p.request(t, "GET", "/users/jane", alice)
						mu.Lock()
						statuses[got.status]++
						mu.Unlock()
					}
				})
			}
			waitUntil(t, "requests pass", func() bool { return count(200) > 20 })
			d.signal(t, syscall.SIGKILL)
			running.Wait()
			require.Equal(t, count(200), app.count(), "what was not answered did not arrive")
			require.Len(t, statuses, 2, "%v", statuses)
			people.startPDP(t, addr)
			waitUntil(t, "requests pass again", func() bool { return p.request(t, "GET", "/users/jane", alice).status == 200 })
		})
	}
}
