package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/policies"
)

const (
	goldenDecisions   = "../../testdata/decisions"
	goldenDirectories = "../../testdata/directories"
)

// golden is a file of testdata/decisions: what the policy answers about one rule, over one directory.
type golden struct {
	path string // below testdata/decisions

	Rule      string       `yaml:"rule"`
	Directory string       `yaml:"directory"` // a file of testdata/directories, or else
	Facts     yaml.Node    `yaml:"facts"`     // the directory itself
	Cases     []goldenCase `yaml:"cases"`
}

// goldenCase is one question and the whole answer to it.
type goldenCase struct {
	Name        string         `yaml:"name"`
	Question    map[string]any `yaml:"question"`
	Decision    *bool          `yaml:"decision"`
	Reasons     []any          `yaml:"reasons"`
	Obligations []any          `yaml:"obligations"`
	Advice      []any          `yaml:"advice"`
}

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
		Decider: engine, BaseURL: "https://pdp.example.org", Token: testToken, Logger: slog.New(slog.DiscardHandler),
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

// sharedEngines has an engine for each file of testdata/directories.
var sharedEngines = map[string]*pdp.Engine{}

// engine is the built-in policy over the directory of the file.
func (g *golden) engine(t *testing.T) *pdp.Engine {
	t.Helper()
	if g.Directory == "" {
		require.NotZero(t, g.Facts.Kind, "there is neither a directory nor facts")
		facts, err := yaml.Marshal(&g.Facts)
		require.NoError(t, err)
		return newEngine(t, facts)
	}
	require.Zero(t, g.Facts.Kind, "there are both a directory and facts")
	if sharedEngines[g.Directory] == nil {
		data, err := os.ReadFile(filepath.Join(goldenDirectories, g.Directory+".yaml"))
		require.NoError(t, err)
		sharedEngines[g.Directory] = newEngine(t, data)
	}
	return sharedEngines[g.Directory]
}

func newEngine(t *testing.T, data []byte) *pdp.Engine {
	t.Helper()
	policy, err := builtInPolicy()
	require.NoError(t, err)
	directory, err := membership.Parse(data, *policy.Vocabulary())
	require.NoError(t, err)
	return pdp.New(pdp.Config{Policy: policy, Source: unchanging{directory}})
}

// unchanging is a source whose directory stays as it is.
type unchanging struct{ view pdp.View }

func (u unchanging) View(context.Context) (pdp.View, error) { return u.view, nil }

// goldenPaths gives every file below testdata/decisions, sorted.
func goldenPaths(t *testing.T) (paths []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(goldenDecisions), ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	require.NoError(t, err)
	return paths
}

func readGolden(t *testing.T, path string) *golden {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(goldenDecisions, path))
	require.NoError(t, err)
	file := &golden{path: path}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(file), path)
	return file
}
