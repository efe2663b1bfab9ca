package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/adapters/client"
	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// The client works with any decision point that speaks AuthZEN. Cerbos takes roles from a property of the subject.
func TestClientAsksCerbos(t *testing.T) {
	skipIfShort(t)
	t.Parallel()
	url := startCerbos(t)
	c, err := client.Discover(t.Context(), client.Config{URL: url, Timeout: time.Minute})
	require.NoError(t, err, "its metadata")
	t.Cleanup(c.Close)
	e, err := pep.New(pep.Config{Decider: c})
	require.NoError(t, err)
	question := func(role, action string) authzen.Evaluation {
		return authzen.Evaluation{
			// In a batch, Cerbos treats two subjects with the same id as one.
			Subject: authzen.Entity{Type: "user", ID: "the " + role, Properties: map[string]any{"cerbos.roles": []any{role}}},
			Action:  authzen.Action{Name: action}, Resource: authzen.Entity{Type: "user", ID: "jane"}}
	}
	ctx := pep.WithTrace(t.Context(), pep.Trace{RequestID: "r-1"})
	asked := []struct {
		role, action string
		want         pep.Verdict
	}{
		{"admin", "user.edit", pep.Permitted}, {"nurse", "user.edit", pep.Denied},
		{"nurse", "user.view", pep.Permitted}, {"admin", "user.delete", pep.Denied},
	}
	var questions []authzen.Evaluation
	for _, a := range asked {
		q := question(a.role, a.action)
		o := e.Enforce(ctx, q)
		assert.Equal(t, a.want, o.Verdict, "%s %s: %v", a.role, a.action, o.Err)
		questions = append(questions, q)
	}
	for i, o := range e.Ask(ctx, questions) {
		assert.Equal(t, asked[i].want, o.Verdict, "in a batch: %v: %v", asked[i], o.Err)
	}
	m, err := c.Metadata(t.Context())
	require.NoError(t, err)
	assert.Empty(t, m.Endpoints.SearchSubject)
	for _, err := range c.SearchSubjects(t.Context(), authzen.Search{Subject: authzen.Entity{Type: "user"}, Action: authzen.Action{Name: "user.view"}, Resource: authzen.Entity{Type: "user", ID: "jane"}}) {
		assert.ErrorContains(t, err, "does not offer this", "it has no search")
	}
}

// startCerbos installs Cerbos from npm and starts it on free ports.
func startCerbos(t *testing.T) (url string) {
	t.Helper()
	dir := installPackages(t, "../../testdata/cerbos")
	policies, err := filepath.Abs("../../testdata/cerbos/policies")
	require.NoError(t, err)
	port := servertest.FreePort(t)
	url = fmt.Sprintf("http://127.0.0.1:%d", port)
	var log bytes.Buffer
	cmd := exec.Command(filepath.Join(dir, "node_modules/@cerbos/cerbos-linux-x64/cerbos-linux-x64"), "server", "--debug-listen-addr=",
		fmt.Sprintf("--set=server.httpListenAddr=127.0.0.1:%d", port),
		"--set=server.grpcListenAddr=unix:"+filepath.Join(dir, "grpc.sock"),
		"--set=storage.driver=disk", "--set=storage.disk.directory="+policies, "--set=telemetry.disabled=true")
	cmd.Stdout, cmd.Stderr = &log, &log
	require.NoError(t, cmd.Start())
	exited := make(chan struct{})
	go func() { defer close(exited); _ = cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
		if t.Failed() {
			t.Log(log.String())
		}
	})
	require.Eventually(t, func() bool {
		resp, err := http.Get(url + "/_cerbos/health")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, time.Minute, 50*time.Millisecond, "Cerbos does not start")
	return url
}
