package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// fakeData is a Data whose decision is at authz/decision. It panics if it has no function.
type fakeData struct {
	answer func(context.Context, pdp.DataRequest) (pdp.DataResult, error)
	filter func(context.Context, pdp.FilterRequest) (pdp.FilterResult, error)
	broken error
}

var _ Data = (*fakeData)(nil)

func (f *fakeData) Data(ctx context.Context, r pdp.DataRequest) (pdp.DataResult, error) {
	return f.answer(ctx, r)
}
func (f *fakeData) Filter(ctx context.Context, r pdp.FilterRequest) (pdp.FilterResult, error) {
	return f.filter(ctx, r)
}
func (f *fakeData) Decides(path []string) bool {
	return slices.Equal(path, []string{"authz", "decision"})
}
func (f *fakeData) CheckPolicy(context.Context) error { return f.broken }

// dataFunc returns a Data that calls a function for each input.
func dataFunc(answer func(pdp.DataInput) pdp.DataAnswer) *fakeData {
	return &fakeData{answer: func(_ context.Context, r pdp.DataRequest) (pdp.DataResult, error) {
		result := pdp.DataResult{Provenance: pdp.Provenance{OPA: "1.2.3", Commit: "c0ffee", Built: "2026-01-01T00:00:00Z", Bundle: "authz", Revision: "r1"}}
		for _, in := range r.Inputs {
			result.Answers = append(result.Answers, answer(in))
		}
		return result, nil
	}}
}

// failingData returns a Data that fails every request.
func failingData(err error) *fakeData {
	return &fakeData{answer: func(context.Context, pdp.DataRequest) (pdp.DataResult, error) { return pdp.DataResult{}, err }}
}

// echoInput answers with the input.
func echoInput(in pdp.DataInput) pdp.DataAnswer {
	return pdp.DataAnswer{Value: in.Value, Defined: in.Sent}
}

// requireOPAError checks that a response is an error in OPA's format, and returns its message.
func (a response) requireOPAError(t *testing.T, status int, code string) string {
	t.Helper()
	assert.Equal(t, status, a.status, a.body)
	assert.Equal(t, "application/json", a.header.Get("Content-Type"))
	assert.NotEmpty(t, a.header.Get("X-Request-Id"))
	var body map[string]string
	require.NoError(t, json.Unmarshal([]byte(a.body), &body), a.body)
	assert.Len(t, body, 2)
	assert.Equal(t, code, body["code"])
	assert.True(t, strings.HasSuffix(body["message"], "."), a.body)
	return body["message"]
}

// opaPaths are the paths that answer POST.
var opaPaths = []string{"/v1/data", "/v1/data/", "/v1/data/authz/decision", "/v1/batch/data", "/v1/batch/data/authz/decision",
	"/v0/data", "/v0/data/", "/v0/data/authz/decision", "/"}

