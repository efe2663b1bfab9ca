package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

func TestDecisionEncoding(t *testing.T) {
	reason := map[string]any{"code": "self", "rule": "ALL-7", "message": "a < b & \"c\""}
	obligation := pdp.Obligation{ID: "REG-W2/x", Type: "notification", Properties: map[string]any{"to": "jane", "n": json.Number("1")}}
	for name, c := range map[string]struct {
		d    pdp.Decision
		want string
	}{
		"allow":            {pdp.Decision{Allow: true, Revision: "r1"}, `{"decision":true}`},
		"deny":             {pdp.Decision{}, `{"decision":false}`},
		"empty everything": {pdp.Decision{Reasons: []any{}, Obligations: []pdp.Obligation{}, Advice: []any{}, Context: map[string]any{}}, `{"decision":false}`},
		"reasons":          {pdp.Decision{Reasons: []any{"x", reason}}, `{"decision":false,"context":{"reasons":["x",{"code":"self","message":"a < b & \"c\"","rule":"ALL-7"}]}}`},
		"obligations": {pdp.Decision{Allow: true, Obligations: []pdp.Obligation{obligation, {ID: "2", Type: "custom"}}},
			`{"decision":true,"context":{"obligations":[{"id":"REG-W2/x","type":"notification","properties":{"n":1,"to":"jane"}},{"id":"2","type":"custom","properties":{}}]}}`},
		"all": {pdp.Decision{Reasons: []any{"r"}, Obligations: []pdp.Obligation{{ID: "1", Type: "custom"}}, Advice: []any{"a"}, Context: map[string]any{"z": nil, "b": []any{}}},
			`{"decision":false,"context":{"reasons":["r"],"obligations":[{"id":"1","type":"custom","properties":{}}],"advice":["a"],"b":[],"z":null}}`},
		"context alone":  {pdp.Decision{Allow: true, Context: map[string]any{"reasons": "mine"}}, `{"decision":true,"context":{"reasons":"mine"}}`},
		"no name twice":  {pdp.Decision{Reasons: []any{"r"}, Context: map[string]any{"reasons": "mine", "advice": 1}}, `{"decision":false,"context":{"reasons":["r"],"advice":1}}`},
		"hidden context": {pdp.Decision{Advice: []any{"a"}, Context: map[string]any{"advice": "mine"}}, `{"decision":false,"context":{"advice":["a"]}}`},
	} {
		h := start(t, Config{Decider: deciderReturning(c.d, nil)})
		a := h.post("/access/v1/evaluation", question)
		assert.Equal(t, 200, a.status, name)
		assert.Equal(t, c.want, a.body, name)
		assert.Equal(t, "application/json", a.header.Get("Content-Type"))
	}
}

func TestEvaluationReachesTheDecider(t *testing.T) {
	var got pdp.Request
	f := allow()
	f.decide = func(ctx context.Context, r pdp.Request) (pdp.Decision, error) {
		_, bounded := ctx.Deadline()
		assert.True(t, bounded)
		got = r
		return pdp.Decision{}, nil
	}
	h := start(t, Config{Decider: f})
	h.post("/access/v1/evaluation", `{"context":{"n":1.0},`+question[1:])
	assert.Equal(t, pdp.Request{Subject: authzen.Entity{Type: "user", ID: "alice"}, Action: authzen.Action{Name: "user.view"},
		Resource: authzen.Entity{Type: "user", ID: "jane"}, Context: map[string]any{"n": json.Number("1.0")}}, got)
	got = pdp.Request{}
	assert.Equal(t, `{"decision":false}`, h.post("/access/v1/evaluations", question).body)
	assert.Equal(t, "alice", got.Subject.ID, "a batch without evaluations is a single evaluation")
}

// Causes are logged and never sent.
func TestErrorKindsMapToStatuses(t *testing.T) {
	secret := errors.New("password of redis")
	for name, c := range map[string]struct {
		err    error
		status int
		text   string
		logged bool
	}{
		"invalid":         {&pdp.Error{Kind: pdp.Invalid, Message: "The token is for another list.", Err: secret}, 400, "The token is for another list.", false},
		"unavailable":     {&pdp.Error{Kind: pdp.Unavailable, Message: "There is no directory yet.", Err: secret}, 503, "There is no directory yet.", true},
		"no message":      {&pdp.Error{Kind: pdp.Unavailable, Err: secret}, 503, "The question cannot be decided now: try again later.", true},
		"timeout":         {&pdp.Error{Kind: pdp.Timeout, Err: secret}, 503, "The question could not be decided in time: try again later.", true},
		"internal":        {&pdp.Error{Kind: pdp.Internal, Err: secret}, 500, "The question could not be decided.", true},
		"wrapped":         {fmt.Errorf("engine: %w", &pdp.Error{Kind: pdp.Unavailable, Err: secret}), 503, "The question cannot be decided now: try again later.", true},
		"plain":           {secret, 500, "The question could not be decided.", true},
		"of no kind":      {&pdp.Error{Err: secret}, 500, "The question could not be decided.", true},
		"of another kind": {&pdp.Error{Kind: "novel", Err: secret}, 500, "The question could not be decided.", true},
		"raw deadline":    {fmt.Errorf("%w: %w", secret, context.DeadlineExceeded), 503, "The question could not be decided in time: try again later.", true},
		"raw cancel":      {fmt.Errorf("%w: %w", secret, context.Canceled), 503, "The question could not be decided in time: try again later.", true},
	} {
		h := start(t, Config{Decider: deciderReturning(pdp.Decision{Allow: true}, c.err)}) // an allow together with an error must not count
		for _, path := range []string{"/access/v1/evaluation", "/access/v1/evaluations"} {
			a := h.post(path, question)
			assert.Equal(t, c.text, a.requireError(t, c.status), name)
			assert.NotContains(t, a.body, "redis", name)
		}
		assert.Equal(t, c.logged, contains(h.log, "password of redis"), name)
	}
}

