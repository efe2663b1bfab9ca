package main

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// footprint is what must not grow while a server works.
type footprint struct{ goroutines, files, heap float64 }

// soakUnprotected lets goroutines stay of each poll, and policies that have been replaced.
var soakUnprotected = []removal{
	without("bundles/follow/attempt.go",
		"found, err := f.source.fetch(ctx, f.seen)\n",
		"found, err := f.source.fetch(ctx, f.seen)\n\tfor range 5 {\n\t\tgo func() { <-ctx.Done() }()\n\t}\n", `Messages:\s+goroutines`),
	without("bundles/follow/attempt.go",
		"candidate.Commit()\n", "candidate.Commit()\n\tcontext.AfterFunc(ctx, func() { _ = candidate })\n", `Messages:\s+bytes of heap`),
}

// While questions are answered, Redis and all connections to the database come and go, and one release follows another.
// SOAK=10m makes it last that long; without it there are a few rounds.
func TestFootprintStaysFlat(t *testing.T) {
	skipIfShort(t)
	t.Parallel()
	rounds, end := 4, time.Now()
	if length := os.Getenv("SOAK"); length != "" {
		d, err := time.ParseDuration(length)
		require.NoError(t, err)
		end = end.Add(d)
	}
	f := newFaultTest(t, fault{setUp: func(f *faultTest) {
		f.by = func(cmd *exec.Cmd) *exec.Cmd {
			cmd.Env = append(cmd.Env, "GOGC=20") // so that the heap is little more than what is in use
			return cmd
		}
	}}, servertest.StartPostgres(t))
	f.revoke()
	var all []footprint
	for n := 1; n <= rounds || time.Now().Before(end); n++ {
		f.redis.Stop()
		terminateBackends(f)
		f.bundles.release(firstRelease + int64(n))
		f.redis.Start()
		f.checkRecovery()
		all = append(all, f.footprint())
	}
	f.load.stop()
	f.load.check(t)
	t.Logf("%.0f", all)
	first, last := all[1], all[len(all)-1] // after the first round everything has been used once
	assert.LessOrEqual(t, last.goroutines, first.goroutines+10, "goroutines")
	assert.LessOrEqual(t, last.files, first.files+10, "open files")
	assert.LessOrEqual(t, last.heap, first.heap*1.25+4e6, "bytes of heap")
}

// footprint returns the lowest values of some seconds: connections that end, and garbage, do not count.
func (f *faultTest) footprint() (low footprint) {
	for range 20 {
		f.load.waitForAnswers(20)
		now := footprint{f.metric("go_goroutines"), f.metric("process_open_fds"), f.metric("go_memstats_heap_alloc_bytes")}
		if low.heap == 0 {
			low = now
		}
		low = footprint{min(low.goroutines, now.goroutines), min(low.files, now.files), min(low.heap, now.heap)}
	}
	return low
}