func TestDocumentRequests(t *testing.T) {
	var got pdp.DataRequest
	f := dataFunc(echoInput)
	of := f.answer
	f.answer = func(ctx context.Context, r pdp.DataRequest) (pdp.DataResult, error) {
		_, bounded := ctx.Deadline()
		assert.True(t, bounded)
		got = r
		return of(ctx, r)
	}
	h := start(t, Config{Decider: &fakeDecider{}, Data: f})
	const warning = `"warning":{"code":"api_usage_warning","message":"'input' key missing from the request"}`
	n := json.Number("1.50")
	for _, c := range []struct {
		method, path, body string
		names              []string
		input              any
		unsent             bool
		want               string
	}{
		{"POST", "/v1/data/authz/decision", `{"input":{"n":1.50},"more":1}`, []string{"authz", "decision"}, map[string]any{"n": n}, false, `{"result":{"n":1.50}}`},
		{"POST", "/v1/data", `{"input":[]}`, nil, []any{}, false, `{"result":[]}`},
		{"POST", "/v1/data/", `{"input":false}`, nil, false, false, `{"result":false}`},
		{"POST", "/v1/data//a///b/", `{"input":""}`, []string{"a", "b"}, "", false, `{"result":""}`},
		{"POST", "/v1/data/a%2Fb/%22c%22/d.e/%C3%A4/0", `{"input":1}`, []string{"a/b", `"c"`, "d.e", "ä", "0"}, json.Number("1"), false, `{"result":1}`},
		{"POST", "/v1/data/x?provenance", `{"input":1}`, []string{"x"}, json.Number("1"), false,
			`{"provenance":{"build_commit":"c0ffee","build_hostname":"","build_timestamp":"2026-01-01T00:00:00Z","bundles":{"authz":{"revision":"r1"}},"version":"1.2.3"},"result":1}`},
		{"POST", "/v1/data/x?provenance=false&pretty=no&metrics=no&explain=off", `{"input":1}`, []string{"x"}, json.Number("1"), false, `{"result":1}`},
		{"POST", "/v1/data/x?pretty=true", `{"input":{"a":1}}`, []string{"x"}, map[string]any{"a": json.Number("1")}, false, "{\n  \"result\": {\n    \"a\": 1\n  }\n}\n"},
		{"POST", "/v1/data/x?input=1", `{}`, []string{"x"}, nil, true, `{` + warning + `}`},
		{"POST", "/v1/data/x", `{"input":null}`, []string{"x"}, nil, true, `{` + warning + `}`},
		{"POST", "/v1/data/x", ``, []string{"x"}, nil, true, `{` + warning + `}`},
		{"POST", "/v1/data/x", " \n", []string{"x"}, nil, true, `{` + warning + `}`},
		{"GET", "/v1/data/x", ``, []string{"x"}, nil, true, `{}`},
		{"GET", "/v1/data", `{"input":1}`, nil, nil, true, `{}`},
		{"GET", "/v1/data/x?input=%7B%22n%22%3A1.50%7D&pretty=false", ``, []string{"x"}, map[string]any{"n": n}, false, `{"result":{"n":1.50}}`},
		{"GET", "/v1/data/x?input=null", ``, []string{"x"}, nil, false, `{"result":null}`},
		{"POST", "/", `{"input":{"n":1.50}}`, nil, map[string]any{"input": map[string]any{"n": n}}, false, `{"input":{"n":1.50}}`},
		{"POST", "/?pretty", `[true]`, nil, []any{true}, false, "[\n  true\n]\n"},
		{"POST", "/", `"x"`, nil, "x", false, `"x"`},
		{"POST", "/v0/data/a/b", `{"input":{"n":1.50}}`, []string{"a", "b"}, map[string]any{"input": map[string]any{"n": n}}, false, `{"input":{"n":1.50}}`},
		{"POST", "/v0/data/a/b?pretty", `[true]`, []string{"a", "b"}, []any{true}, false, "[\n  true\n]\n"},
		{"POST", "/v0/data", ``, nil, nil, false, `null`},
		{"POST", "/", ``, nil, nil, false, `null`},
	} {
		got = pdp.DataRequest{}
		a := h.do(c.method, c.path, c.body)
		name := c.method + " " + c.path
		require.Equal(t, 200, a.status, "%s: %s", name, a.body)
		require.Equal(t, c.want, a.body, name)
		require.Equal(t, pdp.DataRequest{Path: c.names, Decision: strings.HasPrefix(c.path, "/?") || c.path == "/",
			Inputs: []pdp.DataInput{{Value: c.input, Sent: !c.unsent}}}, got, name)
	}
}

// Clients could not parse an empty time.
func TestProvenanceOfUnknownBuildHasNoTime(t *testing.T) {
	f := dataFunc(echoInput)
	h := start(t, Config{Decider: &fakeDecider{}, Data: &fakeData{answer: func(ctx context.Context, r pdp.DataRequest) (pdp.DataResult, error) {
		result, err := f.answer(ctx, r)
		result.Provenance = pdp.Provenance{OPA: "1.2.3", Bundle: "app", Label: "v7", Revision: "r1"}
		return result, err
	}}})
	assert.Equal(t, `{"provenance":{"build_commit":"","build_hostname":"","bundles":{"app":{"revision":"v7"}},"version":"1.2.3"},"result":1}`,
		h.post("/v1/data/x?provenance", `{"input":1}`).body)
}

