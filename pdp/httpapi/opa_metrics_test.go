package httpapi

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// Each input at the entrypoint counts as an evaluation. Other documents do not count.
func TestDecisionsAreCountedOnEveryOPAPath(t *testing.T) {
	h := start(t, Config{Decider: &fakeDecider{}, Callers: testCallers{ask: staticTokens("secret-token")}, Data: dataFunc(func(in pdp.DataInput) pdp.DataAnswer {
		a := pdp.DataAnswer{Action: "user.view", Value: true, Defined: true, Decision: &pdp.Decision{Allow: true}}
		switch in.Value {
		case "no":
			a.Decision.Allow = false
		case "stranger":
			a.Action = "jane@example.org"
		case "undefined":
			a = pdp.DataAnswer{Action: "user.view", Decision: &pdp.Decision{Fault: true}}
		case "failed":
			a = pdp.DataAnswer{Action: "user.view", Err: &pdp.Error{Kind: pdp.Internal}}
		}
		return a
	})})
	h.server.SetActions([]string{"user.view"}, nil)
	auth := []string{"Authorization", "Bearer secret-token"}
	for _, in := range []string{`"yes"`, `"no"`, `"stranger"`, `"undefined"`, `"failed"`} {
		h.post("/", in, auth...)
		h.post("/v1/data/authz/decision", `{"input":`+in+`}`, auth...)
	}
	h.do("GET", "/v1/data//authz/%64ecision/?input=%22no%22", "", auth...)
	h.post("/v1/batch/data/authz/decision", `{"inputs":{"1":"yes","2":"no","3":"undefined","4":"failed","5":"yes"}}`, auth...)
	h.post("/v1/data/authz/decision", `{`, auth...)
	h.post("/", `{`, auth...)
	h.post("/v1/data/authz/decision", `{}`) // without the token
	h.post("/v1/data/authz", `{`, auth...)
	a := h.do("GET", "/metrics", "", auth...)
	for _, want := range []string{
		`wardkeeper_decisions_total{action="user.view",outcome="allowed"} 4`,
		`wardkeeper_decisions_total{action="user.view",outcome="denied"} 4`,
		`wardkeeper_decisions_total{action="user.view",outcome="error"} 6`,
		`wardkeeper_decisions_total{action="other",outcome="allowed"} 2`,
		`wardkeeper_decisions_total{action="other",outcome="denied"} 0`,
		`wardkeeper_decisions_total{action="other",outcome="error"} 2`,
		`wardkeeper_http_requests_total{method="GET",path="/v1/data/*",status="200"} 1`,
		`wardkeeper_http_requests_total{method="POST",path="/v1/batch/data/*",status="207"} 1`,
	} {
		assert.Contains(t, a.body, want+"\n")
	}
	for _, want := range []string{`"action":"user.view","outcome":"allowed","revision":"r1"`, `"allowed":2,"denied":1,"errors":2,"revision":"r1"`} {
		assert.True(t, contains(h.log, want), want)
	}
	h.post("/v1/data/jane", `{"input":"yes"}`, auth...)
	assert.NotContains(t, a.body+h.log.String(), "jane")
}
