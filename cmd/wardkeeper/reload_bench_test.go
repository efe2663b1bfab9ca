package main

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/limits"
	"github.com/wardkeeper/wardkeeper/policies"
)

const (
	loadCallers = 8
	loadEvery   = 10 * time.Millisecond  // for each caller, so 800 questions a second
	reloadEvery = 250 * time.Millisecond // so that a policy is being compiled for much of the time
)

// BenchmarkReload puts the built-in policy under a constant load over HTTP, first without and then with 50 signed bundles. It
// reports the 99th percentile of latency for both, measured from when a question was due, the number of lost questions, and the
// memory of the process before and after.
func BenchmarkReload(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(limits.GCPercent))
	signer := newSigner(b, "ES256")
	number := int64(1)
	r := newReloadTest(b, builtInRelease(b, number).signed(b, signer), signer,
		sidecarConfig{decision: config.DefaultDecision, directory: testDirectory})
	before, live := residentMB(b), liveHeap()
	baseline, busy := &load{url: r.url}, &load{url: r.url}
	for b.Loop() {
		stop := baseline.run()
		time.Sleep(reloads * reloadEvery)
		stop()

		var next [][]byte // made beforehand, so that signing is not measured
		for range reloads {
			number++
			next = append(next, builtInRelease(b, number).signed(b, signer))
		}
		stop = busy.run()
		due := time.Now()
		for _, data := range next {
			due = due.Add(reloadEvery)
			time.Sleep(time.Until(due))
			r.reload(b, data)
		}
		stop()
	}
	require.Zero(b, baseline.lost+busy.lost, "questions were lost")
	b.ReportMetric(baseline.percentile(99), "p99-us")
	b.ReportMetric(busy.percentile(99), "p99-reload-us")
	b.ReportMetric(baseline.percentile(50), "p50-us")
	b.ReportMetric(busy.percentile(50), "p50-reload-us")
	b.ReportMetric(float64(baseline.lost+busy.lost), "lost")
	b.ReportMetric(before, "rss-first-MB")
	b.ReportMetric(residentMB(b), "rss-MB")
	b.ReportMetric(float64(live)/1e6, "heap-first-MB")
	b.ReportMetric(float64(liveHeap())/1e6, "heap-MB")
	b.ReportMetric(float64(len(busy.waits))/float64(len(baseline.waits)), "asked-ratio")
}

// builtInRelease returns a release of the built-in policy.
func builtInRelease(tb testing.TB, n int64) testRelease {
	tb.Helper()
	r := testRelease{n, map[string]string{}}
	err := fs.WalkDir(policies.Files(), "authz", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(name, "_test.rego") {
			return err
		}
		data, err := fs.ReadFile(policies.Files(), name)
		r.files[name] = string(data)
		return err
	})
	require.NoError(tb, err)
	r.files["authz/authz.rego"] += fmt.Sprintf("\n# Release %d.\n", n)
	return r
}

// load asks at a constant rate, regardless of how long the answers take.
type load struct {
	url string

	mu    sync.Mutex
	waits []time.Duration
	lost  int
}

func (l *load) run() (stop func()) {
	done := make(chan struct{})
	var asking sync.WaitGroup
	for caller := range loadCallers {
		asking.Go(func() {
			due := time.Now().Add(loadEvery * time.Duration(caller) / loadCallers)
			for {
				select {
				case <-done:
					return
				case <-time.After(time.Until(due)):
				}
				l.ask(due)
				due = due.Add(loadEvery)
			}
		})
	}
	return func() { close(done); asking.Wait() }
}

func (l *load) ask(due time.Time) {
	w, err := http.Post(l.url+evaluationPath, "application/json", strings.NewReader(viewJane))
	lost := err != nil
	if err == nil {
		answer := make([]byte, 64)
		n, _ := w.Body.Read(answer)
		lost = w.StatusCode != http.StatusOK || strings.TrimSpace(string(answer[:n])) != `{"decision":true}`
		_ = w.Body.Close()
	}
	wait := time.Since(due)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waits = append(l.waits, wait)
	if lost {
		l.lost++
	}
}

// percentile returns a percentile of the latency, in microseconds.
func (l *load) percentile(p int) float64 {
	slices.Sort(l.waits)
	return float64(l.waits[(len(l.waits)-1)*p/100].Microseconds())
}

// residentMB returns the resident memory of the process after a garbage collection.
func residentMB(tb testing.TB) float64 {
	tb.Helper()
	debug.FreeOSMemory()
	statm, err := os.ReadFile("/proc/self/statm")
	require.NoError(tb, err)
	var size, resident float64
	_, err = fmt.Sscan(string(statm), &size, &resident)
	require.NoError(tb, err)
	return resident * float64(os.Getpagesize()) / 1e6
}
