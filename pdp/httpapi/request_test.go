package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

func TestToken(t *testing.T) {
	const token = "s3cret.token-of~this/server="
	h := start(t, Config{Decider: allow(), Tokens: only(token)})
	closed := map[string]string{
		"/access/v1/evaluation": "POST", "/access/v1/evaluations": "POST", "/access/v1/search/subject": "POST",
		"/access/v1/search/resource": "POST", "/access/v1/search/action": "POST", "/metrics": "GET",
	}
	for path, method := range closed {
		for _, auth := range []string{"", "Bearer", "Bearer ", "Bearer wrong", "Bearer " + token + "x", "Bearer " + token[1:], "Bearer  " + token,
			"Basic " + token, token, "Bearer " + strings.ToUpper(token)} {
			a := h.do(method, path, "this is not even JSON", "Authorization", auth)
			text := a.errorText(t, 401)
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

	// Two headers are no token, whichever of them is right.
	s, err := New(Config{Decider: allow(), BaseURL: "https://x", Tokens: only(token), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	r := httptest.NewRequest("POST", "/access/v1/evaluation", strings.NewReader(question))
	r.Header["Content-Type"] = []string{"application/json"}
	r.Header["Authorization"] = []string{"Bearer " + token, "Bearer " + token}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	assert.Equal(t, 401, w.Code)
}

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
			assert.Contains(t, h.post(path, question, "Content-Type", bad).errorText(t, 400), "application/json", bad)
		}
	}
}

func TestRequestID(t *testing.T) {
	s, err := New(Config{Decider: allow(), BaseURL: "https://x", Tokens: only("t"), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	ask := func(path string, ids ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", path, strings.NewReader(question))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer t")
		if ids != nil {
			r.Header["X-Request-Id"] = ids
		}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w
	}
	for _, id := range []string{"7", "0f8fad5b-d9cd-469f-a165-70867728950e", "a b~!\"", "a\tb", "\u00e4, \U0001f600", "\xff", strings.Repeat("x", 4096)} {
		for path, status := range map[string]int{"/access/v1/evaluation": 200, "/access/v1/search/x": 404, "/health": 405} {
			w := ask(path, id)
			assert.Equal(t, status, w.Code)
			assert.Equal(t, []string{id}, w.Header()["X-Request-Id"], "unchanged, on errors too")
		}
	}
	made := map[string]bool{}
	for _, none := range [][]string{nil, {}, {""}} {
		w := ask("/access/v1/evaluation", none...)
		assert.Equal(t, 200, w.Code)
		id := w.Header().Get("X-Request-Id")
		assert.Len(t, id, 32)
		made[id] = true
	}
	assert.Len(t, made, 3, "each has its own")
	for _, bad := range [][]string{{strings.Repeat("x", 4097)}, {"a\nb"}, {"a\x00"}, {"a\x7f"}, {" a"}, {"a\t"}, {"a", "b"}, {"a", "a"}, {"", "a"}} {
		w := ask("/access/v1/evaluation", bad...)
		assert.Equal(t, 200, w.Code, "the question is answered")
		assert.Equal(t, `{"decision":true}`, w.Body.String())
		require.Len(t, w.Header()["X-Request-Id"], 1)
		assert.Len(t, w.Header().Get("X-Request-Id"), 32, "one is made")
	}
}

// TestContentEncodings are undone on every path that reads a body, or refused by name.
func TestContentEncodings(t *testing.T) {
	f := allow()
	f.actions = func(context.Context, pdp.SearchRequest) (pdp.SearchResult, error) { return pdp.SearchResult{}, nil }
	h := start(t, Config{Decider: f, Data: documentsOf(echoed), Changes: announced("5~e", nil), ChangesTokens: only("changes")})
	const changes = `{"users":[{"id":"jane"}]}`
	for path, body := range map[string]string{
		evaluationPath: question, evaluationsPath: question, searchActionPath: question, changesPath: changes, "/v1/data/x": `{"input":1}`, "/": question,
		"/v1/batch/data/x": `{"inputs":{"a":1}}`,
	} {
		ask := func(body, encoding string) answer {
			return h.post(path, body, "Content-Encoding", encoding, "Authorization", "Bearer changes")
		}
		for _, encoding := range []string{"gzip", "x-gzip", "GZip", "X-GZIP", " gzip ", "identity, gzip", "gzip,"} {
			a := ask(packed(t, body), encoding)
			assert.Equal(t, 200, a.status, "%s %s: %s", path, encoding, a.body)
		}
		for _, encoding := range []string{"identity", "Identity", ""} {
			assert.Equal(t, 200, ask(body, encoding).status, encoding)
		}
		for _, encoding := range []string{"br", "deflate", "zstd", "gzip, gzip", "gzip, br", "compress", "*"} {
			a := ask(body, encoding)
			assert.Equal(t, 400, a.status)
			assert.Contains(t, a.body, `\"`+encoding+`\"`, "by name")
		}
		assert.Contains(t, ask(body, "gzip").body, "not compressed as its Content-Encoding says")
		assert.Contains(t, ask(packed(t, body)+"x", "gzip").body, "not compressed as its Content-Encoding says")
		assert.Contains(t, ask(packed(t, strings.Repeat(" ", 16<<20)), "gzip").body, "too large")
	}
}

func TestBodySize(t *testing.T) {
	h := start(t, Config{Decider: allow()})
	padded := func(n int) string { return question + strings.Repeat(" ", n-len(question)) }
	assert.Equal(t, 200, h.post("/access/v1/evaluation", padded(authzen.MaxBody)).status)
	a := h.post("/access/v1/evaluation", padded(authzen.MaxBody+1))
	assert.Equal(t, "The body is too large: send at most 1 MiB.", a.errorText(t, 400))

	// Without a Content-Length it must be found out by reading.
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

// TestLargeAnswer is one that net/http would send in chunks.
func TestLargeAnswer(t *testing.T) {
	big := strings.Repeat("x", 200_000)
	h := start(t, Config{Decider: answers(pdp.Decision{Allow: true, Reasons: []any{big}}, nil)})
	for range 3 { // its buffer is not kept
		a := h.post("/access/v1/evaluation", question)
		assert.Equal(t, `{"decision":true,"context":{"reasons":["`+big+`"]}}`, a.body)
		assert.Equal(t, strconv.Itoa(len(a.body)), a.header.Get("Content-Length"))
	}
}
