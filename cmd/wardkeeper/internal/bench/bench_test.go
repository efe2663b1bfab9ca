package bench

import (
	"context"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/client"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

func sample(t *testing.T) *directory.Directory {
	t.Helper()
	data, err := os.ReadFile("../../../../testdata/directories/sample.yaml")
	require.NoError(t, err)
	d, err := directory.ParseDocument(data, record.YAML, pdp.Vocabulary{}, nil)
	require.NoError(t, err)
	return d
}

func TestTheSeedDeterminesTheRequests(t *testing.T) {
	t.Parallel()
	mix := map[string]int{Single: 50, Batch: 25, Search: 25}
	first, err := NewRequests(sample(t), 1000, 7, mix)
	require.NoError(t, err)
	again, err := NewRequests(sample(t), 1000, 7, mix)
	require.NoError(t, err)
	require.Equal(t, first, again)
	other, err := NewRequests(sample(t), 1000, 8, mix)
	require.NoError(t, err)
	require.NotEqual(t, first, other)
	count := map[string]int{}
	for _, q := range first {
		count[q.Kind]++
	}
	for kind, percent := range mix {
		assert.InDelta(t, 10*percent, count[kind], 60, kind)
	}
}

func TestActionsAddUpToAHundred(t *testing.T) {
	for model, all := range practices {
		sum := 0
		for _, p := range all {
			sum += p.weight
		}
		assert.Equal(t, 100, sum, model)
	}
}

// serverOf returns a client of a handler.
func serverOf(h http.HandlerFunc) client.Client {
	return client.Client{BaseURL: "http://pdp", Transport: client.InProcess{Handler: h}}
}

func answer(w http.ResponseWriter, body string) { _, _ = w.Write([]byte(body)) }

// A server that stalls must not make requests begin later than they are due, or only the ones that it stalls would count.
func TestLatencyCountsFromWhenARequestIsDue(t *testing.T) {
	t.Parallel()
	const stall = 100 * time.Millisecond
	var first atomic.Bool
	r := Run(t.Context(), Config{
		Server: serverOf(func(w http.ResponseWriter, _ *http.Request) {
			if first.CompareAndSwap(false, true) {
				time.Sleep(stall)
			}
			answer(w, `{"decision":true}`)
		}),
		Requests: []Request{{Kind: Single, Path: "/"}}, Concurrency: 1, Rate: 1000, Duration: 3 * stall, Timeout: time.Minute,
	})
	late := r.NotSent
	for _, bar := range r.Histogram {
		if bar.UpTo > 0.05 {
			late += int(bar.Requests)
		}
	}
	assert.GreaterOrEqual(t, late, 40, "nearly all that were due in the first half of the stall")
	assert.Equal(t, r.Requests, r.Allowed)
}

func TestWhatFailedIsCountedByKind(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	var n atomic.Int64
	batch := `{"evaluations":[` + strings.Repeat(`{"decision":false},`, batchSize-2) + `{"decision":true},{"decision":false,"context":{"error":{"status":400}}}]}`
	bodies := map[string]string{"/batch": batch, "/single": `{"decision":false}`, "/search": `{"results":[{"type":"user","id":"a"}]}`, "/malformed": `{}`}
	r := Run(ctx, Config{
		Server: serverOf(func(w http.ResponseWriter, q *http.Request) {
			switch {
			case n.Add(1) > 6:
				interrupt()
			case q.URL.Path == "/busy":
				w.WriteHeader(503)
				answer(w, `{"error":"Busy."}`)
			case q.URL.Path == "/slow":
				<-q.Context().Done()
			default:
				answer(w, bodies[q.URL.Path])
			}
		}),
		Requests: []Request{
			{Kind: Single, Path: "/single"}, {Kind: Batch, Path: "/batch"}, {Kind: Search, Path: "/search"}, {Kind: Single, Path: "/malformed"},
			{Kind: Single, Path: "/busy"}, {Kind: Single, Path: "/slow"},
		},
		Concurrency: 1, Duration: time.Hour, Timeout: 2 * time.Second,
	})
	assert.Equal(t, []int{3, 1, batchSize - 1, 1, 1}, []int{r.Requests, r.Allowed, r.Denied, r.Errors, r.Found})
	assert.Equal(t, map[string]Failure{
		failedAnswer: {1, "the answer is no AuthZEN response"}, "503 Service Unavailable": {1, "the server answered 503 Service Unavailable: Busy."},
		failedTimeout: {1, "the server did not answer in time: see --timeout"},
	}, r.Failed)
	assert.False(t, r.Complete())
	assert.EqualValues(t, 4, r.Latency.Requests, "with the one that took too long")
	text := r.Text()
	assert.Contains(t, text, "FAILED     1: timeout, such as: ")
	assert.Regexp(t, `(?m)^ +up to (2|5|10)s +█+ +25\.0 %$`, text)
}
