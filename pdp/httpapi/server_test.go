package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

const question = `{"subject":{"type":"user","id":"alice"},"action":{"name":"user.view"},"resource":{"type":"user","id":"jane"}}`

// fake is a Decider made of functions. One that a test does not expect to be called is nil.
type fake struct {
	decide    func(context.Context, pdp.Request) (pdp.Decision, error)
	decideAll func(context.Context, []pdp.Item, authzen.Semantic) ([]pdp.Outcome, error)
	subjects  func(context.Context, pdp.SearchRequest) (pdp.SearchResult, error)
	resources func(context.Context, pdp.SearchRequest) (pdp.SearchResult, error)
	actions   func(context.Context, pdp.SearchRequest) (pdp.SearchResult, error)
	offers    pdp.Offers
}

var _ pdp.Decider = (*fake)(nil)

func (f *fake) Offers() pdp.Offers { return f.offers }

func (f *fake) Decide(ctx context.Context, r pdp.Request) (pdp.Decision, error) {
	return f.decide(ctx, r)
}
func (f *fake) DecideAll(ctx context.Context, items []pdp.Item, s authzen.Semantic) ([]pdp.Outcome, error) {
	return f.decideAll(ctx, items, s)
}
func (f *fake) SearchSubjects(ctx context.Context, r pdp.SearchRequest) (pdp.SearchResult, error) {
	return f.subjects(ctx, r)
}
func (f *fake) SearchResources(ctx context.Context, r pdp.SearchRequest) (pdp.SearchResult, error) {
	return f.resources(ctx, r)
}
func (f *fake) SearchActions(ctx context.Context, r pdp.SearchRequest) (pdp.SearchResult, error) {
	return f.actions(ctx, r)
}

// allow answers every question with a plain allow.
func allow() *fake {
	return &fake{decide: func(context.Context, pdp.Request) (pdp.Decision, error) { return pdp.Decision{Allow: true}, nil }}
}

// answers answers every question with a decision and an error.
func answers(d pdp.Decision, err error) *fake {
	return &fake{decide: func(context.Context, pdp.Request) (pdp.Decision, error) { return d, err }}
}

// safeBuffer collects a log.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// harness is a server that listens.
type harness struct {
	t   *testing.T
	url string
	log *safeBuffer

	server *Server
}

func start(t *testing.T, cfg Config) *harness {
	t.Helper()
	log := &safeBuffer{}
	if cfg.BaseURL == "" {
		cfg.BaseURL = "https://pdp.example.org"
	}
	cfg.Logger = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s, err := New(cfg)
	require.NoError(t, err)
	ts := httptest.NewUnstartedServer(nil)
	ts.Config = s.HTTPServer("")
	ts.Start()
	t.Cleanup(ts.Close)
	return &harness{t: t, url: ts.URL, log: log, server: s}
}

