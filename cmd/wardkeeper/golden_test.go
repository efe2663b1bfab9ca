package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/callers"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/golden"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/unixsocket"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/policies"
)

// The folders of golden decisions and their directories.
const (
	goldenTree        = "../../testdata"
	goldenDecisions   = goldenTree + "/" + golden.DecisionsFolder
	goldenDirectories = goldenTree + "/" + golden.DirectoriesFolder
)

// interfaces are the interfaces through which each question is asked. Each is opened once per file.
var interfaces = []struct {
	name string
	open func(*testing.T, *pdp.Engine) askFunc
}{
	{"engine", askEngine},
	{"http", askHTTP},
	{"unix socket", askUnixSocket},
}

// askFunc puts a question in JSON and returns the answer.
type askFunc func(t *testing.T, question []byte) (answer []byte)

func askEngine(_ *testing.T, engine *pdp.Engine) askFunc {
	return func(t *testing.T, question []byte) []byte {
		evaluation, err := authzen.DecodeEvaluation(question)
		require.NoError(t, err)
		d, err := engine.Decide(t.Context(), evaluation)
		require.NoError(t, err)
		require.Empty(t, d.Context)
		response := authzen.Response{Decision: d.Allow, Context: map[string]any{}}
		if len(d.Reasons) > 0 {
			response.Context["reasons"] = d.Reasons
		}
		if len(d.Obligations) > 0 {
			response.Context["obligations"] = d.Obligations
		}
		if len(d.Advice) > 0 {
			response.Context["advice"] = d.Advice
		}
		answer, err := json.Marshal(response)
		require.NoError(t, err)
		return answer
	}
}

func goldenServer(t *testing.T, engine *pdp.Engine) *httpapi.Server {
	logger := slog.New(slog.DiscardHandler)
	clients, err := callers.Open(callers.Config{Logger: logger, Callers: []callers.Caller{
		{Name: "tests", Roles: httpapi.Roles(), TokenFile: writeFile(t, "token", testToken)},
	}})
	require.NoError(t, err)
	api, err := httpapi.New(httpapi.Config{Decider: engine, BaseURL: "https://pdp.example.org", Callers: clients, Logger: logger})
	require.NoError(t, err)
	return api
}

func askHTTP(t *testing.T, engine *pdp.Engine) askFunc {
	api := goldenServer(t, engine)
	server := httptest.NewServer(api.Handler())
	t.Cleanup(server.Close)
	return askAt(http.DefaultClient, server.URL)
}

func askUnixSocket(t *testing.T, engine *pdp.Engine) askFunc {
	api := goldenServer(t, engine)
	path := socketPath(t)
	listener, err := unixsocket.Listen(path, 0o600)
	require.NoError(t, err)
	server := api.HTTPServer()
	go func() { _ = server.Serve(api.Listeners(10, listener)[0]) }()
	t.Cleanup(func() { _ = server.Close() })
	return askAt(socketClient(t, path), "http://localhost")
}

func askAt(client *http.Client, url string) askFunc {
	return func(t *testing.T, question []byte) []byte {
		response, answer := postWith(t, client, url+evaluationPath, testToken, string(question))
		require.Equal(t, 200, response.StatusCode, answer)
		require.Equal(t, "application/json", response.Header.Get("Content-Type"))
		return []byte(answer)
	}
}

// TestGoldenDecisions asks every question through every interface and expects exactly the answer in the file.
//
// With -update the files are rewritten first. The diff of testdata/decisions then shows what a change of policy changes.
func TestGoldenDecisions(t *testing.T) {
	t.Parallel()
	for _, path := range goldenPaths(t) {
		t.Run(strings.TrimSuffix(path, ".yaml"), func(t *testing.T) {
			file := readGolden(t, path)
			engine := goldenEngine(t, file)
			if *update {
				updateGolden(t, file, askEngine(t, engine))
			}
			file = readGolden(t, path)
			if !testing.Short() {
				file = goldenQuestions(t, path)
			}
			for _, i := range interfaces {
				ask := i.open(t, engine)
				for _, c := range file.Cases {
					t.Run(i.name+"/"+c.Name, func(t *testing.T) {
						require.JSONEq(t, string(goldenAnswer(t, c)), string(ask(t, goldenQuestion(t, c))))
					})
				}
			}
		})
	}
}