func TestUndefinedDocuments(t *testing.T) {
	h := start(t, Config{Decider: &fakeDecider{}, Data: dataFunc(func(pdp.DataInput) pdp.DataAnswer { return pdp.DataAnswer{} })})
	assert.Equal(t, `{}`, h.post("/v1/data/x", `{"input":1}`).body)
	assert.Equal(t, `{}`, h.do("GET", "/v1/data/x", "").body)
	assert.Equal(t, `{"responses":{"a":{}}}`, h.post("/v1/batch/data/x", `{"inputs":{"a":1}}`).body)
	h.post("/", `{}`).requireOPAError(t, 404, "undefined_document")
	h.post("/v0/data/x", `{}`).requireOPAError(t, 404, "undefined_document")
}

func TestInputThatIsNotAnEvaluationGetsAWarning(t *testing.T) {
	h := start(t, Config{Decider: &fakeDecider{}, Data: dataFunc(func(pdp.DataInput) pdp.DataAnswer {
		return pdp.DataAnswer{Value: false, Defined: true, NotQuestion: errors.New("The member is missing.")}
	})})
	const answer = `{"result":false,"warning":{"code":"api_usage_warning","message":"The input is not an AuthZEN evaluation and was evaluated as sent, without facts. The member is missing."}}`
	assert.Equal(t, answer, h.post("/v1/data/x", `{"input":1}`).body)
	assert.Equal(t, `{"responses":{"a":`+answer+`}}`, h.post("/v1/batch/data/x", `{"inputs":{"a":1}}`).body)
	assert.Equal(t, `false`, h.post("/", `{}`).body)
}

func TestBatchDocuments(t *testing.T) {
	secret := errors.New("secret cause")
	h := start(t, Config{Decider: &fakeDecider{}, Data: dataFunc(func(in pdp.DataInput) pdp.DataAnswer {
		switch in.Value {
		case "internal":
			return pdp.DataAnswer{Err: &pdp.Error{Kind: pdp.Internal, Message: "It is ill-shaped.", Err: secret}}
		case "invalid":
			return pdp.DataAnswer{Err: &pdp.Error{Kind: pdp.Invalid, Message: "It names too much."}}
		}
		return echoInput(in)
	})})
	const provenance = `"provenance":{"build_commit":"c0ffee","build_hostname":"","build_timestamp":"2026-01-01T00:00:00Z","bundles":{"authz":{"revision":"r1"}},"version":"1.2.3"}`
	for _, c := range []struct {
		path, body string
		status     int
		want       string
	}{
		{"/v1/batch/data/x", `{"inputs":{"b\n":1,"a":{"x":null}}}`, 200, `{"responses":{"a":{"result":{"x":null}},"b\n":{"result":1}}}`},
		{"/v1/batch/data/x?provenance", `{"inputs":{"a":1}}`, 200, `{"responses":{"a":{` + provenance + `,"result":1}}}`},
		{"/v1/batch/data", `{"inputs":{"a":null}}`, 200, `{"responses":{"a":{}}}`},
		{"/v1/batch/data/x", `{"inputs":{}}`, 200, `{"responses":{}}`},
		{"/v1/batch/data/x?pretty", `{"inputs":{}}`, 200, "{\n  \"responses\": {}\n}\n"},
		{"/v1/batch/data/x", `{"inputs":{"a":1,"b":"internal","c":"invalid"}}`, 207, `{"responses":{"a":{"http_status_code":"200","result":1},` +
			`"b":{"http_status_code":"500","code":"internal_error","message":"It is ill-shaped."},` +
			`"c":{"http_status_code":"500","code":"invalid_parameter","message":"It names too much."}}}`},
		{"/v1/batch/data/x", `{"inputs":{"b":"internal"}}`, 500, `{"responses":{"b":{"code":"internal_error","message":"It is ill-shaped."}}}`},
	} {
		a := h.post(c.path, c.body)
		require.Equal(t, c.status, a.status, a.body)
		require.Equal(t, c.want, a.body)
	}
	assert.True(t, contains(h.log, "secret cause"))
	for body, want := range map[string]string{
		``: "inputs", `{}`: "inputs", `{"inputs":[]}`: "inputs", `{"inputs":null}`: "inputs", `{"input":{"a":1}}`: "inputs", `[]`: "not a JSON object",
		`{"inputs":{"a":1,"\u0061":2}}`: "twice",
	} {
		assert.Contains(t, h.post("/v1/batch/data/x", body).requireOPAError(t, 400, "invalid_parameter"), want)
	}
	many := func(n int) string {
		inputs := map[string]any{}
		for i := range n {
			inputs[strings.Repeat("x", i)] = true
		}
		out, err := json.Marshal(map[string]any{"inputs": inputs})
		require.NoError(t, err)
		return string(out)
	}
	assert.Equal(t, 200, h.post("/v1/batch/data/x", many(authzen.MaxEvaluations)).status)
	assert.Contains(t, h.post("/v1/batch/data/x", many(authzen.MaxEvaluations+1)).requireOPAError(t, 400, "invalid_parameter"), "1000")
}