// answer is what a caller gets.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request; headers are name, value, name, value.
func (h *harness) do(method, path, body string, headers ...string) answer {
	h.t.Helper()
	r, err := http.NewRequest(method, h.url+path, strings.NewReader(body))
	require.NoError(h.t, err)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Del(headers[i])
		if headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(h.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(h.t, err)
	return answer{resp.StatusCode, resp.Header, string(text)}
}

func (h *harness) post(path, body string, headers ...string) answer {
	h.t.Helper()
	return h.do(http.MethodPost, path, body, headers...)
}

// errorText checks that an answer is an error of a status, and gives what it says.
func (a answer) errorText(t *testing.T, status int) string {
	t.Helper()
	assert.Equal(t, status, a.status, a.body)
	assert.Equal(t, "application/json", a.header.Get("Content-Type"))
	assert.NotEmpty(t, a.header.Get("X-Request-Id"))
	var body map[string]string
	require.NoError(t, json.Unmarshal([]byte(a.body), &body), a.body)
	assert.Len(t, body, 1)
	assert.True(t, strings.HasSuffix(body["error"], "."), a.body)
	return body["error"]
}

func TestConfigIsChecked(t *testing.T) {
	_, err := New(Config{Tokens: only("two words")})
	for _, want := range []string{"base URL", "Decider", "token"} {
		assert.ErrorContains(t, err, want, "every fault is named")
	}
	for _, base := range []string{"", "pdp.example.org", "ftp://x", "https://", "https://x?y", "https://x#", "https://u:p@x", "/access", "https://x/*"} {
		_, err := New(Config{Decider: allow(), BaseURL: base})
		assert.ErrorContains(t, err, "base URL", base)
		assert.NotContains(t, err.Error(), "u:p", "it may have a password")
	}
}

func TestMetadata(t *testing.T) {
	f := allow()
	h := start(t, Config{Decider: f, BaseURL: "https://pdp.example.org/authz/", Tokens: only("secret")})
	const decisions = `{"policy_decision_point":"https://pdp.example.org/authz",` +
		`"access_evaluation_endpoint":"https://pdp.example.org/authz/access/v1/evaluation",` +
		`"access_evaluations_endpoint":"https://pdp.example.org/authz/access/v1/evaluations"`
	for _, c := range []struct {
		offers pdp.Offers
		want   string
	}{ // what is advertised follows the policy, by the same server
		{pdp.Offers{}, decisions + `}`},
		{pdp.Offers{Resources: true}, decisions + `,"search_resource_endpoint":"https://pdp.example.org/authz/access/v1/search/resource"}`},
		{pdp.Offers{Subjects: true, Resources: true, Actions: true, Obligations: []string{"custom", "step-up"}}, decisions +
			`,"search_subject_endpoint":"https://pdp.example.org/authz/access/v1/search/subject",` +
			`"search_resource_endpoint":"https://pdp.example.org/authz/access/v1/search/resource",` +
			`"search_action_endpoint":"https://pdp.example.org/authz/access/v1/search/action",` +
			`"supported_obligations":["custom","step-up"]}`},
	} {
		f.offers = c.offers
		for _, path := range []string{"/.well-known/authzen-configuration", "/.well-known/authzen-configuration/authz"} {
			a := h.do(http.MethodGet, path, "", "Host", "evil.example")
			assert.Equal(t, 200, a.status)
			assert.Equal(t, "application/json", a.header.Get("Content-Type"))
			assert.Equal(t, c.want, a.body)
		}
	}
	for _, path := range []string{"/.well-known/authzen-configuration/", "/.well-known/authzen-configuration/authz/", "/.well-known/authzen-configuration/other",
		"/authz/.well-known/authzen-configuration"} {
		h.do(http.MethodGet, path, "").errorText(t, 404)
	}
	assert.Contains(t, h.do(http.MethodPost, "/.well-known/authzen-configuration/authz", "{}").errorText(t, 405), "GET")
}

// TestMetadataAtTheBaseURLsPath, whatever is in it.
func TestMetadataAtTheBaseURLsPath(t *testing.T) {
	for base, path := range map[string]string{
		"https://x/a/b:c": "/a/b:c", "https://x/:id": "/:id", "https://x/a%2Fb": "/a%2Fb", "https://x/%C3%A4": "/%C3%A4", "https://x/%FF/": "/%FF",
	} {
		h := start(t, Config{Decider: allow(), BaseURL: base})
		assert.Equal(t, 200, h.do(http.MethodGet, metadataPath+path, "").status, base)
		assert.Equal(t, 404, h.do(http.MethodGet, metadataPath+path+"x", "").status, base)
	}
}

// TestHeadIsWhereGetIs: the same head, and no body.
func TestHeadIsWhereGetIs(t *testing.T) {
	h := start(t, Config{Decider: allow(), Data: documentsOf(echoed), BaseURL: "https://x/t", Tokens: only("secret")})
	for _, path := range []string{metadataPath, metadataPath + "/t", "/health", "/health?bundles", "/ready", "/metrics", revisionPath, "/v1/data/x?input=1", "/v1/data"} {
		got := h.do(http.MethodGet, path, "", "Authorization", "Bearer secret")
		head := h.do(http.MethodHead, path, "", "Authorization", "Bearer secret")
		assert.Equal(t, got.status, head.status, path)
		assert.Equal(t, got.header.Get("Content-Type"), head.header.Get("Content-Type"), path)
		assert.NotEmpty(t, head.header.Get("X-Request-Id"))
		assert.Empty(t, head.body)
	}
	assert.Equal(t, 401, h.do(http.MethodHead, "/metrics", "").status)
}

func TestProbes(t *testing.T) {
	var missing []Check
	h := start(t, Config{Decider: allow(), Tokens: only("secret"), Ready: func(context.Context) []Check { return missing }})
	assert.Equal(t, `{"alive":true}`, h.do(http.MethodGet, "/health", "").body)
	missing = []Check{{Name: "policy"}}
	a := h.do(http.MethodGet, "/ready", "")
	assert.Equal(t, 200, a.status)
	assert.Equal(t, `{"ready":true}`, a.body)

	cause := errors.New("dial tcp 10.0.0.7:6379: user jane@example.org")
	missing = []Check{{Name: "policy"}, {Name: "directory", Err: cause}, {Name: "redis at 10.0.0.7", Err: cause}}
	a = h.do(http.MethodGet, "/ready", "")
	assert.Equal(t, 503, a.status)
	assert.Equal(t, `{"error":"Not ready, for want of: directory, other.","missing":["directory","other"]}`, a.body, "no causes")

	h = start(t, Config{Decider: allow()})
	assert.Equal(t, 200, h.do(http.MethodGet, "/ready", "").status)
	h = start(t, Config{Decider: allow(), Ready: func(context.Context) []Check { panic("oh") }})
	h.do(http.MethodGet, "/ready", "").errorText(t, 500)
	assert.Equal(t, 200, h.do(http.MethodGet, "/health", "").status)
}

func TestPathsAndMethods(t *testing.T) {
	h := start(t, Config{Decider: allow(), Tokens: only("secret")})
	for _, path := range []string{"/", "/access/v1", "/access/v1/evaluation/", "/Access/v1/evaluation", "//access/v1/evaluation",
		"/access/v1/search", "/access/v1/evaluation%2f", "/.well-known/", "/debug/pprof/", "/v1/data"} {
		for _, method := range []string{"GET", "POST", "OPTIONS", "FOO"} {
			text := h.do(method, path, question).errorText(t, 404)
			assert.Contains(t, text, "nothing at this path")
		}
	}
	posts := []string{"/access/v1/evaluation", "/access/v1/evaluations", "/access/v1/search/subject", "/access/v1/search/resource", "/access/v1/search/action"}
	gets := []string{"/.well-known/authzen-configuration", "/health", "/ready", "/metrics"}
	refused := func(path, allowed string, methods ...string) {
		t.Helper()
		for _, method := range methods {
			a := h.do(method, path, question)
			assert.Contains(t, a.errorText(t, 405), "answers "+allowed+" only", method+" "+path)
			assert.Equal(t, []string{allowed}, a.header.Values("Allow"), method+" "+path)
		}
	}
	for _, path := range posts {
		refused(path, "POST", "GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "FOO")
	}
	for _, path := range gets {
		refused(path, "GET, HEAD", "POST", "PUT", "DELETE", "OPTIONS", "FOO")
	}
	a := h.do("HEAD", "/access/v1/evaluation", "")
	assert.Equal(t, 405, a.status)
	assert.Empty(t, a.body)
}
