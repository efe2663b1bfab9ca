//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// load sends prepared requests and compares every answer with the one that was checked.
type load struct {
	network, address string
	connections      int
	requests         [][]byte
	answers          [][]byte // of the same length
}

// saturate sends requests for a time over all connections, each as soon as the one before is answered, and at least one over each.
func (l *load) saturate(ctx context.Context, duration time.Duration) (requests int, elapsed time.Duration, err error) {
	var answered atomic.Int64
	start := time.Now()
	err = l.each(ctx, func(ask func(int) error, worker int) error {
		for i := worker * len(l.requests) / l.connections; ; i++ {
			if err := ask(i); err != nil {
				return err
			}
			answered.Add(1)
			if time.Since(start) >= duration {
				return nil
			}
		}
	})
	return int(answered.Load()), time.Since(start), err
}

// atRate sends requests for a time at a fixed rate per second and returns how long each answer took since the request was due: one
// that has to wait, because no connection is free, counts from then.
func (l *load) atRate(ctx context.Context, duration time.Duration, rate float64) ([]time.Duration, error) {
	latencies := make([]time.Duration, max(1, int(rate*duration.Seconds())))
	var next atomic.Int64
	start := time.Now()
	err := l.each(ctx, func(ask func(int) error, _ int) error {
		for {
			i := int(next.Add(1)) - 1
			if i >= len(latencies) {
				return nil
			}
			due := start.Add(time.Duration(float64(i) / rate * float64(time.Second)))
			sleepUntil(due)
			if err := ask(i); err != nil {
				return err
			}
			latencies[i] = time.Since(due)
		}
	})
	return latencies, err
}

// sleepUntil sleeps until a time. The kernel is late by less than 0.1 ms, Go's own timers by up to 1 ms, which would count as
// latency.
func sleepUntil(due time.Time) {
	for left := time.Until(due); left > 0; left = time.Until(due) {
		ts := syscall.NsecToTimespec(int64(left))
		_ = syscall.Nanosleep(&ts, nil) // a signal interrupts it
	}
}

// each runs a function for each connection, and returns an error of one. The function asks by number; after the last question comes
// the first again.
func (l *load) each(ctx context.Context, run func(ask func(int) error, worker int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var workers sync.WaitGroup
	for worker := range l.connections {
		workers.Go(func() {
			c, err := connect(l.network, l.address)
			if err != nil {
				cancel(err)
				return
			}
			defer func() { _ = c.Close() }()
			ask := func(i int) error {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				i %= len(l.requests)
				got, err := c.ask(l.requests[i])
				if err == nil && !bytes.Equal(got, l.answers[i]) {
					err = fmt.Errorf("it answered %s under load, and %s before", got, l.answers[i])
				}
				return err
			}
			if err := run(ask, worker); err != nil {
				cancel(err)
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}
