package routes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/adapters/identity"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// claimsVerifier accepts every token.
type claimsVerifier map[string]any

func (v claimsVerifier) Verify(context.Context, string) (map[string]any, error) { return v, nil }

// example returns the table of example.yaml for Alice, who is at metro.
func example(t testing.TB) *Table {
	t.Helper()
	table, err := Load("example.yaml")
	require.NoError(t, err)
	return table.WithVerifier(claimsVerifier{"sub": "alice", "location": "metro"})
}

// asking returns a request with a token.
func asking(method, target string) Request {
	return Request{Method: method, Target: target, Host: []string{"admin.example.org"}, Header: http.Header{"Authorization": {"Bearer x.y.z"}}}
}

func TestResolveExample(t *testing.T) {
	table := example(t)
	withBody := asking("POST", "/users/jane/assignments")
	withBody.Header.Set("Content-Type", "application/json; charset=UTF-8")
	withBody.ReadBody = func(int) ([]byte, error) { return []byte(`{"location": "ghi", "role": "ed_normal"}`), nil }
	for _, c := range []struct {
		request  Request
		outcome  Outcome
		line     int
		question string
	}{
		{asking("GET", "/static/"), Public, 12, ``},
		{asking("HEAD", "/static/a/b.css?v=1"), Public, 12, ``},
		{asking("GET", "/static"), NoRoute, 0, ``},
		{asking("POST", "/static/x"), NoRoute, 0, ``},
		{asking("GET", "/users/"), NoRoute, 0, ``},
		{asking("GET", "/users?location=ghi"), Question, 15, `{"subject":{"type":"user","id":"alice"},"action":{"name":"user.list"},"resource":{"type":"location","id":"ghi"},"context":{"current_location":"metro","supported_obligations":["notification"]}}`},
		{asking("GET", "/users/%6Aane"), Question, 19, `{"subject":{"type":"user","id":"alice"},"action":{"name":"user.view"},"resource":{"type":"user","id":"jane"},"context":{"current_location":"metro","supported_obligations":["notification"]}}`},
		{withBody, Question, 29, `{"subject":{"type":"user","id":"alice"},"action":{"name":"assignment.add","properties":{"role":"ed_normal"}},"resource":{"type":"user","id":"jane","properties":{"location":"ghi"}},"context":{"current_location":"metro","supported_obligations":["notification"]}}`},
	} {
		got, err := table.Resolve(t.Context(), c.request)
		require.NoError(t, err, c.request.Target)
		require.Equal(t, c.outcome, got.Outcome, c.request.Target)
		if c.line == 0 {
			require.Nil(t, got.Route)
			continue
		}
		require.Equal(t, c.line, got.Route.Line, c.request.Target)
		if c.outcome == Question {
			question, err := json.Marshal(got.Evaluation)
			require.NoError(t, err)
			require.JSONEq(t, c.question, string(question))
		}
	}
}

func TestFromHTTPLeavesTheBodyToTheApplication(t *testing.T) {
	const body = `{"location": "ghi", "role": "ed_normal"}`
	r := httptest.NewRequest("POST", "/users/j%61ne/assignments", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "bearer x")
	got, err := example(t).Resolve(t.Context(), FromHTTP(r))
	require.NoError(t, err)
	require.Equal(t, "/users/jane/assignments", got.Path)
	var left strings.Builder
	_, err = io.Copy(&left, r.Body)
	require.NoError(t, err)
	require.Equal(t, body, left.String())

	for _, length := range []int{MaxBody, MaxBody + 1} {
		long := body + strings.Repeat(" ", length-len(body))
		for _, known := range []bool{true, false} {
			r := httptest.NewRequest("POST", "/users/jane/assignments", strings.NewReader(long))
			if !known {
				r.ContentLength = -1
			}
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer x")
			_, err := example(t).Resolve(t.Context(), FromHTTP(r))
			if length <= MaxBody {
				require.NoError(t, err)
			} else {
				requireError(t, BadRequest, err)
			}
		}
	}
}

func TestFromHTTPTellsOfTrailersAndOtherHosts(t *testing.T) {
	refused := make(chan error, 1)
	table := example(t)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := table.Resolve(r.Context(), FromHTTP(r))
		refused <- err
	}))
	defer server.Close()
	for name, request := range map[string]string{
		"trailer":       "POST /static/x HTTP/1.1\r\nHost: a\r\nTrailer: X-Confirmed\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Confirmed: true\r\n\r\n",
		"absolute form": "GET http://b/static/x HTTP/1.1\r\nHost: a\r\n\r\n",
		"encoded slash": "GET /static/..%2fx HTTP/1.1\r\nHost: a\r\n\r\n",
		"no host":       "GET /static/x HTTP/1.0\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		require.NoError(t, err)
		_, err = io.WriteString(conn, request)
		require.NoError(t, err)
		err = <-refused
		require.Error(t, err, name)
		requireError(t, BadRequest, err)
		require.NoError(t, conn.Close())
	}
	r := httptest.NewRequest("GET", "/static/x", nil)
	r.Header["Host"] = []string{r.Host}
	_, err := table.Resolve(t.Context(), FromHTTP(r))
	require.NoError(t, err)
	r.Header["Host"] = []string{"other"}
	_, err = table.Resolve(t.Context(), FromHTTP(r))
	requireError(t, BadRequest, err)
}

