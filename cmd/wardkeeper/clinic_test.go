package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
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
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
	"github.com/wardkeeper/wardkeeper/testdata/clinic/script"
)

const (
	clinicFolder    = "../../testdata/clinic/"
	sampleDirectory = "../../testdata/directories/sample.yaml"
)

// clinicBinary builds the clinic.
var clinicBinary = sync.OnceValues(func() (string, error) { return goBuild("clinic", "../../testdata/clinic/serve") })

// startClinic starts a clinic and returns its URL. If args protect the clinic, protected is the URL of the protected one.
func startClinic(t *testing.T, args ...string) (url, protected string) {
	t.Helper()
	skipIfShort(t)
	path, err := clinicBinary()
	require.NoError(t, err)
	cmd := exec.Command(path, append([]string{"--addr", "127.0.0.1:0", "--directory", sampleDirectory}, args...)...)
	logs, err := os.Create(filepath.Join(t.TempDir(), "clinic.log"))
	require.NoError(t, err)
	cmd.Stderr = logs
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = logs.Close()
		if t.Failed() {
			text, _ := os.ReadFile(logs.Name())
			t.Logf("the clinic: %s", text)
		}
	})
	in := bufio.NewReader(stdout)
	for url == "" {
		line, err := in.ReadString('\n')
		require.NoError(t, err, "the clinic ended")
		if at, ok := strings.CutPrefix(strings.TrimSpace(line), "protected at "); ok {
			protected = at
		}
		url, _ = strings.CutPrefix(strings.TrimSpace(line), "listening on ")
		if !strings.HasPrefix(url, "http") {
			url = ""
		}
	}
	return url, protected
}

// identityProvider signs the tokens of people.
type identityProvider struct{ key, other *ecdsa.PrivateKey }

func newIdentityProvider(t *testing.T) *identityProvider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return &identityProvider{key, other}
}

// keySet returns the path of a file with the public key.
func (i *identityProvider) keySet(t *testing.T) string {
	t.Helper()
	key, err := jwk.Import(i.key.Public())
	require.NoError(t, err)
	require.NoError(t, key.Set(jwk.KeyIDKey, "k1"))
	data, err := json.Marshal(map[string]any{"keys": []any{key}})
	require.NoError(t, err)
	return writeFile(t, "jwks.json", string(data))
}

// routes returns the path of the clinic's route file, which names the file with the public key.
func (i *identityProvider) routes(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(clinicFolder + "routes.yaml")
	require.NoError(t, err)
	return writeFile(t, "routes.yaml", replaceIn(t, string(text), "keys_file: jwks.json", "keys_file: "+i.keySet(t)))
}

// signIn returns the Authorization header field of a person.
func (i *identityProvider) signIn(t *testing.T, person, kind string) string {
	t.Helper()
	key, expires := i.key, time.Now().Add(time.Hour)
	switch kind {
	case "expired":
		expires = time.Now().Add(-time.Hour)
	case "forged":
		key = i.other
	}
	payload, err := json.Marshal(map[string]any{"iss": "https://idp.example.org", "aud": "user-admin", "sub": person, "exp": expires.Unix()})
	require.NoError(t, err)
	header := jws.NewHeaders()
	require.NoError(t, header.Set(jws.KeyIDKey, "k1"))
	token, err := jws.Sign(payload, jws.WithKey(jwa.ES256(), key, jws.WithProtectedHeaders(header)))
	require.NoError(t, err)
	return "Bearer " + string(token)
}

// replaceIn replaces each old text with the new one that follows it. Each old text must occur.
func replaceIn(t *testing.T, text string, oldnew ...string) string {
	t.Helper()
	for i := 0; i < len(oldnew); i += 2 {
		require.Contains(t, text, oldnew[i])
		text = strings.ReplaceAll(text, oldnew[i], oldnew[i+1])
	}
	return text
}

// behindProxy is a clinic, a sidecar that answers proxies, and the address on which a proxy between them must listen.
type behindProxy struct {
	clinic string // HOST:PORT
	socket string // the path of the sidecar's Unix socket; "" if it listens at HOST:PORT
	port   int
	daemon *daemon
	target script.Target
}

// newBehindProxy starts a clinic and a sidecar that answers over a Unix socket by the clinic's route file.
func newBehindProxy(t *testing.T) *behindProxy {
	t.Helper()
	idp := newIdentityProvider(t)
	b := newBehindProxyAt(t, "unix:"+socketPath(t), "--routes", idp.routes(t))
	b.target.SignIn = func(person, kind string) string { return idp.signIn(t, person, kind) }
	return b
}

