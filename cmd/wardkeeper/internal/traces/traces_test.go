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
		_, span := e.Tracer().Request(t.Context(), "POST /", nil)
		span.End()
		e.Close(context.Background())
		require.Contains(t, log.String(), "a setting of OpenTelemetry is not used")
		require.Contains(t, log.String(), "traces cannot be exported")
		require.NotContains(t, log.String(), "hunter2")
		require.Less(t, log.Len(), 2000)
	}
}
