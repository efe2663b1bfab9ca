package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func aQuestion(t *testing.T) *question {
	t.Helper()
	q, err := wording{subjectType: "user"}.question("alice", "user.view", "jane")
	require.NoError(t, err)
	return q
}

// answering is a handler that answers everything alike.
func answering(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func TestAsk(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/base/access/v1/evaluation" ||
			r.Header.Get("Authorization") != "Bearer 0123456789abcdef" || r.Header.Get("Content-Type") != "application/json" ||
			!strings.Contains(string(body), `"subject":{"type":"user","id":"alice"}`) {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		_, _ = io.WriteString(w, `{"decision":true}`)
	})
	server := httptest.NewServer(handler)
	defer server.Close()
	for name, a := range map[string]asker{
		"over the network": {baseURL: server.URL + "/base/"},
		"in this process":  {baseURL: "http://pdp/base", transport: inProcess{handler}},
	} {
		a.token = "0123456789abcdef"
		got, err := a.ask(t.Context(), aQuestion(t))
		require.NoError(t, err, name)
		require.True(t, got.allow)
	}
}

func TestAskGetsNoDecision(t *testing.T) {
	for _, c := range []struct {
		handler http.Handler
		want    string
	}{
		{answering(401, `{"error":"A bearer token is needed."}`), "the server answered 401 Unauthorized: A bearer token is needed."},
		{answering(500, `{"decision":true}`), "the server answered 500 Internal Server Error"},
		{answering(502, `<html>`), "the server answered 502 Bad Gateway"},
		{answering(201, `{"decision":true}`), "the server answered 201 Created"},
		{answering(200, `<html>`), errNoDecision.Error()},
		{answering(200, `{"decision":true}`+strings.Repeat(" ", longestAnswer)), "the answer is too long"},
		{http.RedirectHandler("http://example.org/", http.StatusTemporaryRedirect), "the server answered 307 Temporary Redirect"},
	} {
		server := httptest.NewServer(c.handler)
		_, err := asker{baseURL: server.URL}.ask(t.Context(), aQuestion(t))
		require.EqualError(t, err, c.want)
		_, err = asker{baseURL: "http://pdp", transport: inProcess{c.handler}}.ask(t.Context(), aQuestion(t))
		require.EqualError(t, err, c.want)
		server.Close()
		_, err = asker{baseURL: server.URL}.ask(t.Context(), aQuestion(t))
		require.ErrorContains(t, err, "the server cannot be reached")
	}
}

func TestAskGivesUp(t *testing.T) {
	hang := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the caller has gone
		<-r.Context().Done()
	})
	server := httptest.NewServer(hang)
	defer server.Close()
	for _, a := range []asker{{baseURL: server.URL}, {baseURL: "http://pdp", transport: inProcess{hang}}} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := a.ask(ctx, aQuestion(t))
		require.ErrorContains(t, err, "the answer took too long")
	}
}

func TestMemoryWriter(t *testing.T) {
	w := &memoryWriter{header: http.Header{}, status: http.StatusOK}
	_, err := io.WriteString(w, "said")
	require.NoError(t, err)
	w.WriteHeader(http.StatusTeapot) // too late, as with a real one
	require.Equal(t, http.StatusOK, w.status)
	require.Equal(t, "said", w.body.String())
}
