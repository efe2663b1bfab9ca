package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReadinessShowsMembershipProblems(t *testing.T) {
	for name, c := range map[string]struct {
		status MembershipStatus
		want   string
	}{
		"no problem":    {MembershipStatus{}, ""},
		"quarantined":   {MembershipStatus{Quarantined: 1000}, `,"membership":{"quarantined_count":1000}`},
		"not confirmed": {MembershipStatus{NotConfirmed: true}, `,"membership":{"not_vouched":true}`},
		"missing proofs": {MembershipStatus{NotConfirmed: true, MissingProofs: []string{"pooled_connection", "triggers"}},
			`,"membership":{"not_vouched":true,"unconfirmed":["pooled_connection","triggers"]}`},
		"shared cache down": {MembershipStatus{SharedCacheDown: true}, `,"membership":{"shared_lost":true}`},
		"all problems": {MembershipStatus{Quarantined: 1, NotConfirmed: true, SharedCacheDown: true},
			`,"membership":{"quarantined_count":1,"not_vouched":true,"shared_lost":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			var missing error
			h := start(t, Config{Decider: allow(), Callers: testCallers{ask: staticTokens("secret")}, Membership: func() MembershipStatus { return c.status },
				Ready: func(context.Context) []Check { return []Check{{Name: "directory", Err: missing}} }})
			a := h.do(http.MethodGet, "/ready", "")
			assert.Equal(t, 200, a.status, "problems with some facts do not stop all decisions")
			assert.Equal(t, `{"ready":true`+c.want+`}`, a.body)
			missing = errors.New("connection refused")
			a = h.do(http.MethodGet, "/ready", "")
			assert.Equal(t, 503, a.status)
			assert.Equal(t, `{"error":"Not ready, missing: directory.","missing":["directory"]`+c.want+`}`, a.body)
		})
	}
	h := start(t, Config{Decider: allow(), Membership: func() MembershipStatus { panic("oh") }})
	h.do(http.MethodGet, "/ready", "").requireError(t, 500)
}

func TestReadinessShowsPolicyProblemsWithoutMessages(t *testing.T) {
	at := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	unsigned := &PolicyAttempt{At: at, Outcome: "refused", Reason: "unsigned", Message: "it names a person"}
	gone := &PolicyAttempt{At: at, Outcome: "unavailable", Reason: "unavailable", Message: "it names a host"}
	var missing error
	policy := PolicyStatus{}
	h := start(t, Config{
		Decider: &fakeDecider{}, Callers: testCallers{ask: staticTokens("secret-token-of-16")}, Policy: func() PolicyStatus { return policy },
		Ready: func(context.Context) []Check { return []Check{{Name: "policy", Err: missing}} },
	})
	for name, c := range map[string]struct {
		status PolicyStatus
		ready  string
	}{
		"nothing known": {PolicyStatus{}, `{"ready":true}`},
		"no problem":    {PolicyStatus{ID: "r1", Attempt: &PolicyAttempt{At: at, Outcome: "unchanged"}}, `{"ready":true}`},
		"refused": {PolicyStatus{ID: "r1", Attempt: unsigned, Refused: unsigned},
			`{"ready":true,"policy":{"revision":"r1","last_attempt":{"at":"2026-11-01T08:00:00Z","outcome":"refused","reason":"unsigned"},` +
				`"refused":{"at":"2026-11-01T08:00:00Z","outcome":"refused","reason":"unsigned"},"note":"The policy of the source is refused. The one before it stays in force."}}`},
		"refused, then gone": {PolicyStatus{ID: "r1", Attempt: gone, Refused: unsigned},
			`{"ready":true,"policy":{"revision":"r1","last_attempt":{"at":"2026-11-01T08:00:00Z","outcome":"unavailable","reason":"unavailable"},` +
				`"refused":{"at":"2026-11-01T08:00:00Z","outcome":"refused","reason":"unsigned"},"note":"The policy of the source is refused. The one before it stays in force."}}`},
		"from disk": {PolicyStatus{ID: "r1", FromDisk: true}, `{"ready":true,"policy":{"revision":"r1","from_disk":true}}`},
		"stale":     {PolicyStatus{ID: "r1", Stale: true}, `{"ready":true,"policy":{"revision":"r1","stale":true}}`},
		"refused for so long that it is stale": {PolicyStatus{ID: "r1", Stale: true, Refused: unsigned},
			`{"ready":true,"policy":{"revision":"r1","stale":true,"refused":{"at":"2026-11-01T08:00:00Z","outcome":"refused","reason":"unsigned"}}}`},
	} {
		policy = c.status
		assert.Equal(t, c.ready, h.do("GET", "/ready", "").body, name)
	}
	missing, policy = errors.New("there is none"), PolicyStatus{Attempt: gone}
	a := h.do("GET", "/ready", "")
	assert.Equal(t, http.StatusServiceUnavailable, a.status)
	assert.Equal(t, `{"error":"Not ready, missing: policy.","missing":["policy"],"policy":{"last_attempt":`+
		`{"at":"2026-11-01T08:00:00Z","outcome":"unavailable","reason":"unavailable"}}}`, a.body)

	policy = PolicyStatus{ID: "r1", Label: "abc", Sequence: 7, Source: "https://b", Entrypoint: "authz/decision", Verified: true, Activated: at, Attempt: unsigned}
	assert.Equal(t, http.StatusUnauthorized, h.do("GET", "/v1/revision", "").status)
	assert.JSONEq(t, `{"revision":"r1","label":"abc","sequence":7,"source":"https://b","entrypoint":"authz/decision","verified":true,
		"activated_at":"2026-11-01T08:00:00Z","last_attempt":{"at":"2026-11-01T08:00:00Z","outcome":"refused","reason":"unsigned","message":"it names a person"},
		"causes":{"policy":"there is none"}}`,
		h.do("GET", "/v1/revision", "", "Authorization", "Bearer secret-token-of-16").body)
}

func TestOperatorsSeeTheLatestCausesOfWhatFails(t *testing.T) {
	var checks []Check
	h := start(t, Config{
		Decider: &fakeDecider{}, Callers: testCallers{ask: staticTokens("secret-token-of-16")}, Ready: func(context.Context) []Check { return checks },
	})
	causes := func() (r Revision) {
		require.NoError(t, json.Unmarshal([]byte(h.do("GET", "/v1/revision", "", "Authorization", "Bearer secret-token-of-16").body), &r))
		return r
	}
	checks = []Check{
		{Name: "directory", Err: errors.New("refused"), Degraded: true},
		{Name: "decision_sinks", Err: errors.Join(errors.New("siem: 500"), errors.New(strings.Repeat("x", 600))), Degraded: true, Recent: true},
	}
	assert.Equal(t, `{"ready":true,"degraded":true,"missing":["directory"]}`, h.do("GET", "/ready", "").body, "it has not failed for long, and causes are not public")
	got := causes().Causes
	assert.Equal(t, "refused", got["directory"])
	assert.Equal(t, "siem: 500; "+strings.Repeat("x", 489)+" ...", got["decision_sinks"])
	assert.NotContains(t, h.log.String(), "siem", "it does not count yet")

	checks = []Check{{Name: "directory", Err: errors.New("too slow"), Degraded: true}}
	h.do("GET", "/ready", "")
	assert.Equal(t, map[string]string{"directory": "too slow"}, causes().Causes)
	checks = nil
	h.do("GET", "/ready", "")
	assert.Empty(t, causes().Causes)
}
