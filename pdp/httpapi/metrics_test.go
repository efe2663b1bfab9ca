package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
)

func TestMetrics(t *testing.T) {
	f := newBatchDecider()
	f.decide = deciderReturning(pdp.Decision{Allow: true}, nil).decide
	policy := "r1"
	h := start(t, Config{Decider: f, Policy: func() PolicyStatus { return PolicyStatus{ID: policy} }, DirectoryRevision: func() string { return "" }})
	h.server.SetActions([]string{"user.view", "deny"}, nil)
	h.post("/access/v1/evaluation", question)
	h.post("/access/v1/evaluation", question)
	h.post("/access/v1/evaluation", strings.Replace(question, "user.view", "jane@example.org", 1))
	h.post("/access/v1/evaluation", `{}`)
	h.post("/access/v1/evaluations", question)
	h.post("/access/v1/evaluations", batchBody("execute_all", "user.view", "deny", "fail", "", "deny"))
	h.do("GET", "/access/v1/evaluation", "")
	h.do("BREW", "/access/v1/evaluation", "")
	h.do("GET", "/jane@example.org", "")
	h.do("GET", "/nobody", "")
	a := h.do("GET", "/metrics", "")
	assert.Equal(t, 200, a.status)
	assert.Contains(t, a.header.Get("Content-Type"), "text/plain")
	for _, want := range []string{
		`wardkeeper_http_requests_total{method="POST",path="/access/v1/evaluation",status="200"} 3`,
		`wardkeeper_http_requests_total{method="POST",path="/access/v1/evaluation",status="400"} 1`,
		`wardkeeper_http_requests_total{method="GET",path="/access/v1/evaluation",status="405"} 1`,
		`wardkeeper_http_requests_total{method="other",path="/access/v1/evaluation",status="405"} 1`,
		`wardkeeper_http_requests_total{method="GET",path="other",status="404"} 2`,
		`wardkeeper_http_requests_total{method="POST",path="/access/v1/evaluations",status="200"} 2`,
		`wardkeeper_http_request_duration_seconds_count{path="/access/v1/evaluation"} 6`,
		`wardkeeper_decisions_total{action="user.view",outcome="allowed"} 4`,
		`wardkeeper_decisions_total{action="user.view",outcome="denied"} 0`,
		`wardkeeper_decisions_total{action="deny",outcome="denied"} 2`,
		`wardkeeper_decisions_total{action="other",outcome="allowed"} 1`,
		`wardkeeper_decisions_total{action="other",outcome="error"} 3`,
		`wardkeeper_policy_info{revision="r1"} 1`,
	} {
		assert.Contains(t, a.body, want+"\n")
	}
	assert.Contains(t, a.body, "\ngo_goroutines ")
	assert.Contains(t, a.body, "\nprocess_open_fds ")
	assert.NotContains(t, a.body, "jane")
	assert.NotContains(t, a.body, "wardkeeper_directory_info{")
	policy = "r2"
	assert.Contains(t, h.do("GET", "/metrics", "").body, `wardkeeper_policy_info{revision="r2"} 1`, "read when scraped")

	h.server.SetActions([]string{"deny"}, nil) // as after a policy change
	h.post("/access/v1/evaluation", question)
	a = h.do("GET", "/metrics", "")
	assert.Contains(t, a.body, `wardkeeper_decisions_total{action="user.view",outcome="allowed"} 4`+"\n", "counters are kept")
	assert.Contains(t, a.body, `wardkeeper_decisions_total{action="other",outcome="allowed"} 2`+"\n")
}

func TestMetricsAreRegisteredInTheGivenRegistry(t *testing.T) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "mine"}, func() float64 { return 7 }))
	cfg := Config{Decider: allow(), BaseURL: "https://x", Registry: reg}
	h := start(t, cfg)
	assert.Contains(t, h.do("GET", "/metrics", "").body, "\nmine 7\n")
	_, err := New(cfg)
	assert.Error(t, err, "two servers cannot share a registry")
	_, err = New(Config{Decider: allow(), BaseURL: "https://x"})
	assert.NoError(t, err)
}

