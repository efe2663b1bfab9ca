package pdp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/policies"
)

// builtInRevision is compiled once for all tests, because a revision is immutable.
var builtInRevision = sync.OnceValues(func() (*bundles.Revision, error) {
	return bundles.Open(context.Background(), bundles.Config{Files: policies.Files(), Source: "built-in", Entrypoint: "authz/decision"})
})

// builtInPolicy is prepared once for all tests.
var builtInPolicy = sync.OnceValue(func() *pdp.Policy {
	revision, err := builtInRevision()
	if err != nil {
		panic(err)
	}
	p, err := pdp.Prepare(context.Background(), revision)
	if err != nil {
		panic(err)
	}
	return p
})

func vocabulary() pdp.Vocabulary { return *builtInPolicy().Vocabulary() }

// prepared returns a policy prepared from a revision.
func prepared(tb testing.TB, revision *bundles.Revision) *pdp.Policy {
	tb.Helper()
	p, err := pdp.Prepare(context.Background(), revision)
	require.NoError(tb, err)
	return p
}

// replaceable is a source whose directory a test can replace.
type replaceable struct{ view atomic.Pointer[facts.View] }

func (s *replaceable) View(context.Context, facts.Requirement) (facts.View, error) {
	return *s.view.Load(), nil
}

func (s *replaceable) set(view facts.View) { s.view.Store(&view) }

// administration returns an engine with the built-in policy over a source whose directory can be replaced.
func administration(tb testing.TB) (*pdp.Engine, *replaceable) {
	tb.Helper()
	source := &replaceable{}
	return withSource(tb, source), source
}

// over returns an engine with the built-in policy over a world.
func over(tb testing.TB, w *world) *pdp.Engine {
	tb.Helper()
	return withSource(tb, fixed{w.directory(tb)})
}

func withSource(tb testing.TB, source facts.Source) *pdp.Engine {
	tb.Helper()
	// Questions must not time out, even under the race detector on a busy machine.
	return pdp.New(pdp.Config{Policy: builtInPolicy(), Source: source, Timeout: time.Minute})
}

// general returns an engine with a policy of package app and no source.
func general(tb testing.TB, rego string) *pdp.Engine {
	tb.Helper()
	engine, _ := generalLogged(tb, rego, time.Minute)
	return engine
}

func generalLogged(tb testing.TB, rego string, timeout time.Duration) (*pdp.Engine, *bytes.Buffer) {
	tb.Helper()
	log := &bytes.Buffer{}
	revision := open(tb, fstest.MapFS{"app.rego": {Data: []byte("package app\n\n" + rego)}}, "app/decision")
	policy, err := pdp.PrepareWithoutProbe(context.Background(), revision)
	require.NoError(tb, err)
	return pdp.New(pdp.Config{Policy: policy, Timeout: timeout, Logger: slog.New(slog.NewTextHandler(log, nil))}), log
}

func open(tb testing.TB, files fs.FS, entrypoint string) *bundles.Revision {
	tb.Helper()
	revision, err := bundles.Open(context.Background(), bundles.Config{Files: files, Source: "test", Entrypoint: entrypoint})
	require.NoError(tb, err)
	return revision
}

// overlay returns the built-in policy with additional files.
func overlay(tb testing.TB, more map[string]string) fstest.MapFS {
	tb.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(policies.Files(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(policies.Files(), name)
		files[name] = &fstest.MapFile{Data: data}
		return err
	})
	require.NoError(tb, err)
	for name, content := range more {
		files[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return files
}

// decide answers a question and fails the test on an error.
func decide(tb require.TestingT, e *pdp.Engine, r pdp.Request) pdp.Decision {
	d, err := e.Decide(context.Background(), r)
	require.NoError(tb, err, "%s", show(r))
	return d
}

// show returns a question or an answer as JSON, for messages.
func show(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(data)
}
