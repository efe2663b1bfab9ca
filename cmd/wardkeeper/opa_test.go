package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/bundles/input"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
	"github.com/wardkeeper/wardkeeper/policies"
)

func opa(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	skipIfShort(t)
	path, err := stockOPA()
	require.NoError(t, err)
	return exec.Command(path, args...)
}

// buildByOPA builds and signs a bundle of the built-in policy with the stock tool.
func buildByOPA(t *testing.T, by signer) (path string) {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "policies")
	require.NoError(t, os.CopyFS(source, policies.Files()))
	require.NoError(t, os.WriteFile(filepath.Join(source, ".manifest"), []byte(`{"roots": ["authz"], "metadata": {"sequence": 7}}`), 0o600))
	key := filepath.Join(dir, "private.pem")
	require.NoError(t, os.WriteFile(key, []byte(by.private), 0o600))
	path = filepath.Join(dir, "authz.tar.gz")
	build := opa(t, "build", "-b", "policies", "--ignore", "*_test.rego", "--revision", "r7",
		"--signing-key", key, "--signing-alg", by.algorithm, "--output", path)
	build.Dir = dir
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}

func TestBundleOfStockOPAIsServed(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"ES256", "RS256"} {
		t.Run(algorithm, func(t *testing.T) {
			signer := newSigner(t, algorithm)
			d := startServer(t, "--bundle", buildByOPA(t, signer), "--verification-key", writeFile(t, "public.pem", signer.public),
				"--directory", testDirectory)
			now := d.revision(t)
			require.Equal(t, "r7", now.Label)
			require.EqualValues(t, 7, now.Sequence)
			require.True(t, now.Verified)
			_, body := post(t, d.url, "", viewJane)
			require.Equal(t, `{"decision":true}`, body)
			w, body := post(t, d.url, "", strings.Replace(viewJane, "alice", "jane", 1))
			require.Equal(t, 200, w.StatusCode)
			require.Contains(t, body, `"decision":false`)
		})
	}
	t.Run("of another key", func(t *testing.T) {
		other := newSigner(t, "ES256")
		got := run(t, nil, "serve", "--check", "--bundle", buildByOPA(t, newSigner(t, "ES256")), "--directory", testDirectory,
			"--verification-key", writeFile(t, "public.pem", other.public))
		require.Equal(t, statusFailed, got.status, got)
		require.Contains(t, got.err, "it is signed by an unknown key")
	})
}

// serveBundleByOPA runs the stock server with a bundle, and returns the URL of the decision.
func serveBundleByOPA(t *testing.T, bundle string, by signer) (url string) {
	t.Helper()
	return runOPAServer(t, "--bundle", bundle, "--verification-key", writeFile(t, "public.pem", by.public), "--signing-alg", by.algorithm) +
		"/v1/data/authz/decision"
}

// runOPAServer runs the stock server, and returns its URL.
func runOPAServer(t *testing.T, args ...string) (url string) {
	t.Helper()
	at := fmt.Sprintf("127.0.0.1:%d", servertest.FreePort(t))
	server := opa(t, append([]string{"run", "--server", "--addr", at, "--disable-telemetry", "--log-level", "error"}, args...)...)
	var logs bytes.Buffer
	server.Stdout, server.Stderr = &logs, &logs
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if t.Failed() {
			t.Log(logs.String())
		}
	})
	waitUntil(t, "OPA serves", func() bool {
		w, err := http.Get("http://" + at + "/health")
		if err != nil {
			return false
		}
		_ = w.Body.Close()
		return w.StatusCode == http.StatusOK
	})
	return "http://" + at
}

// Both servers give the golden decisions for the same signed bundle and inputs.
func TestStockOPADecidesTheSame(t *testing.T) {
	t.Parallel()
	signer := newSigner(t, "ES256")
	path := buildByOPA(t, signer)
	url := serveBundleByOPA(t, path, signer)
	origin, err := follow.Settings{Path: path, KeyFile: writeFile(t, "public.pem", signer.public)}.Resolve()
	require.NoError(t, err)
	revision, err := origin.Open(t.Context(), config.DefaultDecision, inputSchema())
	require.NoError(t, err)
	decision, err := revision.Prepare(config.DefaultDecision)
	require.NoError(t, err)
	asked := 0
	for _, at := range goldenPaths(t) {
		file := goldenQuestions(t, at)
		engine := goldenEngine(t, file)
		for _, c := range file.Cases {
			sent := inputWithFacts(t, engine, goldenQuestion(t, c))
			theirs := askOPA(t, url, sent)
			ours, err := decision.Eval(t.Context(), input.Of(ast.NewTerm(ast.MustInterfaceToValue(sent))))
			require.NoError(t, err)
			value, err := ast.JSON(ours.Value)
			require.NoError(t, err)
			mine, err := json.Marshal(value)
			require.NoError(t, err)
			require.JSONEq(t, string(theirs), string(mine), "%s: %s", at, c.Name)
			require.JSONEq(t, string(goldenAnswer(t, c)), asAnswer(t, theirs), "%s: %s", at, c.Name)
			asked++
		}
	}
	if !fewerQuestions(t) {
		require.Greater(t, asked, 150)
	}
}

// inputWithFacts returns the input with which the engine evaluates a question.
func inputWithFacts(t *testing.T, engine *pdp.Engine, question []byte) any {
	t.Helper()
	evaluation, err := authzen.DecodeEvaluation(question)
	require.NoError(t, err)
	input, err := engine.Input(t.Context(), evaluation)
	require.NoError(t, err)
	require.Contains(t, input, "facts")
	return input
}

func askOPA(t *testing.T, url string, input any) (result json.RawMessage) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"input": input})
	require.NoError(t, err)
	w, err := http.Post(url, "application/json", bytes.NewReader(body))
	require.NoError(t, err)
	defer func() { require.NoError(t, w.Body.Close()) }()
	text, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, w.StatusCode, "%s", text)
	var answer struct{ Result json.RawMessage }
	require.NoError(t, json.Unmarshal(text, &answer))
	require.NotEmpty(t, answer.Result, "OPA has no decision")
	return answer.Result
}

// asAnswer converts a decision of the policy to an answer, without empty lists.
func asAnswer(t *testing.T, decision []byte) string {
	t.Helper()
	var members map[string]any
	require.NoError(t, json.Unmarshal(decision, &members))
	allow, ok := members["allow"].(bool)
	require.True(t, ok)
	response := authzen.Response{Decision: allow, Context: map[string]any{}}
	delete(members, "allow")
	for name, list := range members {
		if len(list.([]any)) > 0 {
			response.Context[name] = list
		}
	}
	answer, err := json.Marshal(response)
	require.NoError(t, err)
	return string(answer)
}
