package bench

import (
	"encoding/json"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Result is what was measured. Latencies are those of requests that were answered with 200, or not in time.
type Result struct {
	Seconds   float64            `json:"seconds"`
	Requests  int                `json:"requests"` // answered with 200
	PerSecond float64            `json:"per_second"`
	NotSent   int                `json:"not_sent,omitempty"` // due, but never sent, because all requests at a time were busy
	Allowed   int                `json:"allowed"`
	Denied    int                `json:"denied"`
	Errors    int                `json:"errors"` // in answers to several questions
	Found     int                `json:"found"`  // by searches
	Latency   Latency            `json:"latency"`
	ByKind    map[string]Latency `json:"by_kind"`
	Failed    map[string]Failure `json:"failed,omitempty"` // by status or kind
	Histogram []Bar              `json:"histogram"`

	all   *hdrhistogram.Histogram
	kinds map[string]*hdrhistogram.Histogram
}

// Latency describes latencies, in seconds.
type Latency struct {
	Requests int64   `json:"requests"`
	Mean     float64 `json:"mean"`
	P50      float64 `json:"p50"`
	P90      float64 `json:"p90"`
	P99      float64 `json:"p99"`
	P999     float64 `json:"p999"`
	Max      float64 `json:"max"`
}

// Failure counts requests that failed in the same way.
type Failure struct {
	Requests int    `json:"requests"`
	Example  string `json:"example"`
}

// Bar counts the latencies above the bound of the bar before, up to its own.
type Bar struct {
	UpTo     float64 `json:"up_to"`
	Requests int64   `json:"requests"`
}

// longest is the longest latency that is told from longer ones, in microseconds.
const longest = int64(10 * time.Minute / time.Microsecond)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, longest, 3) }

func newResult() *Result {
	return &Result{all: newHistogram(), kinds: map[string]*hdrhistogram.Histogram{}, Failed: map[string]Failure{}}
}

// maxFailures limits the kinds of failures: a server chooses what its statuses say.
const maxFailures = 64

// record adds a request.
func (r *Result) record(kind string, took time.Duration, d decisions, failure, example string) {
	if failure != "" {
		if _, known := r.Failed[failure]; !known && len(r.Failed) >= maxFailures {
			failure = failedOther
		}
		f := r.Failed[failure]
		if f.Requests++; f.Example == "" {
			f.Example = example
		}
		r.Failed[failure] = f
		if failure != failedTimeout {
			return
		}
	} else {
		r.Requests++
	}
	r.Allowed, r.Denied, r.Errors, r.Found = r.Allowed+d.allowed, r.Denied+d.denied, r.Errors+d.errors, r.Found+d.found
	if r.kinds[kind] == nil {
		r.kinds[kind] = newHistogram()
	}
	for _, h := range []*hdrhistogram.Histogram{r.all, r.kinds[kind]} {
		_ = h.RecordValue(min(max(took.Microseconds(), 1), longest)) // cannot fail within the range
	}
}

// failures returns how many requests failed.
func (r *Result) failures() (n int) {
	for _, f := range r.Failed {
		n += f.Requests
	}
	return n
}

// Complete reports whether every request that was due was answered with 200.
func (r *Result) Complete() bool { return r.failures() == 0 && r.NotSent == 0 }

// summarize computes what follows from the histograms.
func (r *Result) summarize() {
	if r.Seconds > 0 {
		r.PerSecond = float64(r.Requests) / r.Seconds
	}
	r.Latency, r.ByKind = latency(r.all), map[string]Latency{}
	for kind, h := range r.kinds {
		r.ByKind[kind] = latency(h)
	}
	r.Histogram = bars(r.all)
}

func latency(h *hdrhistogram.Histogram) Latency {
	seconds := func(us int64) float64 { return float64(us) / 1e6 }
	return Latency{
		Requests: h.TotalCount(), Mean: h.Mean() / 1e6, P50: seconds(h.ValueAtQuantile(50)), P90: seconds(h.ValueAtQuantile(90)),
		P99: seconds(h.ValueAtQuantile(99)), P999: seconds(h.ValueAtQuantile(99.9)), Max: seconds(h.Max()),
	}
}

// bars counts latencies by bounds of 1, 2 and 5 times the powers of ten, from the first bar with any to the last.
func bars(h *hdrhistogram.Histogram) []Bar {
	var all []Bar
	bound, next := int64(10), 0
	for _, b := range h.Distribution() {
		if b.Count == 0 {
			continue
		}
		for b.From > bound {
			bound = bound * []int64{2, 5, 2}[next] / []int64{1, 2, 1}[next]
			next = (next + 1) % 3
			if len(all) > 0 {
				all = append(all, Bar{UpTo: float64(bound) / 1e6})
			}
		}
		if len(all) == 0 {
			all = []Bar{{UpTo: float64(bound) / 1e6}}
		}
		all[len(all)-1].Requests += b.Count
	}
	return all
}

// decisions counts what an answer says.
type decisions struct{ allowed, denied, errors, found int }

// countDecisions reads an answer. It reports whether it is one.
func countDecisions(kind string, body []byte) (d decisions, ok bool) {
	switch kind {
	case Single:
		response, err := authzen.DecodeResponse(body)
		d.count(response.Decision)
		return d, err == nil
	case Search:
		response, err := authzen.DecodeSearchResponse(body)
		d.found = len(response.Results)
		return d, err == nil
	}
	var response struct {
		Evaluations []struct {
			Decision *bool
			Context  struct{ Error any }
		}
	}
	if json.Unmarshal(body, &response) != nil || len(response.Evaluations) != batchSize {
		return d, false
	}
	for _, e := range response.Evaluations {
		switch {
		case e.Decision == nil:
			return d, false
		case e.Context.Error != nil:
			d.errors++
		default:
			d.count(*e.Decision)
		}
	}
	return d, true
}

func (d *decisions) count(allowed bool) {
	if allowed {
		d.allowed++
	} else {
		d.denied++
	}
}