// The statuses are the same as on AuthZEN's paths.
func TestOPAErrorFormat(t *testing.T) {
	secret := errors.New("password of redis")
	for name, c := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"invalid":     {&pdp.Error{Kind: pdp.Invalid, Message: "The input has facts.", Err: secret}, 400, "invalid_parameter"},
		"unavailable": {&pdp.Error{Kind: pdp.Unavailable, Err: secret}, 503, "internal_error"},
		"timeout":     {&pdp.Error{Kind: pdp.Timeout, Err: secret}, 503, "internal_error"},
		"internal":    {&pdp.Error{Kind: pdp.Internal, Err: secret}, 500, "internal_error"},
		"plain":       {secret, 500, "internal_error"},
	} {
		whole := start(t, Config{Decider: &fakeDecider{}, Data: failingData(c.err)})
		single := start(t, Config{Decider: &fakeDecider{}, Data: dataFunc(func(pdp.DataInput) pdp.DataAnswer {
			return pdp.DataAnswer{Value: true, Defined: true, Err: c.err} // an allow together with an error must not count
		})})
		for _, path := range opaPaths {
			a := whole.post(path, `{"inputs":{"a":1}}`)
			a.requireOPAError(t, c.status, c.code)
			assert.NotContains(t, a.body, "redis", name)
			if !strings.Contains(path, "batch") {
				single.post(path, `{}`).requireOPAError(t, c.status, c.code)
			}
		}
		assert.Equal(t, c.status >= 500, contains(whole.log, "password of redis"), name)
	}
}

func TestOPAIsReadOnlyAndRequiresToken(t *testing.T) {
	h := start(t, Config{Decider: &fakeDecider{}, Data: dataFunc(echoInput), Callers: testCallers{ask: staticTokens("secret-token")}})
	for _, path := range opaPaths {
		a := h.post(path, `{"inputs":{"a":1}}`)
		a.requireOPAError(t, 401, "unauthorized")
		assert.Equal(t, "Bearer", a.header.Get("WWW-Authenticate"))
		assert.Equal(t, 200, h.post(path, `{"inputs":{"a":1}}`, "Authorization", "Bearer secret-token").status)
		for _, method := range []string{"PUT", "PATCH", "DELETE", "OPTIONS"} {
			a := h.do(method, path, `[]`, "Authorization", "Bearer secret-token")
			a.requireOPAError(t, 405, "invalid_operation")
			assert.Contains(t, a.header.Get("Allow"), "POST")
		}
	}
	h.do("GET", "/v1/data/x", "").requireOPAError(t, 401, "unauthorized")
	h.do("GET", "/v1/batch/data/x", "").requireOPAError(t, 405, "invalid_operation")
	h.do("GET", "/", "").requireOPAError(t, 405, "invalid_operation")
	h.do("GET", "/v0/data/x", "").requireOPAError(t, 405, "invalid_operation")
	h.post("/v1/compile/x", `{}`).requireOPAError(t, 401, "unauthorized")
	h.do("GET", "/v1/compile/x", "").requireOPAError(t, 405, "invalid_operation")
	for _, c := range []string{"PUT /v1/policies/p", "DELETE /v1/policies/p", "GET /v1/policies", "POST /v1/query", "POST /v1/compile", "GET /v1/config", "POST /v1/datas", "GET /v1/", "GET /v1", "POST /v0", "POST /v0/policies", "GET /v0/query"} {
		method, path, _ := strings.Cut(c, " ")
		h.do(method, path, `{}`).requireOPAError(t, 404, "resource_not_found")
	}
	h.do("GET", "/v2/data", "").requireError(t, 404)
}

