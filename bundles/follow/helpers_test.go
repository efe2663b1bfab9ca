package follow_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/proof"
)

// fastPolling keeps tests short.
var fastPolling = follow.Polling{Min: 5 * time.Millisecond, Max: 10 * time.Millisecond, Timeout: 30 * time.Second}

// testTimeout limits the wait for an event. It is long, so that only a faulty test reaches it.
const testTimeout = time.Minute

// lines is a log that can be read while it is written.
type lines struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.String()
}

// count counts the lines that contain a text.
func (l *lines) count(text string) int {
	n := 0
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// candidate is a [follow.Candidate] whose Commit calls the function.
type candidate func()

func (c candidate) Commit() { c() }

// testFollower is a follower with the gate of a server and an engine that decides.
type testFollower struct {
	*follow.Follower
	t      *testing.T
	log    *lines
	engine *pdp.Engine
	checks *atomic.Int32
}

// newFollower returns a follower and its configuration, which a test may change before the follower starts.
func newFollower(t *testing.T, o *follow.BundleSource) (testFollower, follow.Config) {
	f := testFollower{t: t, log: &lines{}, checks: &atomic.Int32{}}
	logger := slog.New(slog.NewTextHandler(f.log, nil))
	f.engine = pdp.New(pdp.Config{Logger: logger})
	gate := func(ctx context.Context, r *bundles.Revision) (follow.Candidate, error) {
		f.checks.Add(1)
		p, err := pdp.Prepare(ctx, r)
		if err != nil {
			return nil, err
		}
		if r.Golden != nil {
			golden, err := proof.DecodeGolden(r.Golden)
			if err == nil {
				err = golden.Check(ctx, p, nil)
			}
			if err != nil {
				return nil, bundles.Refuse(bundles.Golden, err)
			}
		}
		return candidate(func() { f.engine.Activate(p) }), nil
	}
	return f, follow.Config{Source: o, Entrypoint: bundletest.Entrypoint, Schema: bundletest.InputSchema(), Gate: gate, Logger: logger}
}

func (f testFollower) begin(cfg follow.Config) testFollower {
	f.t.Helper()
	var err error
	f.Follower, err = follow.Start(context.Background(), cfg)
	require.NoError(f.t, err)
	f.t.Cleanup(func() {
		f.Close()
		if f.t.Failed() {
			f.t.Logf("%+v\n%s", f.Status(), f.log)
		}
	})
	return f
}

func startFollower(t *testing.T, o *follow.BundleSource) testFollower {
	t.Helper()
	f, cfg := newFollower(t, o)
	return f.begin(cfg)
}

// until waits until ok accepts the status, and returns that status. The follower continues in the meantime: an outcome that
// the next attempt replaces may be missed.
func (f testFollower) until(what string, ok func(follow.Status) bool) follow.Status {
	f.t.Helper()
	for limit := time.Now().Add(testTimeout); ; time.Sleep(time.Millisecond) {
		now := f.Status()
		if ok(now) {
			return now
		}
		require.True(f.t, time.Now().Before(limit), what)
	}
}

// untilLogged waits until a text has been logged the given number of times. An attempt updates its status before it logs.
func (f testFollower) untilLogged(text string, times int) {
	f.t.Helper()
	f.until("logged: "+text, func(follow.Status) bool { return f.log.count(text) >= times })
}

// untilOutcome waits for an outcome that lasts until the source changes.
func (f testFollower) untilOutcome(outcome follow.Outcome) follow.Status {
	f.t.Helper()
	return f.until(string(outcome), func(s follow.Status) bool { return s.Attempt.Outcome == outcome })
}

func (f testFollower) untilSequence(sequence int64) follow.Status {
	f.t.Helper()
	return f.until(fmt.Sprintf("release %d", sequence), func(s follow.Status) bool {
		return s.Active != nil && s.Active.Sequence == sequence
	})
}

// decides reports whether the active policy allows an action.
func (f testFollower) decides(action string) bool {
	f.t.Helper()
	d, err := f.engine.Decide(context.Background(), pdp.Request{
		Subject: authzen.Entity{Type: "user", ID: "a"}, Action: authzen.Action{Name: action}, Resource: authzen.Entity{Type: "doc", ID: "1"},
	})
	require.NoError(f.t, err)
	return d.Allow
}

// server serves a bundle, with an ETag unless plain is set.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	body     []byte
	answer   http.HandlerFunc // if not nil, answers instead
	plain    bool             // without ETag
	requests atomic.Int32
	sent     atomic.Int32                // bundles
	asked    atomic.Pointer[http.Header] // by the last request that got a bundle
}

func serve(t *testing.T, body []byte) *server {
	s := &server{body: body}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	body, answer, plain := s.body, s.answer, s.plain
	s.requests.Add(1) // a request counted after a change never gets the bundle from before it
	s.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	etag := etagOf(body)
	if !plain {
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	s.sent.Add(1)
	s.asked.Store(&r.Header)
	_, _ = w.Write(body)
}

func etagOf(body []byte) string {
	if len(body) > 64 {
		return fmt.Sprintf(`"%x"`, body[len(body)-24:])
	}
	return fmt.Sprintf(`"%x"`, len(body))
}

func (s *server) set(body []byte) { s.change(func() { s.body, s.answer = body, nil }) }

func (s *server) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// waitForRequests waits for some more requests. All attempts but the last have then ended, unless an attempt makes several
// requests.
func (s *server) waitForRequests(t *testing.T, times int32) {
	t.Helper()
	from := s.requests.Load()
	require.Eventually(t, func() bool { return s.requests.Load() >= from+times }, testTimeout, time.Millisecond)
}

// source resolves settings for the server with the trusted key; more overrides them.
func (s *server) source(t *testing.T, more map[string]any) *follow.BundleSource {
	t.Helper()
	return source(t, s.settings(t, more))
}

func (s *server) settings(t *testing.T, more map[string]any) map[string]any {
	all := map[string]any{
		"service": map[string]any{"url": s.URL}, "resource": "app.tar.gz", "state_dir": t.TempDir(), "key_file": bundletest.KeyFile(t, bundletest.TrustedKey),
	}
	maps.Copy(all, more)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	return all
}

// source resolves settings and sets polling for tests.
func source(t *testing.T, settings map[string]any) *follow.BundleSource {
	t.Helper()
	o, err := follow.DecodeSettings(bundletest.Must(json.Marshal(settings)))
	if err != nil {
		t.Fatal(err)
	}
	following, err := o.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	return following.SetPolling(fastPolling)
}

// keySettings returns the setting `keys`.
func keySettings(keys map[string]*ecdsa.PrivateKey) map[string]any {
	all := map[string]any{}
	for id, key := range keys {
		all[id] = map[string]any{"key": bundletest.PublicPEM(key), "algorithm": "ES256"}
	}
	return all
}

// openBundle opens an archive once through a path with settings.
func openBundle(t *testing.T, raw []byte, settings map[string]any) (*bundles.Revision, error) {
	t.Helper()
	return opener(t, settings)(raw)
}

// opener returns a function that opens archives at the same path.
func opener(t *testing.T, settings map[string]any) func(raw []byte) (*bundles.Revision, error) {
	t.Helper()
	path := bundletest.WriteFile(t, "bundle.tar.gz", nil)
	all := map[string]any{"path": path}
	maps.Copy(all, settings)
	o := source(t, all)
	return func(raw []byte) (*bundles.Revision, error) {
		t.Helper()
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		return o.Open(context.Background(), bundletest.Entrypoint, bundletest.InputSchema())
	}
}
