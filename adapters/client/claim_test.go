package client_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/adapters/client"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

func TestClaim(t *testing.T) {
	t.Parallel()
	const allow, deny = `{"decision":true,"context":{"guard":{"token":"next"}}}`, `{"decision":false}`
	for _, c := range []struct {
		status int
		body   string
		want   *client.Claim // nil: an error
	}{
		{200, `{"claimed":true,"expires":"2026-03-02T07:41:00.500Z","evaluation":{"decision":true}}`,
			&client.Claim{Claimed: true, Expires: time.Date(2026, 3, 2, 7, 41, 0, 500_000_000, time.UTC), Evaluation: authzen.Response{Decision: true}}},
		{409, `{"claimed":false,"code":"changed","error":"x","evaluation":` + allow + `}`, &client.Claim{Code: "changed",
			Evaluation: authzen.Response{Decision: true, Context: map[string]any{"guard": map[string]any{"token": "next"}}}}},
		{409, `{"claimed":false,"code":"denied","error":"x","evaluation":` + deny + `}`, &client.Claim{Code: "denied"}},
		{200, `{"claimed":false,"code":"denied","evaluation":` + deny + `}`, nil},
		{409, `{"claimed":true,"expires":"2026-03-02T07:41:00Z","evaluation":{"decision":true}}`, nil},
		{200, `{"claimed":true,"expires":"2026-03-02T07:41:00Z","evaluation":` + deny + `}`, nil},
		{200, `{"claimed":true,"expires":"soon","evaluation":{"decision":true}}`, nil},
		{200, `{"claimed":true,"expires":"2026-03-02T07:41:00Z"}`, nil},
		{200, `{"claimed":"true","expires":"2026-03-02T07:41:00Z","evaluation":{"decision":true}}`, nil},
		{200, `{"decision":true}`, nil},
		{409, `{"claimed":false,"evaluation":` + deny + `}`, nil},
		{409, `{}`, nil}, {200, ``, nil}, {400, `{"error":"x"}`, nil}, {503, `{"error":"x"}`, nil},
		{503, `{"claimed":true,"expires":"2026-03-02T07:41:00Z","evaluation":{"decision":true}}`, nil},
	} {
		var requests atomic.Int64
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			var sent map[string]any
			assert.NoError(t, json.NewDecoder(r.Body).Decode(&sent))
			assert.Equal(t, "/v1/guards/claim", r.URL.Path)
			assert.Equal(t, "t0ken", sent["guard"])
			assert.Equal(t, map[string]any{"type": "user", "id": "jane"}, sent["resource"])
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		}))
		got, err := newClient(t, client.Config{URL: s.URL}).Claim(t.Context(), about("jane"), "t0ken")
		s.Close()
		assert.Equal(t, int64(1), requests.Load())
		if c.want == nil {
			assert.Error(t, err, c.body)
			assert.Equal(t, client.Claim{}, got, c.body)
			continue
		}
		require.NoError(t, err, c.body)
		assert.Equal(t, *c.want, got)
	}
	assert.Equal(t, "next", client.Guard(authzen.Response{Context: map[string]any{"guard": map[string]any{"token": "next"}}}))
	assert.Empty(t, client.Guard(authzen.Response{Context: map[string]any{"guard": "next"}}))
}

// A claim is sent once: the connection may have broken after it was in force.
func TestClaimIsNotRepeated(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		conn, _, err := http.NewResponseController(w).Hijack()
		assert.NoError(t, err)
		_ = conn.Close()
	}))
	defer s.Close()
	_, err := newClient(t, client.Config{URL: s.URL}).Claim(t.Context(), about("jane"), "t0ken")
	require.Error(t, err)
	assert.Equal(t, int64(1), requests.Load())
}
