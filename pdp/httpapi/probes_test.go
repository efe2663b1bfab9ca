package httpapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestProbes(t *testing.T) {
	var missing []Check
	h := start(t, Config{Decider: allow(), Callers: testCallers{ask: staticTokens("secret")}, Ready: func(context.Context) []Check { return missing }})
	assert.Equal(t, `{"alive":true}`, h.do(http.MethodGet, "/health", "").body)
	missing = []Check{{Name: "policy"}}
	a := h.do(http.MethodGet, "/ready", "")
	assert.Equal(t, 200, a.status)
	assert.Equal(t, `{"ready":true}`, a.body)

	cause := errors.New("dial tcp 10.0.0.7:6379: user jane@example.org")
	missing = []Check{{Name: "policy"}, {Name: "directory", Err: cause}, {Name: "redis at 10.0.0.7", Err: cause}}
	a = h.do(http.MethodGet, "/ready", "")
	assert.Equal(t, 503, a.status)
	assert.Equal(t, `{"error":"Not ready, missing: directory, other.","missing":["directory","other"]}`, a.body, "no causes")

	h = start(t, Config{Decider: allow()})
	assert.Equal(t, 200, h.do(http.MethodGet, "/ready", "").status)
	h = start(t, Config{Decider: allow(), Ready: func(context.Context) []Check { panic("oh") }})
	h.do(http.MethodGet, "/ready", "").requireError(t, 500)
	assert.Equal(t, 200, h.do(http.MethodGet, "/health", "").status)
}

func TestReadyWhileDegraded(t *testing.T) {
	cause := errors.New("dial tcp 10.0.0.7:5432: user jane@example.org")
	for name, c := range map[string]struct {
		checks []Check
		status int
		body   string
		state  string
	}{
		"nothing is missing": {[]Check{{Name: "policy"}, {Name: "directory", Degraded: true}}, 200, `{"ready":true}`, stateReady},
		"some questions can be decided": {[]Check{{Name: "policy"}, {Name: "directory", Err: cause, Degraded: true}}, 200,
			`{"ready":true,"degraded":true,"missing":["directory"]}`, stateDegraded},
		"no question can be decided": {[]Check{{Name: "policy", Err: cause}, {Name: "directory", Err: cause, Degraded: true}}, 503,
			`{"error":"Not ready, missing: policy, directory.","missing":["policy","directory"]}`, stateUseless},
		"in another order": {[]Check{{Name: "directory", Err: cause, Degraded: true}, {Name: "policy", Err: cause}}, 503,
			`{"error":"Not ready, missing: directory, policy.","missing":["directory","policy"]}`, stateUseless},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, Config{Decider: allow(), Ready: func(context.Context) []Check { return c.checks }})
			a := h.do(http.MethodGet, "/ready", "")
			assert.Equal(t, c.status, a.status)
			assert.Equal(t, c.body, a.body)
			metrics := h.do(http.MethodGet, "/metrics", "").body
			for _, state := range []string{stateReady, stateDegraded, stateUseless} {
				value := "0"
				if state == c.state {
					value = "1"
				}
				assert.Contains(t, metrics, `wardkeeper_readiness_state{state="`+state+`"} `+value)
			}
			for _, check := range c.checks {
				assert.Equal(t, check.Err != nil, strings.Contains(metrics, `wardkeeper_readiness_missing{check="`+check.Name+`"} 1`))
			}
		})
	}
}

