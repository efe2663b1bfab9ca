package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
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

// startClinic starts a clinic, and returns where it is. With arguments that protect it, protected is where it is protected.
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

// identityProvider signs the tokens of persons.
type identityProvider struct{ key, other *ecdsa.PrivateKey }

func newIdentityProvider(t *testing.T) *identityProvider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return &identityProvider{key, other}
}

// keySet returns the file with the public key.
func (i *identityProvider) keySet(t *testing.T) string {
	t.Helper()
	key, err := jwk.Import(i.key.Public())
	require.NoError(t, err)
	require.NoError(t, key.Set(jwk.KeyIDKey, "k1"))
	data, err := json.Marshal(map[string]any{"keys": []any{key}})
	require.NoError(t, err)
	return writeFile(t, "jwks.json", string(data))
}

// routes returns the clinic's route file, with the file of public keys.
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

// replaceIn replaces each old text by the new one that follows it. Each must be there.
func replaceIn(t *testing.T, text string, oldnew ...string) string {
	t.Helper()
	for i := 0; i < len(oldnew); i += 2 {
		require.Contains(t, text, oldnew[i])
		text = strings.ReplaceAll(text, oldnew[i], oldnew[i+1])
	}
	return text
}

// behindProxy is a clinic, a sidecar on a Unix socket and the addresses for a proxy between them.
type behindProxy struct {
	clinic, socket string
	port           int
	target         script.Target
}

// newBehindProxy starts a clinic and a sidecar that answers a proxy.
func newBehindProxy(t *testing.T) *behindProxy {
	t.Helper()
	clinic, _ := startClinic(t)
	idp := newIdentityProvider(t)
	socket := socketPath(t)
	d := startServerAt(t, "unix:"+socket, "--directory", sampleDirectory, "--routes", idp.routes(t))
	port := servertest.FreePort(t)
	return &behindProxy{clinic: strings.TrimPrefix(clinic, "http://"), socket: socket, port: port, target: script.Target{
		File: clinicFolder + "script.yaml", Clinic: clinic, URL: fmt.Sprintf("http://127.0.0.1:%d", port),
		SignIn:  func(person, kind string) (string, bool) { return idp.signIn(t, person, kind), true },
		StopPDP: func() { requireStops(t, d) },
	}}
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

// nginxWith returns the arguments that run nginx with a file of its http block.
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

func TestClinicBehindNginx(t *testing.T) {
	t.Parallel()
	tool(t, "nginx")
	b := newBehindProxy(t)
	conf := replaceIn(t, readFile(t, "../../adapters/nginx/nginx.conf"),
		"listen 80;", fmt.Sprintf("listen 127.0.0.1:%d;", b.port), "/run/wardkeeper/pdp.sock", b.socket, "127.0.0.1:9000", b.clinic)
	b.startProxy(t, "nginx", nginxWith(t, conf)...)
	script.Run(t, b.target)
}

func TestClinicBehindCaddy(t *testing.T) {
	t.Parallel()
	tool(t, "caddy")
	b := newBehindProxy(t)
	conf := "{\n\tadmin off\n}\n" + replaceIn(t, readFile(t, "../../adapters/caddy/Caddyfile"),
		":80 {", fmt.Sprintf(":%d {\n\tbind 127.0.0.1", b.port), "/run/wardkeeper/pdp.sock", b.socket, "127.0.0.1:9000", b.clinic)
	b.startProxy(t, "caddy", "run", "--adapter", "caddyfile", "--config", writeFile(t, "Caddyfile", conf))
	script.Run(t, b.target)
}

func TestClinicBehindGoMiddleware(t *testing.T) {
	t.Parallel()
	skipIfShort(t)
	idp := newIdentityProvider(t)
	socket := socketPath(t)
	d := startServerAt(t, "unix:"+socket, "--directory", sampleDirectory)
	clinic, protected := startClinic(t, "--routes", idp.routes(t), "--protected-addr", "127.0.0.1:0", "--pdp", "unix:"+socket)
	script.Run(t, script.Target{
		File: clinicFolder + "script.yaml", Clinic: clinic, URL: protected,
		SignIn:  func(person, kind string) (string, bool) { return idp.signIn(t, person, kind), true },
		StopPDP: func() { requireStops(t, d) },
	})
}
