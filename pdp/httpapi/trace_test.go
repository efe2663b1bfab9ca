package httpapi

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/wardkeeper/wardkeeper/pdp/tracing"
)

type passing struct{}

func (passing) Answer(context.Context, *http.Request, bool, error) (int, http.Header, []byte) {
	return http.StatusOK, nil, nil
}

// Whoever may not ask fills no collector.
func TestOnlyRequestsOfCallersAreTraced(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	h := start(t, Config{
		Decider: allow(), Callers: testCallers{ask: staticTokens("secret-token-of-16")}, ForwardAuth: passing{},
		Tracer: tracing.NewTracer(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))),
	})
	before := time.Now()
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for _, authorization := range []string{"", "Bearer of-somebody-else-x", "Basic x"} {
		require.Equal(t, http.StatusUnauthorized, h.post("/access/v1/evaluation", question, "Authorization", authorization, "Traceparent", parent).status)
	}
	h.do(http.MethodGet, "/nothing/here", "")
	h.do(http.MethodGet, metadataPath, "")
	h.do(http.MethodGet, forwardAuthPath, "", proxyTokenField, "of-somebody-else-x")
	assert.Empty(t, spans.Started())

	require.Equal(t, http.StatusOK, h.post("/access/v1/evaluation", question, "Authorization", "Bearer secret-token-of-16", "Traceparent", parent).status)
	h.do(http.MethodGet, forwardAuthPath, "", proxyTokenField, "secret-token-of-16")
	var names []string
	for _, span := range spans.Ended() {
		names = append(names, span.Name())
		assert.True(t, span.StartTime().After(before))
		assert.True(t, span.StartTime().Before(span.EndTime()))
	}
	assert.Equal(t, []string{"POST /access/v1/evaluation", "GET /adapters/forward-auth"}, names)
	assert.Contains(t, h.log.String(), `"trace_id":"0af7651916cd43dd8448eb211c80319c"`)
}
