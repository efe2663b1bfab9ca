package traces

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNeitherVariablesNorAnswersOfTheCollectorAreLogged(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusTooManyRequests} {
		collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, strings.Repeat("hunter2 ", 10_000))
		}))
		defer collector.Close()
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
		t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=100%hunter2,Bearer hunter2")
		var log bytes.Buffer
		e, err := Open(t.Context(), "1", slog.New(slog.NewTextHandler(&log, nil)))
		require.NoError(t, err)
		_, span := e.Tracer().Request(t.Context(), "POST /", nil, time.Now())
		span.End()
		e.Close(context.Background())
		require.Contains(t, log.String(), "a setting of OpenTelemetry is not used")
		require.Contains(t, log.String(), "traces cannot be exported")
		require.NotContains(t, log.String(), "hunter2")
		require.Less(t, log.Len(), 2000)
	}
}

func TestCollectorsThatOthersCanListenToAreRefused(t *testing.T) {
	const refused = "anyone on the network can read"
	for _, c := range []struct{ endpoint, own, insecure, want string }{
		{"", "", "", ""},
		{"https://otel.example.org:4318", "", "", ""},
		{"http://127.0.0.1:4318", "", "", ""},
		{"http://[::1]:4318", "", "", ""},
		{"http://otel.example.org:4318", "", "", refused},
		{"HTTP://otel.example.org:4318", "", "", refused},
		{"https://otel.example.org", "http://otel.example.org/v1/traces", "", refused},
		{"http://otel.example.org", "https://otel.example.org/v1/traces", "", ""},
		{"http://otel.example.org", "", "false", refused},
		{"http://otel.example.org", "", "true", ""},
	} {
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.endpoint)
		t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", c.own)
		t.Setenv("OTEL_EXPORTER_OTLP_INSECURE", c.insecure)
		e, err := Open(t.Context(), "1", slog.New(slog.DiscardHandler))
		if c.want != "" {
			require.ErrorContains(t, err, c.want, c)
			require.NotContains(t, err.Error(), "otel.example.org")
			continue
		}
		require.NoError(t, err, c)
		e.Close(t.Context())
	}
}

func TestRedirectsOfTheCollectorAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("redirected, with %v", r.Header)
	}))
	defer elsewhere.Close()
	asked := 0
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hunter2")
	var log bytes.Buffer
	e, err := Open(t.Context(), "1", slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	_, span := e.Tracer().Request(t.Context(), "POST /", nil, time.Now())
	span.End()
	e.Close(context.Background())
	require.Equal(t, 1, asked)
	require.Contains(t, log.String(), "traces cannot be exported")
}
