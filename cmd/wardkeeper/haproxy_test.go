package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

var patientHAProxy = map[string]string{"timeout server 1s": "timeout server 60s", "timeout = 1000": "timeout = 60000"}

// startHAProxy starts HAProxy with the files of adapters/haproxy.
func startHAProxy(t *testing.T, pdp, app string, changes map[string]string) *proxy {
	t.Helper()
	dir := proxyDir(t)
	addr, inner := proxyAddr(t), fmt.Sprintf("127.0.0.1:%d", servertest.FreePort(t))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "wardkeeper.token"), []byte(firstToken+"\n"), 0o600))
	if path, isUnix := strings.CutPrefix(pdp, "unix:"); isUnix {
		pdp = "unix@" + path
	}
	texts := map[string]string{
		"/etc/haproxy/wardkeeper": dir + "/wardkeeper", "bind :80\n": "bind " + addr + "\n",
		"127.0.0.1:9000": app, "127.0.0.1:8180": inner, "127.0.0.1:8181": pdp,
	}
	if os.Getuid() != 0 {
		texts["\tuser haproxy\n\tgroup haproxy\n"] = ""
	}
	adapterFiles(t, "haproxy", dir, texts, changes)
	return startProxy(t, addr, "/dev/null", exec.Command(tool(t, "haproxy"), "-db", "-f", filepath.Join(dir, "haproxy.cfg")))
}

// HAProxy lets a request continue if a script fails.
func TestHAProxyPassesNothingOnWhenItsScriptFails(t *testing.T) {
	skipIfShort(t)
	t.Parallel()
	people, app := newPeople(t), newApplication(t)
	addr := pdpAddr(t, false)
	people.startPDP(t, addr)
	p := startHAProxy(t, addr, app.addr(), map[string]string{"local response = core": "local response = nothing.core"})
	requireUnavailable(t, p, "the script fails")
	require.Zero(t, app.count())
}

func TestHAProxyAsksAboutHTTP2(t *testing.T) {
	skipIfShort(t)
	t.Parallel()
	people, app := newPeople(t), newApplication(t)
	addr := pdpAddr(t, false)
	people.startPDP(t, addr)
	p := startHAProxy(t, addr, app.addr(), patientHAProxy)
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	token := people.token(t, "alice")
	for target, want := range map[string]int{
		"/users/jane": 200, "/users/j%61ne?a=%2F&b=c+d": 200, "/open?": 200, "/users/nobody": 403, "/users//jane": 400, "/users/x%2Fjane": 400, "/users/../users/jane": 400,
	} {
		r, err := http.NewRequest(http.MethodGet, "http://"+p.addr+target, nil)
		require.NoError(t, err)
		r.Host = "clinic.example.org"
		r.Header.Set("Authorization", token)
		r.Header.Set("X_Remote_User", "spoofed")
		w, err := transport.RoundTrip(r)
		require.NoError(t, err)
		body, err := io.ReadAll(w.Body)
		require.NoError(t, err)
		require.NoError(t, w.Body.Close())
		assert.Equal(t, 2, w.ProtoMajor)
		assert.Equal(t, want, w.StatusCode, target)
		if want == http.StatusOK {
			got := answer{w.StatusCode, w.Header, string(body)}.arrived(t)
			assert.Equal(t, target, got.Target)
			assert.Equal(t, "clinic.example.org", got.Host)
			assert.Len(t, got.Header["X-Wardkeeper-Subject"], 1)
			assert.NotContains(t, string(body), "spoofed")
		}
	}
	require.Equal(t, 3, app.count())
}
