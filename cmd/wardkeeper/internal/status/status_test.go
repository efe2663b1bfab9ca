package status

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/client"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/metrics"
	"github.com/wardkeeper/wardkeeper/pdp/decisionlog"
	"github.com/wardkeeper/wardkeeper/pdp/fleetkey"
	"github.com/wardkeeper/wardkeeper/pdp/membership/cache"
	"github.com/wardkeeper/wardkeeper/pdp/membership/relay"
)

// fakeServer answers as a sidecar does, with its own collectors.
type fakeServer struct {
	status            int
	ready, revision   string
	facts             cache.Status
	listening         relay.Status
	decisions         decisionlog.Status
	keys              fleetkey.Status
	requests, refused *prometheus.CounterVec
	seconds           *prometheus.HistogramVec
	sinks             *prometheus.Registry
	mux               http.ServeMux
}

func newFakeServer(t *testing.T) *fakeServer {
	f := &fakeServer{
		status: 200, ready: `{"ready":true}`, revision: `{"revision":"0123456789abcdef","source":"built-in","evaluator":"compiled"}`,
		sinks:    prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "wardkeeper_http_requests_total"}, []string{"path", "status"}),
		refused:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "wardkeeper_http_refused_total"}, []string{"reason"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "wardkeeper_http_request_duration_seconds", Buckets: []float64{.001, .01}}, []string{"path"}),
	}
	reg := prometheus.NewRegistry()
	start := prometheus.NewGauge(prometheus.GaugeOpts{Name: "process_start_time_seconds"})
	start.Set(float64(time.Now().Add(-90 * time.Minute).Unix()))
	reg.MustRegister(metrics.Facts(func() cache.Status { return f.facts }), metrics.DecisionLog(func() decisionlog.Status { return f.decisions }, nil),
		metrics.FleetKey(func() fleetkey.Status { return f.keys }), metrics.Listening(func() relay.Status { return f.listening }),
		f.requests, f.refused, f.seconds, start)
	f.mux.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(f.status)
		fmt.Fprint(w, f.ready)
	})
	f.mux.HandleFunc("/v1/revision", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, f.revision) })
	f.mux.Handle("/metrics", promhttp.HandlerFor(prometheus.Gatherers{reg, f.sinks}, promhttp.HandlerOpts{}))
	return f
}

func (f *fakeServer) read(t *testing.T) *Snapshot {
	t.Helper()
	s, err := Read(t.Context(), client.Client{BaseURL: "http://pdp", Transport: client.InProcess{Handler: &f.mux}})
	require.NoError(t, err)
	return s
}

func (f *fakeServer) count(path, status string, seconds float64, n int) {
	for range n {
		f.requests.WithLabelValues(path, status).Inc()
		f.seconds.WithLabelValues(path).Observe(seconds)
	}
}

func TestWhatIsWrongIsMarked(t *testing.T) {
	f := newFakeServer(t)
	f.facts = cache.Status{Entries: 12034, Memory: 3 << 20, FromMemory: 98, FromOrigin: 2, Confirming: true, Confirmed: true, Shared: true, StreamLive: true}
	text := f.read(t).Since(nil, "http://pdp").Text()
	assert.NotContains(t, text, "\n!")
	assert.Contains(t, text, "READY  http://pdp, up 1 h 30 min\n  policy        0123456789ab, built-in, compiled\n")
	assert.Contains(t, text, "  facts         12,034 records in memory (3 MiB); 98.0 % from memory, 2.0 % from the source, since the start\n")
	assert.Contains(t, text, "  Redis         changes are heard of (stream)\n")
	assert.Contains(t, text, "  listener      this sidecar leaves it to another one to listen to the database (term 0; 0 takeovers by this one, since the start)\n")
	f.listening = relay.Status{Leading: true, Term: 7, Takeovers: 2}
	text = f.read(t).Since(nil, "http://pdp").Text()
	assert.Contains(t, text, "  listener      this sidecar listens to the database for all (term 7; 2 takeovers by this one, since the start)\n")
	f.listening = relay.Status{Standby: true, Term: 7}
	text = f.read(t).Since(nil, "http://pdp").Text()
	assert.Contains(t, text, "  listener      this sidecar listens to the database too, ready to do so for all (term 7; 0 takeovers by this one, since the start)\n")
	f.listening = relay.Status{Alone: true}
	text = f.read(t).Since(nil, "http://pdp").Text()
	assert.Contains(t, text, "! listener      this sidecar listens to the database for itself alone (term 0; 0 takeovers by this one, since the start)\n")
	f.listening = relay.Status{}

	f.status, f.ready = 503, `{"error":"Not ready, missing: directory.","missing":["directory"]}`
	f.facts.Confirmed, f.facts.Unproven, f.facts.StreamLive, f.facts.Quarantined = false, []string{"stream"}, false, []string{`user "ann"`}
	f.decisions = decisionlog.Status{Failing: assert.AnError}
	failing := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "wardkeeper_decision_sink_failing"}, []string{"sink"})
	failing.WithLabelValues("siem").Set(1)
	f.sinks.MustRegister(failing)
	f.revision = `{"revision":"r1","source":"https://b","evaluator":"interpreted","because":"no plan","stale":true,
		"refused":{"at":"2026-11-01T08:00:00Z","outcome":"refused","reason":"unsigned","message":"no signature"},
		"last_attempt":{"at":"2026-11-01T08:00:30Z","outcome":"refused","reason":"unsigned","message":"no signature"},
		"causes":{"directory":"connection refused","decision_sinks":"sink siem lacks the last 3 records: the service answered 500"}}`
	report := f.read(t).Since(nil, "http://pdp")
	assert.Equal(t, Useless, report.State)
	text = report.Text()
	for _, want := range []string{
		"missing       directory: the source of facts cannot be reached, or has no locations", "policy        interpreted, which is slower: no plan",
		"policy        stale: ", "policy        the newest bundle is refused: unsigned, ", "facts         not vouched: changes are not heard of, and facts are fetched more often; missing: stream",
		"Redis         changes are not heard of", "quarantine    1 records break a rule of the directory: user ann", "decision log  records cannot be written",
		"sink          siem: 0 sent, 0 lost; 0 records behind, the oldest for 0 s: it takes none\n",
		"cause         directory: connection refused\n", "cause         decision_sinks: sink siem lacks the last 3 records: the service answered 500\n",
	} {
		assert.Contains(t, text, "\n! "+want)
	}
	assert.Equal(t, 1, strings.Count(text, "no signature"), "a refusal is shown once, however often it is tried again")
}

