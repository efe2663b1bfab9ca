package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	firstToken  = "the-first-token-of-the-tests"
	secondToken = "the-second-token-of-the-tests"
	thirdToken  = "the-third-token-of-the-tests"
)

// statusWith returns the status of a question with a token.
func (d *daemon) statusWith(t *testing.T, token string) int {
	t.Helper()
	w, _ := post(t, d.url, token, viewJane)
	return w.StatusCode
}

// New tokens are accepted in addition to the old ones. Tokens that are removed are refused. An invalid file changes nothing.
func TestTokenRotation(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "token", firstToken+"\n")
	d := startServer(t, "--directory", testDirectory, "--token-file", file)
	require.Equal(t, http.StatusOK, d.statusWith(t, firstToken))
	require.Equal(t, http.StatusUnauthorized, d.statusWith(t, secondToken))

	replaceFile(t, file, []byte(firstToken+"\n"+secondToken+"\n"))
	waitUntil(t, "the second token is valid", func() bool { return d.statusWith(t, secondToken) == http.StatusOK })
	require.Equal(t, http.StatusOK, d.statusWith(t, firstToken))
	got := run(t, nil, "ask", "alice", "user.view", "jane", "--server", d.url, "--token-file", file)
	require.Equal(t, statusOK, got.status, got)

	replaceFile(t, file, []byte(secondToken+"\n"))
	waitUntil(t, "the first token is refused", func() bool { return d.statusWith(t, firstToken) == http.StatusUnauthorized })
	require.Equal(t, http.StatusOK, d.statusWith(t, secondToken))

	for fault, invalidate := range map[string]func(){
		"comments are not allowed": func() { replaceFile(t, file, []byte(thirdToken+"\n# "+secondToken+"\n")) },
		"it is empty":              func() { replaceFile(t, file, nil) },
		"no such file":             func() { require.NoError(t, os.Remove(file)) },
	} {
		invalidate()
		d.signal(t, syscall.SIGHUP)
		d.waitForLog(t, fault, 1)
		require.Equal(t, http.StatusOK, d.statusWith(t, secondToken), "the last good one: %s", fault)
		require.Equal(t, http.StatusUnauthorized, d.statusWith(t, thirdToken), fault)
	}
	require.NoError(t, os.WriteFile(file, []byte(thirdToken), 0o644))
	waitUntil(t, "the third token is valid", func() bool { return d.statusWith(t, thirdToken) == http.StatusOK })
	require.Equal(t, http.StatusUnauthorized, d.statusWith(t, secondToken))

	d.signal(t, syscall.SIGTERM)
	status, logs := d.end()
	require.Equal(t, statusOK, status, logs)
	require.Equal(t, 3, strings.Count(logs, "the token file cannot be used, the last good content stays in force"))
	require.Contains(t, logs, "the token file can be used again")
	require.Contains(t, logs, "can read the token file", "the new one is for all to read")
	require.NotContains(t, logs, "-token-of-the-tests")
}

// The signal does not end the server, even if it is sent early or often.
func TestSIGHUPReloadsEverything(t *testing.T) {
	t.Parallel()
	by := newSigner(t, "ES256")
	var bundle atomic.Value
	bundle.Store(smallRelease(1).signed(t, by))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bundle.Load().([]byte)) }))
	defer server.Close()
	dir := t.TempDir()
	key := filepath.Join(dir, "public.pem")
	putFile(t, key, by.public)
	config := filepath.Join(dir, "wardkeeper.yaml")
	putFile(t, config, `
decision: app/decision
state_dir: `+filepath.Join(dir, "state")+`
policy:
  bundle:
    service: {url: "`+server.URL+`"}
    resource: authz.tar.gz
    key_file: `+key+`
    polling: {min_delay_seconds: 86400, max_delay_seconds: 86400}
`)
	directory := filepath.Join(dir, "directory.yaml")
	putFile(t, directory, readFile(t, testDirectory))
	d := startServer(t, "--config", config, "--directory", directory)
	d.waitForRelease(t, 1)
	bundle.Store(smallRelease(2).signed(t, by))
	for range 20 {
		d.signal(t, syscall.SIGHUP)
	}
	d.waitForRelease(t, 2)

	putFile(t, directory, "locations: []\nusers: [{id: s3cret-faulty, assignments: [{}]}]\n")
	d.signal(t, syscall.SIGHUP)
	waitUntil(t, "the directory has been read", func() bool { return d.metric(t, "wardkeeper_directory_reload_failures_total") > 0 })
	d.signal(t, syscall.SIGTERM)
	d.signal(t, syscall.SIGHUP)
	status, logs := d.end()
	require.Equal(t, statusOK, status, logs)
	require.Contains(t, logs, `"msg":"reloading everything","signal":"hangup"`)
}
