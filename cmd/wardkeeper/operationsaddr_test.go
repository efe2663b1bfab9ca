package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// operationsURL returns the first URL for operations, as the log has it.
func (d *daemon) operationsURL(t *testing.T) string {
	t.Helper()
	d.waitForLog(t, "wardkeeper serves metrics and profiles", 1)
	for line := range strings.Lines(d.log.String()) {
		var entry struct {
			Msg  string
			URLs []string
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "wardkeeper serves metrics and profiles" {
			return entry.URLs[0]
		}
	}
	require.Fail(t, "no URL")
	return ""
}

func TestOperationsAddressAloneHasMetricsAndProfiles(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	d := startServer(t, append(a.serverFiles(t), "--directory", testDirectory, "--operations-addr", "127.0.0.1:0",
		"--config", writeFile(t, "wardkeeper.yaml", fmt.Sprintf(`
callers:
  - {name: portal, roles: [ask, search], token_file: %s}
  - {name: prometheus, roles: [operations], token_file: %s}
`, writeFile(t, "portal", firstToken), writeFile(t, "prometheus", secondToken))))...)
	operations := d.operationsURL(t)
	require.True(t, strings.HasPrefix(operations, "https://127.0.0.1:"), operations)
	client := a.client(t, nil)
	for path, want := range map[string]struct{ api, operations, portal, nobody int }{
		"/metrics":                       {404, 200, 403, 401},
		"/v1/revision":                   {200, 200, 403, 401},
		"/debug/pprof/":                  {404, 200, 403, 401},
		"/debug/pprof/heap":              {404, 200, 403, 401},
		"/debug/pprof/profile?seconds=1": {404, 200, 403, 401},
		"/debug/pprof/cmdline":           {404, 404, 403, 401},
		"/ready":                         {200, 200, 200, 200},
		"/health":                        {200, 200, 200, 200},
		"/v1/data/authz":                 {403, 404, 404, 404},
	} {
		for url, status := range map[string]int{d.url: want.api, operations: want.operations} {
			w, body := send(t, client, "GET", url+path, "Bearer "+secondToken, "")
			assert.Equal(t, status, w.StatusCode, "%s%s: %s", url, path, body)
			assert.NotContains(t, body, "--directory")
		}
		w, _ := send(t, client, "GET", operations+path, "Bearer "+firstToken, "")
		assert.Equal(t, want.portal, w.StatusCode, path)
		w, _ = send(t, client, "GET", operations+path, "", "")
		assert.Equal(t, want.nobody, w.StatusCode, path)
	}
	w, _ := send(t, client, "POST", operations+evaluationPath, "Bearer "+firstToken, viewJane)
	assert.Equal(t, http.StatusNotFound, w.StatusCode, "nobody asks there")

	d.signal(t, syscall.SIGTERM)
	status, logs := d.end()
	require.Equal(t, statusOK, status, logs)
	got := run(t, nil, "serve", "--check", "--directory", testDirectory, "--operations-addr", "0.0.0.0:0", "--operations-addr", "7")
	assert.Contains(t, got.err, `--operations-addr is "0.0.0.0:0", which other machines can reach`)
	assert.Contains(t, got.err, `--operations-addr is "7": use HOST:PORT`)
}