func TestOPAIsDisabledWithoutData(t *testing.T) {
	h := start(t, Config{Decider: allow()})
	for _, path := range append(opaPaths, "/v1/policies", "/v1/compile/x") {
		h.post(path, `{}`).requireError(t, 404)
	}
	assert.Equal(t, `{"alive":true}`, h.do("GET", "/health?bundles", "").body)
}

func TestMisbehavingDataIsAnError(t *testing.T) {
	for name, answers := range map[string][]pdp.DataAnswer{"none": nil, "too many": {{Value: true, Defined: true}, {Value: true, Defined: true}}} {
		h := start(t, Config{Decider: &fakeDecider{}, Data: &fakeData{answer: func(context.Context, pdp.DataRequest) (pdp.DataResult, error) {
			return pdp.DataResult{Answers: answers}, nil
		}}})
		for _, path := range opaPaths {
			h.post(path, `{"inputs":{"a":1}}`).requireOPAError(t, 500, "internal_error")
		}
		assert.True(t, contains(h.log, "answers for 1 inputs"), name)
	}
	panics := start(t, Config{Decider: &fakeDecider{}, Data: &fakeData{}})
	late := start(t, Config{Decider: &fakeDecider{}, Timeout: 1, Data: &fakeData{answer: func(ctx context.Context, r pdp.DataRequest) (pdp.DataResult, error) {
		<-ctx.Done()
		return pdp.DataResult{Answers: []pdp.DataAnswer{{Value: true, Defined: true}}}, nil
	}}})
	unwritable := start(t, Config{Decider: &fakeDecider{}, Data: dataFunc(func(pdp.DataInput) pdp.DataAnswer {
		return pdp.DataAnswer{Value: func() {}, Defined: true}
	})})
	for _, path := range opaPaths {
		panics.post(path, `{"inputs":{"a":1}}`).requireOPAError(t, 500, "internal_error")
		late.post(path, `{"inputs":{"a":1}}`).requireOPAError(t, 503, "internal_error")
		unwritable.post(path, `{"inputs":{"a":1}}`).requireOPAError(t, 500, "internal_error")
	}
}

// Without parameters, the response of /health is the same as without OPA's API.
func TestOPAHealth(t *testing.T) {
	f := &fakeData{}
	h := start(t, Config{Decider: &fakeDecider{}, Data: f, Callers: testCallers{ask: staticTokens("secret-token")}})
	for _, query := range []string{"?bundles", "?bundle=true", "?bundles=true&plugins=true", "?plugins"} {
		f.broken = nil
		a := h.do("GET", "/health"+query, "")
		assert.Equal(t, 200, a.status)
		assert.Equal(t, `{}`, a.body)
		f.broken = errors.New("secret cause")
		a = h.do("GET", "/health"+query, "")
		assert.Equal(t, 500, a.status)
		assert.Equal(t, `{"code":"internal_error","error":"There is no policy that can decide now."}`, a.body)
	}
	for _, query := range []string{"", "?", "?bundles=false", "?x=bundles"} {
		assert.Equal(t, `{"alive":true}`, h.do("GET", "/health"+query, "").body)
	}
	assert.Equal(t, http.StatusBadRequest, h.do("GET", "/health?%zz", "").status)
}
