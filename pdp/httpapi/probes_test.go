package httpapi

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestProbes(t *testing.T) {
	var missing []Check
	h := start(t, Config{Decider: allow(), Callers: testCallers{ask: staticTokens("secret")}, Ready: func(context.Context) []Check { return missing }})
	assert.Equal(t, `{"alive":true}`, h.do(http.MethodGet, "/health", "").body)
	missing = []Check{{Name: "policy"}}
	a := h.do(http.MethodGet, "/ready", "")
	assert.Equal(t, 200, a.status)
	assert.Equal(t, `{"ready":true}`, a.body)

	cause := errors.New("dial tcp 10.0.0.7:6379: user jane@example.org")
	missing = []Check{{Name: "policy"}, {Name: "directory", Err: cause}, {Name: "redis at 10.0.0.7", Err: cause}}
	a = h.do(http.MethodGet, "/ready", "")
	assert.Equal(t, 503, a.status)
	assert.Equal(t, `{"error":"Not ready, missing: directory, other.","missing":["directory","other"]}`, a.body, "no causes")

	h = start(t, Config{Decider: allow()})
	assert.Equal(t, 200, h.do(http.MethodGet, "/ready", "").status)
	h = start(t, Config{Decider: allow(), Ready: func(context.Context) []Check { panic("oh") }})
	h.do(http.MethodGet, "/ready", "").requireError(t, 500)
	assert.Equal(t, 200, h.do(http.MethodGet, "/health", "").status)
}
