package check_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/identity"
	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

const checked = `
version: 1
subject:
  jwt: {keys: "https://idp.example.org/jwks.json", issuer: "https://idp.example.org", audience: user-admin, algorithms: [ES256]}
supported_obligations: [notification]
routes:
  - {path: "/open/{rest...}", methods: [GET], public: true}
  - {path: "/users/{id}", methods: [GET], action: user.view, resource: {id: {path: id}}, location: {query: location, optional: true}}
`

// verifier accepts the token "good" as alice's.
type verifier struct{}

func (verifier) Verify(_ context.Context, token string) (map[string]any, error) {
	switch token {
	case "good":
		return map[string]any{"sub": "alice-5309"}, nil
	case "keyless":
		return nil, identity.ErrUnavailable
	}
	return nil, errors.New("the signature of the token is not valid")
}

// decisions answers by the id of the resource, and records what it was asked.
type decisions struct {
	asked  []authzen.Evaluation
	traces []pep.Trace
}

func (d *decisions) Decide(ctx context.Context, questions []authzen.Evaluation) ([]authzen.Response, error) {
	d.asked, d.traces = append(d.asked, questions...), append(d.traces, pep.TraceOf(ctx))
	oblige := func(kind string) []authzen.Response {
		return []authzen.Response{{Decision: true, Context: map[string]any{"obligations": []any{map[string]any{"id": "N", "type": kind}}}}}
	}
	switch questions[0].Resource.ID {
	case "jane":
		return []authzen.Response{{Decision: true}}, nil
	case "mail":
		return oblige("notification"), nil
	case "logout":
		return oblige("session_termination"), nil
	case "away":
		return nil, errors.New("the decision point cannot be reached: refused")
	}
	return []authzen.Response{{Context: map[string]any{"reasons": []any{"bob-4711 is not one of yours."}}}}, nil
}

type checker struct {
	*check.Checker
	decisions *decisions
	log       *bytes.Buffer
}

func newChecker(t *testing.T, handlers map[string]pep.Handler) checker {
	t.Helper()
	table, err := routes.Parse([]byte(checked))
	require.NoError(t, err)
	c := checker{decisions: &decisions{}, log: &bytes.Buffer{}}
	c.Checker, err = check.New(check.Config{Routes: table, Verifier: verifier{}, Decider: c.decisions, Handlers: handlers,
		Logger: slog.New(slog.NewTextHandler(c.log, nil))})
	require.NoError(t, err)
	return c
}

// get checks a GET request with header fields "name: value".
func (c checker) get(t *testing.T, target string, fields ...string) check.Result {
	t.Helper()
	r := routes.Request{Method: http.MethodGet, Target: target, Host: []string{"clinic.example.org"}, Header: http.Header{}}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Add(name, value)
	}
	return c.Check(t.Context(), r)
}

const good = "Authorization: Bearer good"

func TestRefusalsAreToldApart(t *testing.T) {
	for name, want := range map[string]struct {
		target, token string
		status        int
		code          string
		asks          int
	}{
		"allowed":                 {"/users/jane", "good", 0, "", 1},
		"denied":                  {"/users/bob-4711", "good", 403, pep.CodeDenied, 1},
		"no answer":               {"/users/away", "good", 503, pep.CodeUnavailable, 1},
		"obligation by the file":  {"/users/mail", "good", 0, "", 1},
		"obligation of nobody":    {"/users/logout", "good", 403, pep.CodeDenied, 1},
		"no token":                {"/users/jane", "", 401, pep.CodeUnauthenticated, 0},
		"token that is not valid": {"/users/jane", "forged", 401, pep.CodeUnauthenticated, 0},
		"no keys":                 {"/users/jane", "keyless", 503, pep.CodeUnavailable, 0},
		"two meanings":            {"/users/..%2Fjane", "good", 400, pep.CodeBadRequest, 0},
		"no route":                {"/elsewhere", "good", 403, pep.CodeDenied, 0},
		"no route, no token":      {"/elsewhere", "", 403, pep.CodeDenied, 0},
		"public":                  {"/open/x", "", 0, "", 0},
		"public with two":         {"/open//x", "", 400, pep.CodeBadRequest, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChecker(t, nil)
			var fields []string
			if want.token != "" {
				fields = append(fields, "Authorization: Bearer "+want.token)
			}
			got := c.get(t, want.target, fields...)
			assert.Equal(t, want.status == 0, got.Pass)
			assert.Equal(t, want.status, got.Refusal.Status)
			assert.Equal(t, want.code, got.Refusal.Code)
			assert.Len(t, c.decisions.asked, want.asks)
			assert.NotEmpty(t, got.Trace.RequestID)
			if !got.Pass {
				assert.Equal(t, got.Trace.RequestID, got.Refusal.RequestID)
			}
		})
	}
}

