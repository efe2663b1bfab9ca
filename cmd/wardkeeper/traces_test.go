package main

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// traceCollector receives traces by OTLP over HTTP.
type traceCollector struct {
	*httptest.Server
	mu   sync.Mutex
	text string                     // of everything received
	all  map[string][]*tracev1.Span // by the id of the trace
}

func startTraceCollector(t *testing.T) *traceCollector {
	c := &traceCollector{all: map[string][]*tracev1.Span{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var export collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &export) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.text += prototext.Format(&export)
		for _, resource := range export.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				for _, span := range scope.Spans {
					id := hex.EncodeToString(span.TraceId)
					c.all[id] = append(c.all[id], span)
				}
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(c.Close)
	return c
}

// A trace leads from the caller through the request, the tiers of facts and the policy to the application, and names nobody.
func TestTraceLeadsFromTheCallerToTheApplication(t *testing.T) {
	skipIfShort(t)
	t.Parallel()
	traces, redis := startTraceCollector(t), servertest.StartRedis(t)
	directory, err := os.ReadFile(testDirectory)
	require.NoError(t, err)
	application := origintest.NewApplication(t, string(directory))
	with := func(cmd *exec.Cmd) *exec.Cmd {
		cmd.Env = append(cmd.Env, "OTEL_EXPORTER_OTLP_ENDPOINT="+traces.URL, "OTEL_RESOURCE_ATTRIBUTES=place=here")
		return cmd
	}
	d := startServerBy(t, with, "127.0.0.1:0", "--directory", application.Serve().URL+"/membership", "--redis", redis.URL(), "--traces", "otlp")
	waitUntil(t, "Redis is followed", func() bool {
		return strings.Contains(get(t, http.DefaultClient, d.url+"/metrics"), `wardkeeper_membership_feed_live{feed="stream"} 1`)
	})
	const first, second, unsampled, parent = "0af7651916cd43dd8448eb211c80319c", "1af7651916cd43dd8448eb211c80319c", "2af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	askTraced(t, d.url, "00-"+first+"-"+parent+"-01")
	asked := application.Requests()
	askTraced(t, d.url, "00-"+second+"-"+parent+"-01")
	askTraced(t, d.url, "00-"+unsampled+"-"+parent+"-00")
	d.signal(t, syscall.SIGTERM)
	status, log := d.end()
	require.Equal(t, statusOK, status, log)
	assert.Contains(t, log, `"trace_id":"`+first+`"`)

	traces.mu.Lock()
	defer traces.mu.Unlock()
	assert.Empty(t, traces.all[unsampled], "the caller does not want it traced")
	named, byID := map[string][]*tracev1.Span{}, map[string]string{}
	for _, span := range traces.all[first] {
		named[span.Name] = append(named[span.Name], span)
		byID[hex.EncodeToString(span.SpanId)] = span.Name
	}
	for child, of := range map[string]string{
		"facts": "POST /access/v1/evaluation", "evaluate": "POST /access/v1/evaluation", "load user": "facts", "shared": "load ", "origin": "load ",
	} {
		require.NotEmpty(t, named[child], "%s: %v", child, byID)
		for _, span := range named[child] {
			at := byID[hex.EncodeToString(span.ParentSpanId)]
			assert.True(t, strings.HasPrefix(at, of), "%s is part of %s, not of %q", child, of, at)
		}
	}
	assert.Equal(t, parent, hex.EncodeToString(named["POST /access/v1/evaluation"][0].ParentSpanId))
	origins := map[string]bool{}
	for _, span := range named["origin"] {
		origins["00-"+first+"-"+hex.EncodeToString(span.SpanId)+"-01"] = true
	}
	told := 0
	for _, r := range asked {
		if at := r.Header.Get("Traceparent"); at != "" {
			told++
			assert.True(t, origins[at], at)
		}
	}
	assert.Equal(t, len(origins), told, "the application is told")
	var names []string
	for _, span := range traces.all[second] {
		names = append(names, span.Name)
		if span.Name == "facts" {
			require.NotEmpty(t, span.Events)
			assert.Contains(t, []string{"memory user", "memory organization"}, span.Events[0].Name)
		}
	}
	assert.ElementsMatch(t, []string{"POST /access/v1/evaluation", "facts", "evaluate"}, names, "the facts are in memory")
	assert.Contains(t, traces.text, `"here"`)
	for _, secret := range []string{"alice", "jane", "metro", "ghi", "example.org"} {
		assert.NotContains(t, traces.text, secret)
	}
}

func askTraced(t *testing.T, url, traceparent string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, url+evaluationPath, strings.NewReader(viewJane))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Traceparent", traceparent)
	w, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, w.Body.Close())
	require.Equal(t, http.StatusOK, w.StatusCode)
}