// Each change of readiness is one line of the log, however often it is looked at, and by whomever.
func TestReadinessIsLoggedWhenItChanges(t *testing.T) {
	var missing atomic.Pointer[[]Check]
	set := func(checks ...Check) { missing.Store(&checks) }
	set(Check{Name: "policy"})
	h := start(t, Config{Decider: allow(), Ready: func(context.Context) []Check { return *missing.Load() }})
	look := func() {
		for range 3 {
			h.do(http.MethodGet, "/ready", "")
			h.server.checkReadiness(t.Context())
		}
	}
	count := func(text string) int { return strings.Count(h.log.String(), `"msg":"`+text) }
	look()
	assert.Zero(t, count("ready again"))
	set(Check{Name: "directory", Err: errors.New("refused"), Degraded: true})
	look()
	assert.Equal(t, 1, count(`degraded: questions are answered, but something is missing","missing":"directory","cause":"refused"`))
	set(Check{Name: "directory", Err: errors.New("refused")})
	look()
	assert.Equal(t, 1, count(`useless: no question can be decided now","missing":"directory","cause":"refused"`))
	set()
	look()
	assert.Equal(t, 1, count("ready again"))
	assert.Contains(t, h.do(http.MethodGet, "/metrics", "").body, `wardkeeper_readiness_state{state="ready"} 1`)
}

// Nothing needs to request /ready.
func TestReadinessIsWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks atomic.Int64
		s, err := New(Config{
			BaseURL: "https://pdp.example.org", Decider: allow(), Logger: slog.New(slog.DiscardHandler),
			Ready: func(context.Context) []Check {
				if checks.Add(1) == 2 {
					panic("oh")
				}
				return nil
			},
		})
		require.NoError(t, err)
		expect := func(state string, missing ...string) {
			t.Helper()
			synctest.Wait()
			s.readiness.mu.Lock()
			defer s.readiness.mu.Unlock()
			assert.Equal(t, state, s.readiness.state)
			assert.Equal(t, missing, s.readiness.missing)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go s.WatchReadiness(ctx)
		expect(stateReady)
		for checks.Load() < 2 { // in steps that are shorter than any pause between two checks
			time.Sleep(readinessInterval / 4)
			synctest.Wait()
		}
		expect(stateUseless, "checks")
		time.Sleep(2 * readinessInterval)
		expect(stateReady)
		s.admission.overdue.Store(s.admission.maxOverdue)
		time.Sleep(2 * readinessInterval)
		expect(stateUseless, "capacity")
		cancel()
	})
}

// A server that is about to stop answers everything but that it is ready, and clients open no more requests on their
// connections.
func TestStoppingServerAnswersAndClosesConnections(t *testing.T) {
	h := start(t, Config{Decider: allow(), Ready: func(context.Context) []Check { return nil }})
	assert.False(t, h.closes(evaluationPath))
	assert.Equal(t, 200, h.do(http.MethodGet, "/ready", "").status)
	h.server.AnnounceStop()
	a := h.do(http.MethodGet, "/ready", "")
	assert.Equal(t, 503, a.status)
	assert.Equal(t, `{"error":"Not ready, stopping.","stopping":true}`, a.body)
	assert.Equal(t, 200, h.do(http.MethodGet, "/health", "").status)
	for _, path := range []string{evaluationPath, "/ready", "/metrics", "/nowhere"} {
		assert.True(t, h.closes(path), path)
	}
	h.server.checkReadiness(t.Context())
	metrics := h.do(http.MethodGet, "/metrics", "").body
	assert.Contains(t, metrics, `wardkeeper_readiness_state{state="stopping"} 1`)
	assert.Contains(t, metrics, `wardkeeper_readiness_state{state="ready"} 0`)

	client := h2c(t) // over HTTP/2, GOAWAY makes the client open another connection
	for range 3 {
		a, err := h.postWith(client, strings.NewReader(question))
		require.NoError(t, err)
		assert.Equal(t, 200, a.status)
	}
}

// closes reports whether the server says that it closes the connection after an answer.
func (h *harness) closes(path string) bool {
	h.t.Helper()
	w, err := http.Post(h.url+path, "application/json", strings.NewReader(question))
	require.NoError(h.t, err)
	defer func() { require.NoError(h.t, w.Body.Close()) }()
	_, err = io.Copy(io.Discard, w.Body)
	require.NoError(h.t, err)
	return w.Close
}