func requireError(t testing.TB, kind Kind, err error) {
	t.Helper()
	var e *Error
	require.True(t, errors.As(err, &e), "%v", err)
	require.Equal(t, kind, e.Kind, e.Message)
	require.True(t, strings.HasSuffix(e.Message, "."), e.Message)
}

func TestVerifierErrorsAreToldApart(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		ctx      context.Context
		verifier Verifier
		kind     Kind
	}{
		{t.Context(), failingVerifier{errors.New("expired: eyJhbGciOi")}, Unauthenticated},
		{t.Context(), failingVerifier{fmt.Errorf("at idp.example.org: %w", identity.ErrUnavailable)}, Unavailable},
		{cancelled, failingVerifier{context.Canceled}, Unavailable},
		{t.Context(), nil, Unavailable},
		{t.Context(), claimsVerifier{}, Unauthenticated},
		{t.Context(), claimsVerifier{"sub": nil}, Unauthenticated},
		{t.Context(), claimsVerifier{"sub": ""}, Unauthenticated},
		{t.Context(), claimsVerifier{"sub": []any{"alice"}}, Unauthenticated},
		{t.Context(), claimsVerifier{"sub": "alice\n"}, Unauthenticated},
		{t.Context(), claimsVerifier{"sub": true, "location": "metro"}, Unauthenticated},
		{t.Context(), claimsVerifier{"sub": "alice"}, Unauthenticated},
		{t.Context(), claimsVerifier{"sub": "alice", "location": json.Number("1.5")}, Unauthenticated},
	} {
		got, err := example(t).WithVerifier(c.verifier).Resolve(c.ctx, asking("GET", "/users/jane"))
		requireError(t, c.kind, err)
		require.NotContains(t, err.Error(), "eyJ")
		require.Equal(t, NoRoute, got.Outcome)
		require.Empty(t, got.Evaluation)
	}
	got, err := example(t).WithVerifier(claimsVerifier{"sub": json.Number("42"), "location": 7.0}).Resolve(t.Context(), asking("GET", "/users/jane"))
	require.NoError(t, err)
	require.Equal(t, "42", got.Evaluation.Subject.ID)
	require.Equal(t, "7", got.Evaluation.Context["current_location"])
}

func TestUnreadableBodyIsRefused(t *testing.T) {
	r := asking("POST", "/users/jane/assignments")
	r.Header.Set("Content-Type", "application/json")
	cause := errors.New("connection reset")
	r.ReadBody = func(int) ([]byte, error) { return nil, cause }
	_, err := example(t).Resolve(t.Context(), r)
	requireError(t, BadRequest, err)
	require.ErrorIs(t, err, cause)
	require.NotContains(t, err.Error(), "reset")
}

func TestSettingsOfTheVerifier(t *testing.T) {
	require.Equal(t, identity.Config{
		KeysURL: "https://idp.example.org/jwks.json", Issuer: "https://idp.example.org", Audience: "user-admin", Algorithms: []string{"ES256"},
	}, example(t).Subject().JWT.Config())
	require.Equal(t, []string{"notification"}, example(t).SupportedObligations())
}

// TestQuestionsAreWhatDecodersAccept checks that a question survives encoding and decoding.
func TestQuestionsAreWhatDecodersAccept(t *testing.T) {
	table, err := Parse([]byte(fileWith(`location: {header: X-L}, properties: {a: [x, 1, true], b: {query: b}, c: -2.5e3}, confirmed: true, current_location: metro`)))
	require.NoError(t, err)
	r := asking("GET", "/u/J%C3%A9?b=%3Cb%3E")
	r.Header.Set("X-L", "ghi")
	got, err := table.WithVerifier(claimsVerifier{"sub": "alice"}).Resolve(t.Context(), r)
	require.NoError(t, err)
	encoded, err := json.Marshal(got.Evaluation)
	require.NoError(t, err)
	decoded, err := authzen.DecodeEvaluation(encoded)
	require.NoError(t, err)
	require.Equal(t, decoded, got.Evaluation)
}
