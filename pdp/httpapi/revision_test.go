package httpapi

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestWhatIsToldOfThePolicy: everything to who has the token, words alone to everybody, and nothing where all is well.
func TestWhatIsToldOfThePolicy(t *testing.T) {
	at := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	unsigned := &PolicyAttempt{At: at, Outcome: "refused", Reason: "unsigned", Message: "it names a person"}
	gone := &PolicyAttempt{At: at, Outcome: "unavailable", Reason: "unavailable", Message: "it names a host"}
	var missing error
	policy := PolicyStatus{}
	h := start(t, Config{
		Decider: &fake{}, Tokens: only("secret-token-of-16"), Policy: func() PolicyStatus { return policy },
		Ready: func(context.Context) []Check { return []Check{{Name: "policy", Err: missing}} },
	})
	for name, c := range map[string]struct {
		status PolicyStatus
		ready  string
	}{
		"nothing known": {PolicyStatus{}, `{"ready":true}`},
		"all is well":   {PolicyStatus{ID: "r1", Attempt: &PolicyAttempt{At: at, Outcome: "unchanged"}}, `{"ready":true}`},
		"refused": {PolicyStatus{ID: "r1", Attempt: unsigned, Refused: unsigned},
			`{"ready":true,"policy":{"revision":"r1","last_attempt":{"at":"2026-11-01T08:00:00Z","outcome":"refused","reason":"unsigned"},` +
				`"refused":{"at":"2026-11-01T08:00:00Z","outcome":"refused","reason":"unsigned"}}}`},
		"refused, then gone": {PolicyStatus{ID: "r1", Attempt: gone, Refused: unsigned},
			`{"ready":true,"policy":{"revision":"r1","last_attempt":{"at":"2026-11-01T08:00:00Z","outcome":"unavailable","reason":"unavailable"},` +
				`"refused":{"at":"2026-11-01T08:00:00Z","outcome":"refused","reason":"unsigned"}}}`},
		"from disk": {PolicyStatus{ID: "r1", FromDisk: true}, `{"ready":true,"policy":{"revision":"r1","from_disk":true}}`},
		"stale":     {PolicyStatus{ID: "r1", Stale: true}, `{"ready":true,"policy":{"revision":"r1","stale":true}}`},
	} {
		policy = c.status
		assert.Equal(t, c.ready, h.do("GET", "/ready", "").body, name)
	}
	missing, policy = errors.New("there is none"), PolicyStatus{Attempt: gone}
	a := h.do("GET", "/ready", "")
	assert.Equal(t, http.StatusServiceUnavailable, a.status)
	assert.Equal(t, `{"error":"Not ready, for want of: policy.","missing":["policy"],"policy":{"last_attempt":`+
		`{"at":"2026-11-01T08:00:00Z","outcome":"unavailable","reason":"unavailable"}}}`, a.body)

	policy = PolicyStatus{ID: "r1", Label: "abc", Sequence: 7, Source: "https://b", Entrypoint: "authz/decision", Verified: true, Activated: at, Attempt: unsigned}
	assert.Equal(t, http.StatusUnauthorized, h.do("GET", "/v1/revision", "").status)
	assert.JSONEq(t, `{"revision":"r1","label":"abc","sequence":7,"source":"https://b","entrypoint":"authz/decision","verified":true,
		"activated_at":"2026-11-01T08:00:00Z","last_attempt":{"at":"2026-11-01T08:00:00Z","outcome":"refused","reason":"unsigned","message":"it names a person"}}`,
		h.do("GET", "/v1/revision", "", "Authorization", "Bearer secret-token-of-16").body)
}
