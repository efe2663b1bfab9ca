package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/policies"
)

// goldenTree has the folders of decisions and directories.
const (
	goldenTree        = "../../testdata"
	goldenDecisions   = goldenTree + "/" + decisionsFolder
	goldenDirectories = goldenTree + "/" + directoriesFolder
)

// frontDoors are the ways to a decision. Each is opened over an engine once for a file; it takes and gives JSON.
var frontDoors = []struct {
	name string
	open func(*testing.T, *pdp.Engine) door
}{
	{"engine", engineDoor},
	{"http", httpDoor},
}

type door func(t *testing.T, question []byte) (answer []byte)

func engineDoor(_ *testing.T, engine *pdp.Engine) door {
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

func httpDoor(t *testing.T, engine *pdp.Engine) door {
	api, err := httpapi.New(httpapi.Config{
		Decider: engine, BaseURL: "https://pdp.example.org", Tokens: func() []string { return []string{testToken} }, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	server := httptest.NewServer(api.Handler())
	t.Cleanup(server.Close)
	return func(t *testing.T, question []byte) []byte {
		response, answer := post(t, server.URL, testToken, string(question))
		require.Equal(t, 200, response.StatusCode, answer)
		require.Equal(t, "application/json", response.Header.Get("Content-Type"))
		return []byte(answer)
	}
}

// TestGoldenDecisions asks every question through every front door. The answer has to be the one in the file and
// nothing else: a list without elements is absent, and so is a context without lists.
//
// With -update the files are rewritten first: the diff of testdata/decisions is the review of a change of policy.
func TestGoldenDecisions(t *testing.T) {
	for _, path := range goldenPaths(t) {
		t.Run(strings.TrimSuffix(path, ".yaml"), func(t *testing.T) {
			file := readGolden(t, path)
			engine := file.engine(t)
			if *update {
				file.update(t, engineDoor(t, engine))
				file = readGolden(t, path)
			}
			for _, front := range frontDoors {
				ask := front.open(t, engine)
				for _, c := range file.Cases {
					t.Run(front.name+"/"+c.Name, func(t *testing.T) {
						require.JSONEq(t, string(c.answer(t)), string(ask(t, c.question(t))))
					})
				}
			}
		})
	}
}

func (c goldenCase) question(t *testing.T) []byte {
	question, err := json.Marshal(c.Question)
	require.NoError(t, err)
	return question
}

// answer is the answer that the case wants.
func (c goldenCase) answer(t *testing.T) []byte {
	require.NotNil(t, c.Decision, "the decision is missing: -update fills it in")
	response := authzen.Response{Decision: *c.Decision, Context: map[string]any{}}
	for name, list := range c.lists() {
		if len(list) > 0 {
			response.Context[name] = list
		}
	}
	answer, err := json.Marshal(response)
	require.NoError(t, err)
	return answer
}

func (c goldenCase) lists() map[string][]any {
	return map[string][]any{"reasons": c.Reasons, "obligations": c.Obligations, "advice": c.Advice}
}

// builtInPolicy is compiled once, whatever the number of directories.
var builtInPolicy = sync.OnceValues(func() (*pdp.Policy, error) {
	ctx := context.Background()
	revision, err := bundles.Open(ctx, bundles.Config{Files: policies.Files(), Source: "built-in", Entrypoint: "authz/decision"})
	if err != nil {
		return nil, err
	}
	return pdp.Prepare(ctx, revision)
})

// sharedEngines has an engine for each directory, by its name.
var sharedEngines = map[string]*pdp.Engine{}

// engine is the built-in policy over the directory of the file.
func (g *golden) engine(t *testing.T) *pdp.Engine {
	t.Helper()
	name, facts, err := g.facts(os.DirFS(goldenTree))
	require.NoError(t, err)
	require.NotEmpty(t, name, "there is neither a directory nor facts")
	if sharedEngines[name] == nil {
		sharedEngines[name] = newEngine(t, facts)
	}
	return sharedEngines[name]
}

func newEngine(t *testing.T, data []byte) *pdp.Engine {
	t.Helper()
	policy, err := builtInPolicy()
	require.NoError(t, err)
	dir, err := directory.Parse(data, *policy.Vocabulary())
	require.NoError(t, err)
	return pdp.New(pdp.Config{Policy: policy, Source: unchanging{dir}, Timeout: time.Minute})
}

// unchanging is a source whose directory stays as it is.
type unchanging struct{ view pdp.View }

func (u unchanging) View(context.Context, pdp.Need) (pdp.View, error) { return u.view, nil }

// goldenPaths gives every file below testdata/decisions, sorted.
func goldenPaths(t *testing.T) []string {
	t.Helper()
	paths, err := goldenFiles(os.DirFS(goldenTree))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	return paths
}

func readGolden(t *testing.T, path string) *golden {
	t.Helper()
	file, err := readGoldenFile(os.DirFS(goldenTree), path)
	require.NoError(t, err)
	return file
}