// newBehindProxyAt starts a clinic, and a sidecar at an address. The arguments set its route file.
func newBehindProxyAt(t *testing.T, addr string, args ...string) *behindProxy {
	t.Helper()
	clinic, _ := startClinic(t)
	b := &behindProxy{clinic: strings.TrimPrefix(clinic, "http://"), port: servertest.FreePort(t)}
	b.socket, _ = strings.CutPrefix(addr, "unix:")
	if b.socket == addr {
		b.socket = ""
	}
	b.daemon = startServerAt(t, addr, append([]string{"--directory", sampleDirectory, "--proxy-timeout", "1m"}, args...)...)
	b.target = script.Target{
		File: clinicFolder + "script.yaml", Clinic: clinic, URL: fmt.Sprintf("http://127.0.0.1:%d", b.port),
		StopPDP: func() { requireStops(t, b.daemon) },
	}
	return b
}

// startProxy starts a proxy, and waits until it listens. Its output is logged if the test fails.
func (b *behindProxy) startProxy(t *testing.T, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(tool(t, program), args...)
	dir := t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
	logs, err := os.Create(filepath.Join(dir, "out.log"))
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = logs, logs
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		_ = logs.Close()
		if t.Failed() {
			text, _ := os.ReadFile(logs.Name())
			t.Logf("%s: %s", program, text)
		}
	})
	waitUntil(t, program+" listens", func() bool {
		c, err := net.Dial("tcp", strings.TrimPrefix(b.target.URL, "http://"))
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// nginxWith returns the arguments that run nginx with a file included in its http block.
func nginxWith(t *testing.T, conf string) []string {
	t.Helper()
	dir := t.TempDir()
	user := ""
	if os.Getuid() == 0 {
		user = "user root;" // only root can read the folder
	}
	main := writeFile(t, "main.conf", fmt.Sprintf(`
daemon off; pid nginx.pid; worker_processes 1; %s
events {}
http {
	access_log off;
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
	include %s;
}`, user, writeFile(t, "wardkeeper.conf", conf)))
	return []string{"-p", dir, "-c", main, "-e", "stderr"}
}

// patience raises the time limits in the proxies' configurations. Tests in which the sidecar answers use it: a slow machine
// must not fail them.
var patience = []string{"_timeout 1s", "_timeout 60s", "_timeout 250ms", "_timeout 60s"}

// startNginx starts nginx with the configuration of adapters/nginx, with its addresses and the texts of oldnew replaced.
func (b *behindProxy) startNginx(t *testing.T, oldnew ...string) {
	t.Helper()
	b.startProxy(t, "nginx", nginxWith(t, replaceIn(t, readFile(t, "../../adapters/nginx/nginx.conf"), append([]string{
		"listen 80;", fmt.Sprintf("listen 127.0.0.1:%d;", b.port), "server unix:/run/wardkeeper/pdp.sock;", "server " + b.daemon.addr() + ";",
		"127.0.0.1:9000", b.clinic,
	}, oldnew...)...))...)
}

// startCaddy starts Caddy in the same way.
func (b *behindProxy) startCaddy(t *testing.T, oldnew ...string) {
	t.Helper()
	sidecar := b.daemon.addr()
	if b.socket != "" {
		sidecar = "unix/" + b.socket
	}
	conf := "{\n\tadmin off\n}\n" + replaceIn(t, readFile(t, "../../adapters/caddy/Caddyfile"), append([]string{
		":80 {", fmt.Sprintf(":%d {\n\tbind 127.0.0.1", b.port), "forward_auth unix//run/wardkeeper/pdp.sock", "forward_auth " + sidecar,
		"127.0.0.1:9000", b.clinic,
	}, oldnew...)...)
	b.startProxy(t, "caddy", "run", "--adapter", "caddyfile", "--config", writeFile(t, "Caddyfile", conf))
}

// clinicProxies are nginx and Caddy, with their configurations in adapters.
var clinicProxies = map[string]struct {
	start func(b *behindProxy, t *testing.T, oldnew ...string)
	// token and people turn comments into configuration: token lets the proxy send its token, and people lets it sign people
	// in.
	token  []string
	people func(t *testing.T) []string
}{
	"nginx": {
		(*behindProxy).startNginx,
		[]string{"# proxy_set_header X-Wardkeeper-Token TOKEN;", "proxy_set_header X-Wardkeeper-Token " + firstToken + ";"},
		func(t *testing.T) []string {
			return []string{
				"# auth_basic ", "auth_basic ",
				"# auth_basic_user_file /etc/nginx/people", "auth_basic_user_file " + writeFile(t, "people", "alice:{PLAIN}secret\ntom:{PLAIN}secret\n"),
			}
		},
	},
	"caddy": {
		(*behindProxy).startCaddy,
		[]string{"# header_up X-Wardkeeper-Token TOKEN", "header_up X-Wardkeeper-Token " + firstToken},
		func(*testing.T) []string {
			const hash = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW" // of "secret", by bcrypt at its lowest cost
			return []string{
				"# basicauth {", "basicauth {", "#\tNAME HASH", "alice " + hash + "\ntom " + hash, "# }", "}",
				"# request_header X-Remote-User", "request_header X-Remote-User",
			}
		},
	},
}

func TestClinicBehindProxies(t *testing.T) {
	for name, proxy := range clinicProxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tool(t, name)
			b := newBehindProxy(t)
			proxy.start(b, t, patience...)
			script.Run(t, b.target)
		})
	}
}

