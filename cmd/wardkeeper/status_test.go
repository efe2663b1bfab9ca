package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/decisionsink"
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

func TestStatusTellsWhyASinkAndTheDirectoryFail(t *testing.T) {
	t.Parallel()
	siem := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer siem.Close()
	d := startServer(t, "--directory", noDatabase, "--decision-log", t.TempDir(), "--decision-log-durability", "sync",
		"--config", writeFile(t, "wardkeeper.yaml", fmt.Sprintf("decision_log: {sinks: [{name: siem, format: json, to: '%s', delay: 10ms}]}", siem.URL)))
	run(t, nil, "ask", "alice", "user.view", "jane", "--server", d.url)
	require.Eventually(t, func() bool {
		return strings.Contains(run(t, nil, "status", "--server", d.url).out, "! cause         decision_sinks: sink siem lacks the last 1 records: the service answered 502\n")
	}, 20*time.Second, 50*time.Millisecond)
	got := run(t, nil, "status", "--server", d.url).out
	assert.Contains(t, got, "! missing       directory: the source of facts cannot be reached, or has no locations\n")
	assert.Regexp(t, `! cause         directory: .*connection refused`, got)
	assert.NotContains(t, got, "s3cr3t-pw")
	w, err := http.Get(d.url + "/ready")
	require.NoError(t, err)
	public, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	require.NoError(t, w.Body.Close())
	assert.NotContains(t, string(public), "refused", "causes are for operators")
}

// What a sink cannot read has no age: it fails since it was first tried.
func TestSinksThatFailForLongAreMissing(t *testing.T) {
	now, cause := time.Now(), errors.New("the log of decisions cannot be read")
	for name, c := range map[string]struct {
		status          decisionsink.Status
		lasting, recent bool
	}{
		"it works":                    {decisionsink.Status{Behind: 3, Lag: time.Hour}, false, false},
		"nothing is behind":           {decisionsink.Status{Failing: cause, Since: now.Add(-time.Hour)}, false, false},
		"it fails for some time":      {decisionsink.Status{Failing: cause, Behind: 3, Since: now.Add(-time.Second)}, false, true},
		"it cannot read for long":     {decisionsink.Status{Failing: cause, Behind: 3, Since: now.Add(-2 * time.Minute)}, true, false},
		"what it has to send is late": {decisionsink.Status{Failing: cause, Behind: 3, Since: now, Lag: 2 * time.Minute}, true, false},
	} {
		lasting, recent := sinkFaults([]decisionsink.Status{c.status}, now)
		assert.Equal(t, c.lasting, lasting != nil, name)
		assert.Equal(t, c.recent, recent != nil, name)
	}
}
