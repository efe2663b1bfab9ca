package httpapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/filter"
)

const question = `{"subject":{"type":"user","id":"alice"},"action":{"name":"user.view"},"resource":{"type":"user","id":"jane"}}`

// fakeDecider is a Decider that calls functions. A nil function is one that the test does not expect to be called.
type fakeDecider struct {
	decide    func(context.Context, pdp.Request) (pdp.Decision, error)
	decideAll func(context.Context, []pdp.Item, authzen.Semantic) ([]pdp.Outcome, error)
	subjects  func(context.Context, pdp.SearchRequest) (pdp.SearchResult, error)
	resources func(context.Context, pdp.SearchRequest) (pdp.SearchResult, error)
	actions   func(context.Context, pdp.SearchRequest) (pdp.SearchResult, error)
	offers    pdp.Offers
}

func (f *fakeDecider) Offers() pdp.Offers { return f.offers }

func (f *fakeDecider) Decide(ctx context.Context, r pdp.Request) (pdp.Decision, error) {
	return f.decide(ctx, r)
}

func (f *fakeDecider) DecideAll(ctx context.Context, items []pdp.Item, s authzen.Semantic) ([]pdp.Outcome, error) {
	return f.decideAll(ctx, items, s)
}

func (f *fakeDecider) SearchSubjects(ctx context.Context, r pdp.SearchRequest) (pdp.SearchResult, error) {
	return f.subjects(ctx, r)
}

func (f *fakeDecider) SearchResources(ctx context.Context, r pdp.SearchRequest) (pdp.SearchResult, error) {
	return f.resources(ctx, r)
}

func (f *fakeDecider) SearchActions(ctx context.Context, r pdp.SearchRequest) (pdp.SearchResult, error) {
	return f.actions(ctx, r)
}

// allow returns a Decider that allows everything.
func allow() *fakeDecider {
	return &fakeDecider{decide: func(context.Context, pdp.Request) (pdp.Decision, error) { return pdp.Decision{Allow: true}, nil }}
}

// deciderReturning returns a Decider that returns d and err for every evaluation.
func deciderReturning(d pdp.Decision, err error) *fakeDecider {
	return &fakeDecider{decide: func(context.Context, pdp.Request) (pdp.Decision, error) { return d, err }}
}

// safeBuffer collects a log. It is safe for concurrent use.
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

// testTimeout limits the wait for a condition. It is so long that only a failing test reaches it.
const testTimeout = time.Minute

// harness is a running server.
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
	ts.Config = s.HTTPServer()
	ts.Start()
	t.Cleanup(func() {
		ts.Close()
		if t.Failed() {
			t.Logf("the log of the server:\n%s", log)
		}
	})
	return &harness{t: t, url: ts.URL, log: log, server: s}
}

// until waits until a condition holds. On failure it shows the metrics.
func (h *harness) until(what string, condition func() bool) {
	h.t.Helper()
	for limit := time.Now().Add(testTimeout); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			require.Fail(h.t, "it never came about: "+what, h.do(http.MethodGet, "/metrics", "").body)
		}
	}
}

// response is a response as the client receives it.
type response struct {
	status int
	header http.Header
	body   string
}

// do sends a request. headers alternates names and values; an empty value removes a header.
func (h *harness) do(method, path, body string, headers ...string) response {
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
	return response{resp.StatusCode, resp.Header, string(text)}
}

func (h *harness) post(path, body string, headers ...string) response {
	h.t.Helper()
	return h.do(http.MethodPost, path, body, headers...)
}