func TestPanicIsAnError(t *testing.T) {
	f := &fakeDecider{} // every method panics
	h := start(t, Config{Decider: f})
	search := `{"subject":{"type":"user","id":"a"},"action":{"name":"x"},"resource":{"type":"t","id":"i"}}`
	for path, body := range map[string]string{
		"/access/v1/evaluation": question, "/access/v1/evaluations": `{"evaluations":[` + question + `]}`,
		"/access/v1/search/subject": search, "/access/v1/search/resource": search, "/access/v1/search/action": search,
	} {
		a := h.post(path, body)
		assert.Equal(t, "The question could not be decided.", a.requireError(t, 500))
	}
	f.decide = func(context.Context, pdp.Request) (pdp.Decision, error) { panic("the policy said true") }
	a := h.post("/access/v1/evaluation", question, "X-Request-ID", "7")
	assert.NotContains(t, a.requireError(t, 500), "true")
	assert.Equal(t, "7", a.header.Get("X-Request-Id"))
	assert.True(t, contains(h.log, "panic: the policy said true"))
	assert.True(t, contains(h.log, `"level":"ERROR"`))
}

func TestPanicIsLoggedAfterDisconnect(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	log := &safeBuffer{}
	s, err := New(Config{BaseURL: "https://x", Logger: slog.New(slog.NewTextHandler(log, nil)), Decider: &fakeDecider{
		decide: func(context.Context, pdp.Request) (pdp.Decision, error) {
			cancel()
			panic("a fault of ours")
		}}})
	require.NoError(t, err)
	r := httptest.NewRequestWithContext(ctx, "POST", "/access/v1/evaluation", strings.NewReader(question))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	assert.Equal(t, 500, w.Code)
	assert.True(t, contains(log, "a fault of ours"))
	assert.True(t, contains(log, "status=499"))
}

func TestErrAbortHandlerClosesConnection(t *testing.T) {
	h := start(t, Config{Decider: &fakeDecider{decide: func(context.Context, pdp.Request) (pdp.Decision, error) { panic(http.ErrAbortHandler) }}})
	_, err := http.Post(h.url+"/access/v1/evaluation", "application/json", strings.NewReader(question))
	assert.Error(t, err)
}

func TestTimeoutIsNeverAnAllow(t *testing.T) {
	for name, err := range map[string]error{"an error": &pdp.Error{Kind: pdp.Timeout}, "an allow all the same": nil} {
		h := start(t, Config{Timeout: 1, Decider: &fakeDecider{decide: func(ctx context.Context, _ pdp.Request) (pdp.Decision, error) {
			<-ctx.Done()
			return pdp.Decision{Allow: true}, err
		}}})
		assert.Contains(t, h.post("/access/v1/evaluation", question).requireError(t, 503), "in time", name)
	}
}

func TestUnencodableDecisionIsAnError(t *testing.T) {
	for name, d := range map[string]pdp.Decision{
		"number":     {Allow: true, Context: map[string]any{"x": math.NaN()}},
		"obligation": {Allow: true, Obligations: []pdp.Obligation{{Properties: map[string]any{"x": func() {}}}}},
		"smuggled":   {Allow: true, Reasons: []any{json.Number(`1],"x":[1`)}},
	} {
		h := start(t, Config{Decider: deciderReturning(d, nil)})
		h.post("/access/v1/evaluation", question).requireError(t, 500)
		assert.True(t, contains(h.log, "cannot be encoded"), name)
	}
}

func TestMalformedRequestIsRejected(t *testing.T) {
	h := start(t, Config{Decider: &fakeDecider{}}) // it panics if called
	for body, want := range map[string]string{
		``:                             `The body is empty: send one JSON object.`,
		`{`:                            `The body ends before its JSON is complete: send the whole object.`,
		`[]`:                           `The body is not a JSON object: send one JSON object.`,
		`{}`:                           `The member "subject" is missing at the top level: send an object.`,
		`{"subject":1,` + question[1:]: `A member appears twice at /subject: send each member of an object once.`,
		question + `x`:                 `The body continues after its JSON object: send one JSON object and nothing else.`,
		"{\"a\":\"\xff\"}":             `The body is not valid UTF-8: send JSON encoded as UTF-8.`,
	} {
		for _, path := range []string{"/access/v1/evaluation", "/access/v1/evaluations", "/access/v1/search/subject", "/access/v1/search/resource", "/access/v1/search/action"} {
			assert.Equal(t, want, h.post(path, body).requireError(t, 400), path)
		}
	}
	require.NotContains(t, h.log.String(), `"level":"ERROR"`)
}