func TestCountsAreThoseOfTheInterval(t *testing.T) {
	f := newFakeServer(t)
	f.count("/access/v1/evaluation", "200", .0005, 1000)
	f.count("/ready", "503", 9, 1000) // probes are no questions
	before := f.read(t)
	assert.Contains(t, before.Since(nil, "").Text(), "requests      1,000; half within 1ms, 99 % within 1ms, since the start\n")
	f.count("/access/v1/evaluation", "200", .005, 30)
	f.count("/access/v1/evaluation", "503", 9, 10)
	f.refused.WithLabelValues("busy").Add(10)
	f.keys = fleetkey.Status{Keys: []string{"a1", "b2"}, Refused: []fleetkey.Refused{{Use: "page_token", Reason: "forged", Count: 4}, {Use: "stream_entry", Reason: "forged"}}}
	after := f.read(t)
	after.at = before.at.Add(2 * time.Second)
	report := after.Since(before, "")
	assert.InEpsilon(t, 2, report.Interval, 0.001)
	assert.Equal(t, &Requests{Count: 40, Median: .01, P99: Beyond, Failed: map[string]float64{"503": 10}}, report.Requests)
	text := report.Text()
	assert.Contains(t, text, "  requests      20/s; half within 10ms, 99 % within more than the greatest bound, in 2 s\n!               not 200: 503: 5.0/s\n")
	assert.Contains(t, text, "! admission     busy: 5.0/s\n")
	assert.Contains(t, text, "! fleet key     a1 signs, also verified: b2; not verified: page_token: 2.0/s\n")
}

func TestWhatIsNotKnownIsSaid(t *testing.T) {
	f := newFakeServer(t)
	f.ready = `{"ready":true,"degraded":true,"missing":["directory"],"membership":{"not_vouched":true,"quarantined_count":2},"policy":{"from_disk":true}}`
	refused := http.NewServeMux()
	refused.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ready" {
			f.mux.ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusForbidden)
	})
	s, err := Read(t.Context(), client.Client{BaseURL: "http://pdp", Transport: client.InProcess{Handler: refused}})
	require.NoError(t, err)
	text := s.Since(nil, "http://pdp").Text()
	assert.Equal(t, strings.Join([]string{
		"DEGRADED  http://pdp",
		"! missing       directory: the source of facts cannot be reached, or has no locations",
		"! policy        from disk: its source has not confirmed it since the start",
		"! facts         not vouched: changes are not heard of, and facts are fetched more often",
		"! quarantine    2 records break a rule of the directory",
		"  not known     /v1/revision, /metrics: the server answered 403 Forbidden: it needs the credentials of a caller with the role operations, such as --token-file",
		"",
	}, "\n"), text)

	for _, answer := range []string{`<html>`, `{}`, `{"ready":"yes"}`} {
		f.ready = answer
		_, err = Read(t.Context(), client.Client{BaseURL: "http://pdp", Transport: client.InProcess{Handler: &f.mux}})
		require.ErrorContains(t, err, "is this the address of a sidecar?", answer)
	}
}

func TestDifferingFleetKeysAreSeen(t *testing.T) {
	f := newFakeServer(t)
	f.keys = fleetkey.Status{Keys: []string{"a1"}, Refused: []fleetkey.Refused{
		{Use: "shared_value", Reason: "unknown_key", Count: 12}, {Use: "stream_entry", Reason: "unsigned", Count: 3}, {Use: "page_token", Reason: "forged", Count: 9},
	}}
	assert.Contains(t, f.read(t).Since(nil, "").Text(), "  fleet key     a1 signs; not verified: page_token: 9, shared_value: 12, stream_entry: 3\n"+
		"!               values and entries in Redis are ignored, unknown_key: 12, unsigned: 3, since the start: another sidecar has another key or none: give all the same file\n")
	f.keys.Refused[0].Reason = "forged"
	assert.Contains(t, f.read(t).Since(nil, "").Text(), "forged: 12, unsigned: 3, since the start: find out who writes to Redis\n")
	f.keys.Refused = f.keys.Refused[2:]
	assert.NotContains(t, f.read(t).Since(nil, "").Text(), "!", "tokens that callers make up")
}

func TestImpossibleMetricsAreNotBelieved(t *testing.T) {
	for _, number := range []string{"NaN", "+Inf", "-Inf", "1e300"} {
		f := newFakeServer(t)
		metrics := "wardkeeper_decision_log_records_total " + number + "\nwardkeeper_decision_log_failing 0\n"
		mux := http.NewServeMux()
		mux.Handle("/", &f.mux)
		mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, metrics) })
		s, err := Read(t.Context(), client.Client{BaseURL: "http://pdp", Transport: client.InProcess{Handler: mux}})
		require.NoError(t, err)
		report := s.Since(nil, "")
		assert.Nil(t, report.DecisionLog, number)
		assert.Contains(t, report.Text(), "not known     /metrics: no number can be the value of wardkeeper_decision_log_records_total\n")
	}
}