func goldenQuestion(t *testing.T, c golden.Case) []byte {
	question, err := json.Marshal(c.Question)
	require.NoError(t, err)
	return question
}

// goldenAnswer returns the answer that the case expects.
func goldenAnswer(t *testing.T, c golden.Case) []byte {
	require.NotNil(t, c.Decision, "the decision is missing: run with -update")
	response := authzen.Response{Decision: *c.Decision, Context: map[string]any{}}
	for name, list := range map[string][]any{"reasons": c.Reasons, "obligations": c.Obligations, "advice": c.Advice} {
		if len(list) > 0 {
			response.Context[name] = list
		}
	}
	answer, err := json.Marshal(response)
	require.NoError(t, err)
	return answer
}

// builtInPolicy is compiled once for all directories.
var builtInPolicy = sync.OnceValues(func() (*pdp.Policy, error) {
	ctx := context.Background()
	revision, err := bundles.Open(ctx, bundles.Config{Files: policies.Files(), Source: "built-in", Entrypoint: "authz/decision"})
	if err != nil {
		return nil, err
	}
	return pdp.Prepare(ctx, revision)
})

// sharedEngines holds an engine for each directory, by its name.
var sharedEngines engines

// engines makes each engine once. It is safe for concurrent use.
type engines struct {
	mu     sync.Mutex
	byName map[string]*pdp.Engine
}

func (e *engines) get(name string, open func() *pdp.Engine) *pdp.Engine {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.byName[name] == nil {
		if e.byName == nil {
			e.byName = map[string]*pdp.Engine{}
		}
		e.byName[name] = open()
	}
	return e.byName[name]
}

// goldenEngine returns the built-in policy over the directory of a file.
func goldenEngine(t *testing.T, file *golden.File) *pdp.Engine {
	t.Helper()
	name, facts, err := file.DirectoryJSON(os.DirFS(goldenTree))
	require.NoError(t, err)
	require.NotEmpty(t, name, "there is neither a directory nor facts")
	return sharedEngines.get(name, func() *pdp.Engine { return newEngine(t, facts) })
}

func newEngine(t *testing.T, data []byte) *pdp.Engine {
	t.Helper()
	policy, err := builtInPolicy()
	require.NoError(t, err)
	dir, err := directory.Parse(data, *policy.Vocabulary())
	require.NoError(t, err)
	return pdp.New(pdp.Config{Policy: policy, Source: fixedView{dir}, Timeout: time.Minute})
}

// fixedView is a source whose directory never changes.
type fixedView struct{ view facts.View }

func (u fixedView) View(context.Context, facts.Requirement) (facts.View, error) { return u.view, nil }

// goldenPaths returns the path of every file below testdata/decisions, sorted.
func goldenPaths(t *testing.T) []string {
	t.Helper()
	paths, err := golden.Paths(os.DirFS(goldenTree))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	return paths
}

// goldenQuestions reads a file for a test that asks its questions: all of them, or every tenth under the race detector and with
// -short, with which TestGoldenDecisions still asks all.
func goldenQuestions(t *testing.T, path string) *golden.File {
	t.Helper()
	file := readGolden(t, path)
	if fewerQuestions(t) || testing.Short() {
		all := file.Cases
		file.Cases = nil
		for i := 0; i < len(all); i += 10 {
			file.Cases = append(file.Cases, all[i])
		}
	}
	return file
}

func readGolden(t *testing.T, path string) *golden.File {
	t.Helper()
	file, err := golden.Read(os.DirFS(goldenTree), path)
	require.NoError(t, err)
	return file
}
