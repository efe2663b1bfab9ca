package decisionrecord_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/decisionpart"
	"github.com/wardkeeper/wardkeeper/pdp/decisionrecord"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/policies"
)

// sink keeps records in memory, and fails with err.
type sink struct {
	mu      sync.Mutex
	records []string
	err     error
}

func (s *sink) Append(_ context.Context, r decisionpart.Record) error {
	if as, err := decisionpart.NewRecord(r.JSON, r.Parts...); err != nil || !bytes.Equal(as.JSON, r.JSON) {
		panic(fmt.Sprintf("not one object on one line: %v: %q", err, r.JSON))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, string(decisionpart.Whole(r.JSON, r.Parts)))
	return s.err
}

// last returns the last record, and as it is read again.
func (s *sink) last(t *testing.T) (text string, entry *decisionrecord.Entry) {
	t.Helper()
	text = s.records[len(s.records)-1]
	entry, err := decisionrecord.Parse([]byte(text))
	require.NoError(t, err, text)
	return text, entry
}

var errFull = errors.New("disk full")

// fixed is a source whose directory never changes.
type fixed struct{ view facts.View }

func (f fixed) View(context.Context, facts.Requirement) (facts.View, error) { return f.view, nil }

// policyWith returns a policy that allows everything, with more files.
func policyWith(tb testing.TB, files map[string]string) *pdp.Policy {
	tb.Helper()
	tree := fstest.MapFS{
		"app/app.rego": {Data: []byte(`package app

decision := {"allow": true, "obligations": [{"id": "O", "type": "custom", "properties": {"action": "confirm"}}]}
`)},
		"app/data.yaml": {Data: []byte("word: fine\n")},
	}
	return opened(tb, tree, files, "app/decision")
}

// builtInWith returns the built-in policy with more files; those of the same name are replaced.
func builtInWith(tb testing.TB, files map[string]string) *pdp.Policy {
	tb.Helper()
	tree := fstest.MapFS{}
	require.NoError(tb, fs.WalkDir(policies.Files(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(policies.Files(), name)
		tree[name] = &fstest.MapFile{Data: data}
		return err
	}))
	return opened(tb, tree, files, "authz/decision")
}

func opened(tb testing.TB, tree fstest.MapFS, files map[string]string, entrypoint string) *pdp.Policy {
	tb.Helper()
	for name, text := range files {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	schema, err := fs.ReadFile(policies.Files(), "schemas/input.json")
	require.NoError(tb, err)
	r, err := bundles.Open(tb.Context(), bundles.Config{Files: tree, Entrypoint: entrypoint, Schema: schema})
	require.NoError(tb, err)
	p, err := pdp.Prepare(tb.Context(), r)
	require.NoError(tb, err)
	return p
}

var builtIn = sync.OnceValue(func() *pdp.Policy {
	r, err := bundles.Open(context.Background(), bundles.Config{Files: policies.Files(), Entrypoint: "authz/decision"})
	if err != nil {
		panic(err)
	}
	p, err := pdp.Prepare(context.Background(), r)
	if err != nil {
		panic(err)
	}
	return p
})

// engine returns an engine over a directory that records in the sink of cfg.
func engine(tb testing.TB, p *pdp.Policy, view facts.View, cfg decisionrecord.Config) *pdp.Engine {
	tb.Helper()
	return pdp.New(pdp.Config{Policy: p, Source: fixed{view}, Timeout: 20 * time.Second, Recorder: decisionrecord.New(cfg)})
}

func bench(tb testing.TB) facts.View {
	tb.Helper()
	data, err := os.ReadFile("../../testdata/directories/bench.yaml")
	require.NoError(tb, err)
	return parsed(tb, string(data))
}

func parsed(tb testing.TB, text string) facts.View {
	tb.Helper()
	view, err := directory.Parse([]byte(text), *builtIn().Vocabulary())
	require.NoError(tb, err)
	return view
}

func question(tb testing.TB, text string) authzen.Evaluation {
	tb.Helper()
	q, err := authzen.DecodeEvaluation([]byte(text))
	require.NoError(tb, err)
	return q
}

// edit is a question of bench.yaml that is allowed.
const edit = `{"subject":{"type":"user","id":"regina"},"action":{"name":"user.edit"},"resource":{"type":"user","id":"ed"},"context":{"current_location":"metro"}}`

// remove is a question of bench.yaml that is denied, with advice.
const remove = `{"subject":{"type":"user","id":"regina"},"action":{"name":"assignment.remove"},"resource":{"type":"user","id":"ed","properties":{"location":"ghi"}},"context":{"current_location":"north"}}`