func TestResultSaysWhoAsks(t *testing.T) {
	c := newChecker(t, nil)
	assert.Equal(t, "alice-5309", c.get(t, "/users/jane", good).Subject)
	assert.Equal(t, "alice-5309", c.get(t, "/users/bob-4711", good).Subject)
	assert.Empty(t, c.get(t, "/open/x", good).Subject, "nobody has been asked for")
	assert.Equal(t, authzen.Entity{Type: "user", ID: "alice-5309"}, c.decisions.asked[0].Subject)
	assert.Equal(t, []any{"notification"}, c.decisions.asked[0].Context["supported_obligations"], "what the route file names")

	c = newChecker(t, map[string]pep.Handler{"session_termination": {}})
	assert.True(t, c.get(t, "/users/logout", good).Pass)
	assert.False(t, c.get(t, "/users/mail", good).Pass, "the application does not do what the route file names")
}

func TestRequestIDs(t *testing.T) {
	c := newChecker(t, nil)
	long := strings.Repeat("x", 128)
	for _, id := range []string{"r-1", "a/b+c=~", long} {
		assert.Equal(t, id, c.get(t, "/users/jane", good, "X-Request-ID: "+id).Trace.RequestID)
		assert.Equal(t, id, c.decisions.traces[len(c.decisions.traces)-1].RequestID)
	}
	for _, id := range []string{"", "two words", "line\nbreak", "jos\u00e9", long + "x"} {
		got := c.get(t, "/users/jane", good, "X-Request-ID: "+id).Trace.RequestID
		assert.Regexp(t, "^[0-9a-f]{32}$", got, "%q", id)
	}
	two := c.get(t, "/users/jane", good, "X-Request-ID: r-1", "X-Request-ID: r-2").Trace.RequestID
	assert.Regexp(t, "^[0-9a-f]{32}$", two)
	assert.NotEqual(t, two, c.get(t, "/users/jane", good).Trace.RequestID)
	trace := c.get(t, "/users/jane", good, "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Tracestate: a=b").Trace
	assert.Equal(t, [2]string{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=b"}, [2]string{trace.Traceparent, trace.Tracestate})
}

func TestLogNamesNobody(t *testing.T) {
	c := newChecker(t, map[string]pep.Handler{})
	for _, target := range []string{"/users/bob-4711?location=ghi-17", "/users/away", "/users/mail", "/users/..%2Fbob-4711", "/elsewhere/bob-4711"} {
		c.get(t, target, good, "X-Request-ID: r-5309")
	}
	c.get(t, "/users/bob-4711", "Authorization: Bearer eyJforged")
	text := c.log.String()
	assert.Equal(t, 6, strings.Count(text, "\n"), text)
	for _, said := range []string{"route=/users/{id}", "request_id=r-5309", "status=403", "code=unavailable", "refused", "level=WARN"} {
		assert.Contains(t, text, said)
	}
	for _, name := range []string{"alice", "bob", "4711", "ghi-17", "not one of yours", "eyJ", "good", "away"} {
		assert.NotContains(t, text, name)
	}
}

func TestResultTravelsInTheContext(t *testing.T) {
	c := newChecker(t, nil)
	_, ok := check.ResultOf(t.Context())
	assert.False(t, ok)
	result := c.get(t, "/users/jane", good)
	ctx := check.WithResult(t.Context(), result)
	got, ok := check.ResultOf(ctx)
	assert.True(t, ok)
	assert.Equal(t, "alice-5309", got.Subject)
	assert.Equal(t, result.Trace, pep.TraceOf(ctx), "for further questions")
}

func TestConfigurationIsChecked(t *testing.T) {
	_, err := check.New(check.Config{Decider: &decisions{}})
	assert.ErrorContains(t, err, "Routes is required")
	table, err := routes.Parse([]byte(checked))
	require.NoError(t, err)
	_, err = check.New(check.Config{Routes: table})
	assert.ErrorContains(t, err, "Decider is required")
}

// faulty panics wherever the checker calls it.
type faulty struct{}

func (faulty) Verify(context.Context, string) (map[string]any, error) { panic("alice-5309") }

func TestPanicIsNoPermission(t *testing.T) {
	table, err := routes.Parse([]byte(checked))
	require.NoError(t, err)
	var log bytes.Buffer
	c, err := check.New(check.Config{Routes: table, Decider: &decisions{}, Verifier: faulty{}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodGet, "/users/jane", nil)
	r.Header.Set("Authorization", good[len("Authorization: "):])
	r.Header.Set("X-Request-Id", "r-5309")
	result := c.CheckHTTP(r, nil)
	assert.False(t, result.Pass)
	assert.Equal(t, [2]string{pep.CodeUnavailable, "r-5309"}, [2]string{result.Refusal.Code, result.Refusal.RequestID})
	result = c.CheckHTTP(httptest.NewRequest(http.MethodGet, "/open/x", nil), func(*http.Request) bool { panic("alice-5309") })
	assert.False(t, result.Pass)
	assert.Equal(t, pep.CodeUnavailable, result.Refusal.Code)
	assert.Equal(t, 2, strings.Count(log.String(), "panicked"))
	assert.NotContains(t, log.String(), "alice")
}
