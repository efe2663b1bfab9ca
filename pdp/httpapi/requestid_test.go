package httpapi

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRequestID(t *testing.T) {
	s, err := New(Config{Decider: allow(), BaseURL: "https://x", Callers: testCallers{ask: staticTokens("t")}, Logger: slog.New(slog.DiscardHandler)})
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
			assert.Equal(t, []string{id}, w.Header()["X-Request-Id"], "unchanged, even on errors")
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
	assert.Len(t, made, 3, "each request has its own")
	for _, bad := range [][]string{{strings.Repeat("x", 4097)}, {"a\nb"}, {"a\x00"}, {"a\x7f"}, {" a"}, {"a\t"}, {"a", "b"}, {"a", "a"}, {"", "a"}} {
		w := ask("/access/v1/evaluation", bad...)
		assert.Equal(t, 200, w.Code, "the question is answered")
		assert.Equal(t, `{"decision":true}`, w.Body.String())
		require.Len(t, w.Header()["X-Request-Id"], 1)
		assert.Len(t, w.Header().Get("X-Request-Id"), 32, "one is generated")
	}
}
