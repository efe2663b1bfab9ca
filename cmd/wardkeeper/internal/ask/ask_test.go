package ask

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/client"
)

func sampleQuestion(t *testing.T) *Question {
	t.Helper()
	q, err := Options{SubjectType: "user"}.Question("alice", "user.view", "jane")
	require.NoError(t, err)
	return q
}

// answering returns a handler that sends the same response to every request.
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
	for name, c := range map[string]client.Client{
		"over the network": {BaseURL: server.URL + "/base/"},
		"in this process":  {BaseURL: "http://pdp/base", Transport: client.InProcess{Handler: handler}},
	} {
		c.Authorization = client.Bearer("0123456789abcdef")
		got, err := Ask(t.Context(), c, sampleQuestion(t))
		require.NoError(t, err, name)
		require.True(t, got.Allow)
	}
}

func TestAskFailsWithoutADecision(t *testing.T) {
	for _, c := range []struct {
		handler http.Handler
		want    string
	}{
		{answering(401, `{"error":"A bearer token is needed."}`), "the server answered 401 Unauthorized: A bearer token is needed."},
		{answering(500, `{"decision":true}`), "the server answered 500 Internal Server Error"},
		{answering(502, `<html>`), "the server answered 502 Bad Gateway"},
		{answering(201, `{"decision":true}`), "the server answered 201 Created"},
		{answering(200, `<html>`), errNoDecision.Error()},
		{answering(200, `{"decision":true}`+strings.Repeat(" ", 4<<20)), "the answer is longer than 4194304 bytes"},
		{http.RedirectHandler("http://example.org/", http.StatusTemporaryRedirect), "the server answered 307 Temporary Redirect"},
	} {
		server := httptest.NewServer(c.handler)
		_, err := Ask(t.Context(), client.Client{BaseURL: server.URL}, sampleQuestion(t))
		require.EqualError(t, err, c.want)
		_, err = Ask(t.Context(), client.Client{BaseURL: "http://pdp", Transport: client.InProcess{Handler: c.handler}}, sampleQuestion(t))
		require.EqualError(t, err, c.want)
		server.Close()
		_, err = Ask(t.Context(), client.Client{BaseURL: server.URL}, sampleQuestion(t))
		require.ErrorContains(t, err, "cannot reach the server")
	}
}

func TestAskEndsWithItsContext(t *testing.T) {
	hang := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server notices a lost client only after it has read the body
		<-r.Context().Done()
	})
	server := httptest.NewServer(hang)
	defer server.Close()
	for _, c := range []client.Client{{BaseURL: server.URL}, {BaseURL: "http://pdp", Transport: client.InProcess{Handler: hang}}} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := Ask(ctx, c, sampleQuestion(t))
		require.ErrorContains(t, err, "the server did not answer in time")
	}
}