func TestClinicBehindProxiesThatAskOverTCPWithAToken(t *testing.T) {
	for name, proxy := range clinicProxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tool(t, name)
			idp := newIdentityProvider(t)
			b := newBehindProxyAt(t, "127.0.0.1:0", "--routes", idp.routes(t), "--token-file", writeFile(t, "token", firstToken+"\n"))
			b.target.SignIn = func(person, kind string) string { return idp.signIn(t, person, kind) }
			proxy.start(b, t, append(proxy.token, patience...)...)
			script.Run(t, b.target)
		})
	}
}

func TestClinicBehindProxiesThatSignPeopleIn(t *testing.T) {
	for name, proxy := range clinicProxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tool(t, name)
			b := newBehindProxyAt(t, "unix:"+socketPath(t), "--routes", clinicFolder+"routes-header.yaml")
			b.target.SignIn = func(person, kind string) string {
				return "Basic " + base64.StdEncoding.EncodeToString([]byte(person+":"+"secret"+kind))
			}
			proxy.start(b, t, append(proxy.people(t), patience...)...)
			const jane = "GET /api/users/jane"
			for _, c := range []script.Case{
				{Name: "allowed", As: "alice@metro", Request: jane, Status: 200, Contains: `"person":"alice"`},
				{Name: "denied", As: "tom@abc", Request: jane, Status: 403, Code: "denied", Rule: "REG-11"},
				{Name: "a wrong password", As: "alice@metro", Token: "x", Request: jane, Status: 401},
				{Name: "nobody", Request: jane, Headers: []string{"X-Remote-User: alice", "X-Location: metro"}, Status: 401},
				{Name: "another name", As: "tom@abc", Request: jane, Headers: []string{"X-Remote-User: alice"}, Status: 403, Code: "denied", Rule: "REG-11"},
				{Name: "another spelling", As: "tom@abc", Request: jane, Headers: []string{"X_Remote_User: alice"}, Status: 400, Code: "bad_request"},
			} {
				t.Run(c.Name, func(t *testing.T) { b.target.Try(t, c) })
			}
		})
	}
}

// The sidecar accepts connections but does not answer.
func TestProxiesDoNotWaitForASidecarThatHangs(t *testing.T) {
	for name, proxy := range clinicProxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tool(t, name)
			b := newBehindProxy(t)
			b.daemon.signal(t, syscall.SIGSTOP)
			proxy.start(b, t)
			b.target.Try(t, script.Case{As: "alice@metro", Request: "DELETE /api/users/tom", Status: 503, Code: "unavailable"})
		})
	}
}

func TestClinicBehindGoMiddleware(t *testing.T) {
	t.Parallel()
	idp := newIdentityProvider(t)
	d := startServerAt(t, "unix:"+socketPath(t), "--directory", sampleDirectory)
	clinic, protected := startClinic(t, "--routes", idp.routes(t), "--protected-addr", "127.0.0.1:0", "--pdp", d.url, "--timeout", "1m")
	script.Run(t, script.Target{
		File: clinicFolder + "script.yaml", Clinic: clinic, URL: protected,
		SignIn:  func(person, kind string) string { return idp.signIn(t, person, kind) },
		StopPDP: func() { requireStops(t, d) },
	})
}
