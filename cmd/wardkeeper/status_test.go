package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// blocks collects what a command prints, and calls done after n texts.
type blocks struct {
	text strings.Builder
	n    int
	done func()
}

func (b *blocks) Write(text []byte) (int, error) {
	if b.n--; b.n == 0 {
		defer b.done()
	}
	return b.text.Write(text)
}

func TestStatusOfAServer(t *testing.T) {
	t.Parallel()
	token, secret := writeFile(t, "token", firstToken), writeFile(t, "secret", secondToken)
	d := startServer(t, "--directory", testDirectory, "--decision-log", t.TempDir(), "--decision-log-durability", "sync", "--config", writeFile(t, "wardkeeper.yaml", fmt.Sprintf(`
callers:
  - {name: portal, roles: [ask], token_file: %s}
  - {name: operator, roles: [operations], client_id: operator, client_secret_file: %s}
`, token, secret)))
	operator := []string{"--server", d.url, "--client-id", "operator", "--client-secret-file", secret}
	got := run(t, nil, "ask", "alice", "user.view", "jane", "--server", d.url, "--token-file", token)
	require.Equal(t, statusOK, got.status, got)

	got = run(t, nil, append([]string{"status"}, operator...)...)
	require.Equal(t, statusOK, got.status, got)
	for _, want := range []string{
		"READY  " + d.url, ", built-in, compiled", "a directory file with 2 users", "  requests      1; half within ",
		"allowed 1, denied 0, errors 0", "1 written, 0 lost", " resident, ",
	} {
		assert.Contains(t, got.out, want)
	}
	assert.NotContains(t, got.out, "\n!")
	assert.NotContains(t, got.out, "not known")

	got = run(t, []string{"WARDKEEPER_SERVER=" + d.url}, "status", "--json")
	assert.Equal(t, statusOK, got.status, "a health check needs no credentials")
	assert.Contains(t, got.out, `"state":"ready","hidden":["/v1/revision, /metrics: the server answered 401 Unauthorized`)

	ctx, cancel := context.WithCancel(t.Context())
	out := &blocks{n: 2, done: cancel}
	p := process{stdout: out, stderr: &bytes.Buffer{}}
	require.Equal(t, statusOK, p.run(ctx, append([]string{"status", "--watch", "--interval", "100ms"}, operator...)))
	assert.Equal(t, 2, strings.Count(out.text.String(), "READY  "+d.url), out.text.String())
	assert.Contains(t, out.text.String(), "allowed 0/s, denied 0/s, errors 0/s", "in the interval")
}
