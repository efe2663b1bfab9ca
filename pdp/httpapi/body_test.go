package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

func TestContentType(t *testing.T) {
	h := start(t, Config{Decider: allow()})
	for _, ok := range []string{"application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;charset=UTF-8",
		`application/json; charset="utf-8"`, `application/json ; Charset="UTF-8"`} {
		assert.Equal(t, 200, h.post("/access/v1/evaluation", question, "Content-Type", ok).status, ok)
	}
	for _, bad := range []string{"", "text/plain", "text/json", "application/jsonx", "application/problem+json", "application/x-www-form-urlencoded",
		"application/json; charset=latin1", "application/json; charset=utf-16", "application/json; profile=x", "application/json; charset=utf-8; x=y",
		"application/json, text/plain", "application/*", "json", "application/json; charset"} {
		for _, path := range []string{"/access/v1/evaluation", "/access/v1/evaluations", "/access/v1/search/action"} {
			assert.Contains(t, h.post(path, question, "Content-Type", bad).requireError(t, 400), "application/json", bad)
		}
	}
}

// Encoded bodies are decoded on every path that reads a body. Other encodings are rejected by name.
func TestContentEncodings(t *testing.T) {
	t.Parallel()
	f := allow()
	f.actions = func(context.Context, pdp.SearchRequest) (pdp.SearchResult, error) { return pdp.SearchResult{}, nil }
	h := start(t, Config{Decider: f, Data: dataFunc(echoInput), Changes: announcerReturning("5~e", nil), Callers: testCallers{announce: staticTokens("changes")}})
	inflated := gzipped(t, strings.Repeat(" ", 16<<20))
	const changes = `{"users":[{"id":"jane"}]}`
	for path, body := range map[string]string{
		evaluationPath: question, evaluationsPath: question, searchActionPath: question, changesPath: changes, "/v1/data/x": `{"input":1}`, "/": question,
		"/v1/batch/data/x": `{"inputs":{"a":1}}`,
	} {
		ask := func(body, encoding string) response {
			return h.post(path, body, "Content-Encoding", encoding, "Authorization", "Bearer changes")
		}
		compressed := gzipped(t, body)
		for _, encoding := range []string{"gzip", "x-gzip", "GZip", "X-GZIP", " gzip ", "identity, gzip", "gzip,"} {
			a := ask(compressed, encoding)
			assert.Equal(t, 200, a.status, "%s %s: %s", path, encoding, a.body)
		}
		for _, encoding := range []string{"identity", "Identity", ""} {
			assert.Equal(t, 200, ask(body, encoding).status, encoding)
		}
		for _, encoding := range []string{"br", "deflate", "zstd", "gzip, gzip", "gzip, br", "compress", "*"} {
			a := ask(body, encoding)
			assert.Equal(t, 400, a.status)
			assert.Contains(t, a.body, `\"`+encoding+`\"`, "the message names it")
		}
		assert.Contains(t, ask(body, "gzip").body, "not valid gzip")
		assert.Contains(t, ask(compressed+"x", "gzip").body, "not valid gzip")
		assert.Contains(t, ask(inflated, "gzip").body, "too large")
	}
}

func TestBodySizeLimit(t *testing.T) {
	t.Parallel()
	h := start(t, Config{Decider: allow()})
	padded := func(n int) string { return question + strings.Repeat(" ", n-len(question)) }
	assert.Equal(t, 200, h.post("/access/v1/evaluation", padded(authzen.MaxBody)).status)
	a := h.post("/access/v1/evaluation", padded(authzen.MaxBody+1))
	assert.Equal(t, "The body is too large: send at most 1 MiB.", a.requireError(t, 400))

	// Without a Content-Length the server finds the excess by reading.
	for n, status := range map[int]int{authzen.MaxBody: 200, authzen.MaxBody + 1: 400, authzen.MaxBody + 100: 400} {
		r, err := http.NewRequest("POST", h.url+"/access/v1/evaluation", struct{ *strings.Reader }{strings.NewReader(padded(n))})
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, status, resp.StatusCode, n)
	}
}

// Without a Content-Length, net/http would send the response in chunks.
func TestLargeResponseHasContentLength(t *testing.T) {
	big := strings.Repeat("x", 200_000)
	h := start(t, Config{Decider: deciderReturning(pdp.Decision{Allow: true, Reasons: []any{big}}, nil)})
	for range 3 { // a large buffer is not reused
		a := h.post("/access/v1/evaluation", question)
		assert.Equal(t, `{"decision":true,"context":{"reasons":["`+big+`"]}}`, a.body)
		assert.Equal(t, strconv.Itoa(len(a.body)), a.header.Get("Content-Length"))
	}
}
