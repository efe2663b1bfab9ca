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
	h.server.SetActions([]string{"user.view", "deny"})
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

	h.server.SetActions([]string{"deny"}) // as after a policy change
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
	h.server.SetActions([]string{"user.view"})
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
	assert.NotZero(t, first["duration"])
	for _, volatile := range []string{"time", "level", "peer", "duration"} {
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

func TestCausesAreLoggedOnce(t *testing.T) {
	h := start(t, Config{Decider: newBatchDecider()})
	h.post("/access/v1/evaluations", batchBody("execute_all", "fail", "fail", "fail"))
	assert.Equal(t, 1, strings.Count(h.log.String(), "redis is down"))
	h = start(t, Config{Decider: deciderReturning(pdp.Decision{}, &pdp.Error{Kind: pdp.Unavailable, Err: errors.New("gone")})})
	h.post("/access/v1/evaluation", question, "X-Request-ID", "req-7")
	assert.Contains(t, h.log.String(), `"level":"WARN","msg":"request failed","kind":"unavailable","request_id":"req-7","cause":"gone"`)
}