// requireError checks that a response is an error with a status, and returns its message.
func (a response) requireError(t *testing.T, status int) string {
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

var _ Decider = (*fakeDecider)(nil)

func contains(log *safeBuffer, s string) bool { return strings.Contains(log.String(), s) }

// testCallers knows two callers by bearer tokens: one that may do everything but announce changes, and one that may announce
// them. Either may be nil.
type testCallers struct{ ask, announce func() []string }

func (c testCallers) Authenticate(_ context.Context, sent Credentials) (*Caller, error) {
	if len(sent.Authorization) == 1 {
		scheme, token, _ := strings.Cut(sent.Authorization[0], " ")
		if c.ask != nil && strings.EqualFold(scheme, "Bearer") && slices.Contains(c.ask(), token) {
			return &Caller{Name: "asker", Roles: []Role{RoleAsk, RoleSearch, RoleOPA, RoleOperations}}, nil
		}
		if c.announce != nil && strings.EqualFold(scheme, "Bearer") && slices.Contains(c.announce(), token) {
			return &Caller{Name: "announcer", Roles: []Role{RoleAnnounce}}, nil
		}
	}
	return nil, errors.New("unknown")
}

func (c testCallers) Requires(role Role) bool {
	if role == RoleAnnounce {
		return c.announce != nil
	}
	return c.ask != nil
}

func (testCallers) CheckCertificate(*tls.ConnectionState) error { return nil }

func (testCallers) Methods() Methods { return Methods{Bearer: true} }

// staticTokens returns a source of fixed tokens. It omits empty ones.
func staticTokens(all ...string) func() []string {
	all = slices.DeleteFunc(all, func(token string) bool { return token == "" })
	return func() []string { return all }
}

// dial opens a connection for a misbehaving client. Reads fail after a while instead of hanging.
func (h *harness) dial() net.Conn {
	h.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	require.NoError(h.t, err)
	h.t.Cleanup(func() { conn.Close() })
	require.NoError(h.t, conn.SetReadDeadline(time.Now().Add(testTimeout)))
	return conn
}

// h2c returns a client that speaks only HTTP/2 without TLS.
func h2c(t *testing.T) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func (h *harness) postWith(client *http.Client, body io.Reader) (response, error) {
	r, err := http.NewRequest(http.MethodPost, h.url+evaluationPath, body)
	require.NoError(h.t, err)
	r.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(r)
	if err != nil {
		return response{}, err
	}
	defer resp.Body.Close()
	assert.Equal(h.t, 2, resp.ProtoMajor)
	text, err := io.ReadAll(resp.Body)
	return response{resp.StatusCode, resp.Header, string(text)}, err
}

// blockedDecider ignores its context and returns when release is closed.
type blockedDecider struct {
	*fakeDecider
	release chan struct{}
	entered chan struct{}
}

func newBlockedDecider() *blockedDecider {
	s := &blockedDecider{release: make(chan struct{}), entered: make(chan struct{}, 1000)}
	wait := func() {
		s.entered <- struct{}{}
		<-s.release
	}
	s.fakeDecider = &fakeDecider{
		decide: func(context.Context, pdp.Request) (pdp.Decision, error) {
			wait()
			return pdp.Decision{Allow: true}, nil
		},
		decideAll: func(_ context.Context, items []pdp.Item, _ authzen.Semantic) ([]pdp.Outcome, error) {
			wait()
			return make([]pdp.Outcome, len(items)), nil
		},
		actions: func(context.Context, pdp.SearchRequest) (pdp.SearchResult, error) {
			wait()
			return pdp.SearchResult{}, nil
		},
	}
	return s
}

func (s *blockedDecider) Filter(_ context.Context, _ pdp.FilterRequest) (pdp.FilterResult, error) {
	s.entered <- struct{}{}
	<-s.release
	return pdp.FilterResult{Condition: filter.All{}}, nil
}

func (s *blockedDecider) Data(_ context.Context, r pdp.DataRequest) (pdp.DataResult, error) {
	s.entered <- struct{}{}
	<-s.release
	return pdp.DataResult{Answers: make([]pdp.DataAnswer, len(r.Inputs))}, nil
}

func (s *blockedDecider) Decides([]string) bool             { return true }
func (s *blockedDecider) CheckPolicy(context.Context) error { return nil }
