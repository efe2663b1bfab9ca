package bench

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/client"
)

// Config says how to put load on a server.
type Config struct {
	Server      client.Client
	Requests    []Request
	Concurrency int           // requests at a time
	Rate        float64       // requests a second; 0: each begins when another is answered
	WarmUp      time.Duration // before anything is measured
	Duration    time.Duration
	Timeout     time.Duration // of a request
	// Progress is called every second; it may be nil.
	Progress func(answered int, left time.Duration)
}

// Run puts load on a server until the time is over or ctx ends, and returns what was measured until then.
func Run(ctx context.Context, cfg Config) *Result {
	now := time.Now()
	l := &load{cfg: cfg, start: now, measured: now.Add(cfg.WarmUp), end: now.Add(cfg.WarmUp + cfg.Duration), result: newResult()}
	sending, cancel := context.WithDeadline(ctx, l.end)
	defer cancel()
	var workers sync.WaitGroup
	for range cfg.Concurrency {
		workers.Go(func() {
			if cfg.Rate > 0 {
				l.atRate(ctx, sending)
			} else {
				l.saturate(ctx, sending)
			}
		})
	}
	done := make(chan struct{})
	go func() {
		workers.Wait()
		close(done)
	}()
	stopped := make(chan time.Time, 1)
	context.AfterFunc(sending, func() { stopped <- time.Now() })
	l.report(done)
	r := l.result
	r.Seconds = max(0, time.Since(l.measured).Seconds())
	cancel()
	if at := <-stopped; cfg.Rate > 0 {
		r.NotSent = max(0, l.due(at)-l.begun)
	}
	r.summarize()
	return r
}

// load is the state of a run.
type load struct {
	cfg                  Config
	start, measured, end time.Time
	next                 atomic.Int64 // the number of the next request

	mu     sync.Mutex
	begun  int // measured requests
	result *Result
}

// report calls Progress until the workers are done.
func (l *load) report(done <-chan struct{}) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case now := <-ticker.C:
			if l.cfg.Progress != nil {
				l.mu.Lock()
				answered := l.result.Requests
				l.mu.Unlock()
				l.cfg.Progress(answered, max(0, l.end.Sub(now)))
			}
		}
	}
}

// saturate sends each request as soon as the one before is answered.
func (l *load) saturate(ctx, sending context.Context) {
	for sending.Err() == nil {
		l.send(ctx, l.next.Add(1)-1, time.Now())
	}
}

// atRate sends requests when they are due. One that has to wait because all workers are busy counts from when it was due, so that
// a server that stalls does not slow the load down by which it is judged.
func (l *load) atRate(ctx, sending context.Context) {
	for {
		i := l.next.Add(1) - 1
		due := l.dueAt(i)
		if !due.Before(l.end) {
			return
		}
		sleepUntil(sending, due)
		if sending.Err() != nil {
			return
		}
		l.send(ctx, i, due)
	}
}

// dueAt returns when a request is due.
func (l *load) dueAt(i int64) time.Time {
	return l.start.Add(time.Duration(float64(i) / l.cfg.Rate * float64(time.Second)))
}

// due returns how many measured requests were due before a time.
func (l *load) due(before time.Time) int {
	if before.After(l.end) {
		before = l.end
	}
	count := func(t time.Time) int { // requests are due from the start on, in equal intervals
		return int(math.Ceil(max(0, t.Sub(l.start).Seconds()) * l.cfg.Rate))
	}
	return max(0, count(before)-count(l.measured))
}

// send sends a request and records how long its answer took since it was due.
func (l *load) send(ctx context.Context, i int64, due time.Time) {
	measured := !due.Before(l.measured)
	if measured {
		l.mu.Lock()
		l.begun++
		l.mu.Unlock()
	}
	q := &l.cfg.Requests[int(i%int64(len(l.cfg.Requests)))]
	requested, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	answer, err := l.cfg.Server.Post(requested, q.Path, q.Body)
	took := time.Since(due)
	timedOut := requested.Err() != nil
	cancel()
	if !measured || err != nil && ctx.Err() != nil { // interrupted
		return
	}
	var counted decisions
	failure, example := "", ""
	switch {
	case err != nil && timedOut:
		failure, example = failedTimeout, err.Error()
	case err != nil:
		failure, example = kindOf(err), err.Error()
	case answer.Status != http.StatusOK:
		failure, example = answer.Text, answer.Err().Error()
	default:
		var ok bool
		if counted, ok = countDecisions(q.Kind, answer.Body); !ok {
			failure, example = failedAnswer, "the answer is no AuthZEN response"
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.result.record(q.Kind, took, counted, failure, example)
}

// Kinds of failures but those that have a status.
const (
	failedTimeout = "timeout"
	failedRefused = "connection refused"
	failedLost    = "connection lost"
	failedAnswer  = "malformed answer"
	failedOther   = "other"
)

func kindOf(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		return failedRefused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return failedLost
	}
	return failedOther
}