func TestAccessLogHasNoPersonalData(t *testing.T) {
	f := newBatchDecider()
	f.decide = deciderReturning(pdp.Decision{Revision: "r1", Reasons: []any{"Jane Secret may not"}}, nil).decide
	h := start(t, Config{Decider: f})
	h.server.SetActions([]string{"user.view"}, nil)
	body := `{"subject":{"type":"user","id":"secret1@example.org","properties":{"secret2":"x"}},"action":{"name":"user.view"},` +
		`"resource":{"type":"user","id":"secret3@example.org"},"context":{"secret4":"secret5"}}`
	h.post("/access/v1/evaluation?secret6", body, "X-Request-ID", "req-1", "User-Agent", "secret7")
	h.post("/access/v1/evaluation", strings.Replace(body, "user.view", "secret8", 1))
	h.post("/access/v1/evaluation", `{"secret9":1,"secret9":2}`)
	h.post("/access/v1/evaluations", `{"evaluations":[`+body+`,{"subject":{"secret10":1}}]}`)
	h.do("GET", "/secret11", "")
	f.resources = func(context.Context, pdp.SearchRequest) (pdp.SearchResult, error) {
		return pdp.SearchResult{Page: &pdp.PageInfo{NextToken: "secret13"}, Hits: []pdp.Hit{{Type: "user", ID: "secret14"}}}, nil
	}
	h.do("SECRET12", "/ready", "")
	h.post("/access/v1/search/resource", body)
	log := h.log.String()
	assert.NotContains(t, strings.ToLower(log), "secret")

	lines := strings.Split(strings.TrimSpace(log), "\n")
	require.Len(t, lines, 7, "one line a request")
	var first map[string]any
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &first))
	assert.Equal(t, "INFO", first["level"])
	assert.NotEmpty(t, first["peer"])
	assert.NotZero(t, first["duration_us"])
	for _, volatile := range []string{"time", "level", "peer", "duration_us"} {
		delete(first, volatile)
	}
	assert.Equal(t, map[string]any{"msg": "request", "method": "POST", "route": "/access/v1/evaluation", "status": 200.0,
		"request_id": "req-1", "action": "user.view", "outcome": "denied", "revision": "r1"}, first)
	assert.Contains(t, lines[1], `"action":"other","outcome":"denied"`)
	assert.Contains(t, lines[2], `"status":400`)
	assert.Contains(t, lines[2], `"action":"other","outcome":"error"`)
	assert.Contains(t, lines[3], `"allowed":1,"denied":0,"errors":1`)
	assert.Contains(t, lines[4], `"route":"other","status":404`)
	assert.Contains(t, lines[5], `"level":"DEBUG"`)
	assert.Contains(t, lines[6], `"action":"user.view","hits":1`)
}

// A request that fails is one line, with its cause.
func TestCausesAreLoggedOnce(t *testing.T) {
	h := start(t, Config{Decider: newBatchDecider()})
	h.post("/access/v1/evaluations", batchBody("execute_all", "fail", "fail", "fail"))
	assert.Equal(t, 1, strings.Count(h.log.String(), "redis is down"))
	assert.Equal(t, 1, strings.Count(h.log.String(), "\n"))
	h = start(t, Config{Decider: deciderReturning(pdp.Decision{}, &pdp.Error{Kind: pdp.Unavailable, Err: errors.New("gone")})})
	h.post("/access/v1/evaluation", question, "X-Request-ID", "req-7")
	assert.Equal(t, 1, strings.Count(h.log.String(), "\n"))
	assert.Regexp(t, `"level":"WARN","msg":"request",.*"status":503,.*"request_id":"req-7",.*"kind":"unavailable","cause":"gone"`, h.log.String())
}

func TestAccessLogNamesTheTrace(t *testing.T) {
	h := start(t, Config{Decider: allow()})
	h.post("/access/v1/evaluation", question, "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	h.post("/access/v1/evaluation", question, "Traceparent", "of jane.doe@example.org")
	h.post("/access/v1/evaluation", question)
	assert.Equal(t, 1, strings.Count(h.log.String(), `"trace_id":"0af7651916cd43dd8448eb211c80319c"`))
	assert.Equal(t, 1, strings.Count(h.log.String(), "trace_id"))
}

// What is allowed and changes nothing may be left out of the access log, and nothing else.
func TestAccessLogIsSampled(t *testing.T) {
	const many = 200
	f := newBatchDecider()
	f.decide = func(_ context.Context, r pdp.Request) (pdp.Decision, error) {
		if r.Action.Name == "fail" {
			return pdp.Decision{}, &pdp.Error{Kind: pdp.Unavailable, Err: errors.New("gone")}
		}
		return pdp.Decision{Allow: r.Action.Name != "deny"}, nil
	}
	h := start(t, Config{Decider: f, LogSampleRate: 4})
	h.server.SetActions([]string{"view", "edit", "deny", "fail"}, func(name string) bool { return name != "edit" })
	logged := func(path string, body string) (lines, rates int) {
		before := h.log.String()
		for range many {
			h.post(path, body)
		}
		log := h.log.String()[len(before):]
		return strings.Count(log, `"msg":"request"`), strings.Count(log, `"sample_rate":4`)
	}
	lines, rates := logged("/access/v1/evaluation", strings.Replace(question, "user.view", "view", 1))
	assert.Equal(t, lines, rates, "a line says what it stands for")
	assert.NotZero(t, lines)
	assert.Less(t, lines, many*3/4)
	lines, rates = logged("/access/v1/evaluations", batchBody("execute_all", "view", "view"))
	assert.Equal(t, lines, rates)
	assert.Less(t, lines, many*3/4)
	for _, body := range []string{"edit", "deny", "fail", "unknown"} {
		lines, rates := logged("/access/v1/evaluation", strings.Replace(question, "user.view", body, 1))
		assert.Equal(t, many, lines, body)
		assert.Zero(t, rates, body)
		lines, _ = logged("/access/v1/evaluations", batchBody("execute_all", "view", body))
		assert.Equal(t, many, lines, body)
	}
	lines, _ = logged("/access/v1/search/action", question)
	assert.Equal(t, many, lines, "a list")
}
