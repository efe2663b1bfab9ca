package httpapi

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestHeadMatchesGet(t *testing.T) {
	h := start(t, Config{Decider: allow(), Data: dataFunc(echoInput), BaseURL: "https://x/t", Callers: testCallers{ask: staticTokens("secret")}})
	for _, path := range []string{metadataPath, metadataPath + "/t", "/health", "/health?bundles", "/ready", "/metrics", revisionPath, "/v1/data/x?input=1", "/v1/data"} {
		got := h.do(http.MethodGet, path, "", "Authorization", "Bearer secret")
		head := h.do(http.MethodHead, path, "", "Authorization", "Bearer secret")
		assert.Equal(t, got.status, head.status, path)
		assert.Equal(t, got.header.Get("Content-Type"), head.header.Get("Content-Type"), path)
		assert.NotEmpty(t, head.header.Get("X-Request-Id"))
		assert.Empty(t, head.body)
	}
	assert.Equal(t, 401, h.do(http.MethodHead, "/metrics", "").status)
}

func TestUnknownPathsAndMethods(t *testing.T) {
	h := start(t, Config{Decider: allow(), Callers: testCallers{ask: staticTokens("secret")}})
	for _, path := range []string{"/", "/access/v1", "/access/v1/evaluation/", "/Access/v1/evaluation", "//access/v1/evaluation",
		"/access/v1/search", "/access/v1/evaluation%2f", "/.well-known/", "/debug/pprof/", "/v1/data"} {
		for _, method := range []string{"GET", "POST", "OPTIONS", "FOO"} {
			text := h.do(method, path, question).requireError(t, 404)
			assert.Contains(t, text, "nothing at this path")
		}
	}
	posts := []string{"/access/v1/evaluation", "/access/v1/evaluations", "/access/v1/search/subject", "/access/v1/search/resource", "/access/v1/search/action"}
	gets := []string{"/.well-known/authzen-configuration", "/health", "/ready", "/metrics"}
	refused := func(path, allowed string, methods ...string) {
		t.Helper()
		for _, method := range methods {
			a := h.do(method, path, question)
			assert.Contains(t, a.requireError(t, 405), "answers "+allowed+" only", method+" "+path)
			assert.Equal(t, []string{allowed}, a.header.Values("Allow"), method+" "+path)
		}
	}
	for _, path := range posts {
		refused(path, "POST", "GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "FOO")
	}
	for _, path := range gets {
		refused(path, "GET, HEAD", "POST", "PUT", "DELETE", "OPTIONS", "FOO")
	}
	a := h.do("HEAD", "/access/v1/evaluation", "")
	assert.Equal(t, 405, a.status)
	assert.Empty(t, a.body)
}

func TestProxiesAreToldThatThereIsNoRouteFile(t *testing.T) {
	h := start(t, Config{Decider: allow()})
	assert.Contains(t, h.do(http.MethodGet, forwardAuthPath, "").requireError(t, 404), "start the server with a route file (--routes)")
}
