package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	sample "github.com/wardkeeper/wardkeeper/adapters/conformance/application"
	"github.com/wardkeeper/wardkeeper/adapters/extauthz"
	"github.com/wardkeeper/wardkeeper/adapters/forwardauth"
)

// sampleProxy is the environment variable that makes this test program the sample application of a proxy.
const sampleProxy = "WARDKEEPER_SAMPLE_PROXY"

// sampleProxies start each proxy between an address, a socket on which proxies are answered, and an application.
var sampleProxies = map[string]struct {
	program string // that must be installed
	start   func(t *testing.T, addr, socket, app string)
	without string // what the adapter cannot do (adapters/conformance/README.md)
}{
	"envoy": {"", func(t *testing.T, addr, socket, app string) { startEnvoy(t, addr, socket, app) }, "large-bodies,obligations-of-denials"},
	"nginx": {
		"nginx", func(t *testing.T, addr, socket, app string) {
			sampleBehind(t, addr, socket, app).startNginx(t, patience...)
		},
		"body,large-bodies,obligations-of-denials,malformed-requests",
	},
	"caddy": {
		"caddy", func(t *testing.T, addr, socket, app string) {
			sampleBehind(t, addr, socket, app).startCaddy(t, patience...)
		},
		"body,large-bodies,obligations-of-denials,malformed-requests",
	},
	"haproxy": {
		"haproxy", func(t *testing.T, _, socket, app string) { startHAProxy(t, "unix:"+socket, app, patientHAProxy) },
		"body,large-bodies,obligations-of-denials,malformed-requests",
	},
	"apache": {
		"apache2", func(t *testing.T, _, socket, app string) { startApache(t, "unix:"+socket, app, patientApache) },
		"body,large-bodies,obligations-of-denials,malformed-requests,separate-fields",
	},
}

// sampleBehind describes the sample application to what starts nginx and Caddy.
func sampleBehind(t *testing.T, addr, socket, app string) *behindProxy {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	b := &behindProxy{clinic: app, socket: socket, daemon: &daemon{url: "unix:" + socket}}
	b.port, err = strconv.Atoi(port)
	require.NoError(t, err)
	b.target.URL = "http://" + addr
	return b
}

var conformanceBinary = sync.OnceValues(func() (string, error) { return goBuild("conformance", "../../adapters/conformance") })

// The acceptance suite runs this test program as the sample application of each proxy.
func TestProxiesConform(t *testing.T) {
	skipIfShort(t)
	t.Parallel()
	for name, proxy := range sampleProxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if proxy.program != "" {
				tool(t, proxy.program)
			}
			suite, err := conformanceBinary()
			require.NoError(t, err)
			self, err := os.Executable()
			require.NoError(t, err)
			cmd := exec.Command(suite, "-golden", "../../testdata/decisions", "-without", proxy.without, "--", self, "-test.run", "^TestSampleBehindProxy$", "-test.timeout", "10m")
			tmp := filepath.Dir(socketPath(t)) // what the application leaves behind when it is killed goes with the test
			require.NoError(t, os.Chmod(tmp, 0o755))
			cmd.Env = append(os.Environ(), sampleProxy+"="+name, "TMPDIR="+tmp)
			out, err := cmd.CombinedOutput()
			assert.NoError(t, err)
			assert.Regexp(t, `(?m)^\d{3} passed, 0 failed$`, string(out))
		})
	}
}

// TestSampleBehindProxy is no test: it is the sample application that the suite starts, with a proxy in front of it.
func TestSampleBehindProxy(t *testing.T) {
	name := os.Getenv(sampleProxy)
	if name == "" {
		t.Log("TestProxiesConform starts it")
		return
	}
	app, err := sample.OpenBehindProxy()
	require.NoError(t, err)
	backend := httptest.NewServer(app.Proxied(app.Handler()))
	socket := socketPath(t)
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	require.NoError(t, os.Chmod(filepath.Dir(socket), 0o755))
	require.NoError(t, os.Chmod(socket, 0o666))
	checker := func() *check.Checker { return app.Checker() }
	go func() {
		if name == "envoy" {
			server, err := extauthz.New(extauthz.Config{Checker: checker, Timeout: time.Minute})
			assert.NoError(t, err)
			assert.NoError(t, server.Serve(listener))
			return
		}
		assert.NoError(t, http.Serve(listener, forwardAuth(t, checker)))
	}()
	sampleProxies[name].start(t, app.Addr(), socket, strings.TrimPrefix(backend.URL, "http://"))
	<-context.Background().Done() // until the suite kills it
}

// forwardAuth answers proxies as the sidecar does.
func forwardAuth(t *testing.T, checker func() *check.Checker) http.Handler {
	handler, err := forwardauth.New(forwardauth.Config{Checker: checker, Timeout: time.Minute})
	require.NoError(t, err)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, header, body := handler.Answer(r.Context(), r, false, nil)
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
		_, _ = w.Write(body)
	})
}
