package httpapi

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTokensAreReadForEachRequest(t *testing.T) {
	var asking, announcing atomic.Pointer[[]string]
	asking.Store(&[]string{"s3cret-one", "s3cret-two"})
	announcing.Store(&[]string{"s3cret-three", "s3cret-four"})
	h := start(t, Config{
		Decider: allow(), Changes: announcerReturning("1", nil),
		Callers: testCallers{
			ask:      func() []string { return *asking.Load() },
			announce: func() []string { return *announcing.Load() },
		},
	})
	status := func(path, body, token string) int {
		return h.post(path, body, "Authorization", "Bearer "+token).status
	}
	for token, wanted := range map[string]int{"s3cret-one": 200, "s3cret-two": 200, "s3cret-three": 403, "s3cret-one s3cret-two": 401, "": 401} {
		assert.Equal(t, wanted, status("/access/v1/evaluation", question, token), token)
	}
	for token, wanted := range map[string]int{"s3cret-three": 200, "s3cret-four": 200, "s3cret-two": 403, "": 401} {
		assert.Equal(t, wanted, status("/v1/membership/changes", janeChanged, token), token)
	}
	asking.Store(&[]string{"s3cret-two"})
	announcing.Store(&[]string{})
	assert.Equal(t, 401, status("/access/v1/evaluation", question, "s3cret-one"))
	assert.Equal(t, 200, status("/access/v1/evaluation", question, "s3cret-two"))
	assert.Equal(t, 401, status("/v1/membership/changes", janeChanged, "s3cret-three"))
	asking.Store(&[]string{})
	assert.Equal(t, 401, status("/access/v1/evaluation", question, "s3cret-two"), "an empty list of tokens accepts nobody")
	assert.Equal(t, 401, status("/access/v1/evaluation", question, ""))
	assert.NotContains(t, h.log.String(), "s3cret")
}

func TestTokenIsRequired(t *testing.T) {
	const token = "s3cret.token-of~this/server="
	h := start(t, Config{Decider: allow(), Callers: testCallers{ask: staticTokens(token)}})
	closed := map[string]string{
		"/access/v1/evaluation": "POST", "/access/v1/evaluations": "POST", "/access/v1/search/subject": "POST",
		"/access/v1/search/resource": "POST", "/access/v1/search/action": "POST", "/metrics": "GET",
	}
	for path, method := range closed {
		for _, auth := range []string{"", "Bearer", "Bearer ", "Bearer wrong", "Bearer " + token + "x", "Bearer " + token[1:], "Bearer  " + token,
			"Basic " + token, token, "Bearer " + strings.ToUpper(token)} {
			a := h.do(method, path, "this is not even JSON", "Authorization", auth)
			text := a.requireError(t, 401)
			assert.Equal(t, "Bearer", a.header.Get("WWW-Authenticate"))
			assert.NotContains(t, text, token)
		}
	}
	for _, auth := range []string{"Bearer " + token, "bearer " + token, "BEARER " + token} {
		assert.Equal(t, 200, h.post("/access/v1/evaluation", question, "Authorization", auth).status)
	}
	for _, open := range []string{"/health", "/ready", "/.well-known/authzen-configuration"} {
		assert.Equal(t, 200, h.do("GET", open, "").status, open)
	}
	assert.NotContains(t, h.log.String(), token)

	// Two headers are rejected, even if both are valid.
	s, err := New(Config{Decider: allow(), BaseURL: "https://x", Callers: testCallers{ask: staticTokens(token)}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	r := httptest.NewRequest("POST", "/access/v1/evaluation", strings.NewReader(question))
	r.Header["Content-Type"] = []string{"application/json"}
	r.Header["Authorization"] = []string{"Bearer " + token, "Bearer " + token}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	assert.Equal(t, 401, w.Code)
}
