package main

import (
	"context"
	"math"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/golden"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/policies"
)

// BenchmarkEvaluators asks every golden question of both evaluators in turn. The metric times is how many times as long as the
// compiled policy the interpreted one takes: the geometric mean over the questions, of each the shortest time.
func BenchmarkEvaluators(b *testing.B) {
	type asked struct {
		question              authzen.Evaluation
		compiled, interpreted *pdp.Engine
		fast, slow            time.Duration
	}
	ctx := context.Background()
	revision, err := bundles.Open(ctx, bundles.Config{Files: policies.Files(), Source: "built-in", Entrypoint: "authz/decision"})
	require.NoError(b, err)
	policy, err := pdp.Prepare(ctx, revision)
	require.NoError(b, err)
	require.Equal(b, pdp.Compiled, policy.Evaluator().Name)
	slowPolicy, err := pdp.PrepareInterpreted(ctx, revision)
	require.NoError(b, err)
	all, err := golden.ReadTree(os.DirFS(goldenTree))
	require.NoError(b, err)
	engines := map[string][2]*pdp.Engine{}
	for name, data := range all.Directories {
		dir, err := directory.Parse(data, *policy.Vocabulary())
		require.NoError(b, err)
		engines[name] = [2]*pdp.Engine{
			pdp.New(pdp.Config{Policy: policy, Source: fixedView{dir}, Timeout: time.Minute}),
			pdp.New(pdp.Config{Policy: slowPolicy, Source: fixedView{dir}, Timeout: time.Minute}),
		}
	}
	var questions []*asked
	for _, d := range all.Decisions {
		question, err := authzen.DecodeEvaluation(d.Question)
		require.NoError(b, err)
		pair := engines[d.Directory]
		questions = append(questions, &asked{question, pair[0], pair[1], math.MaxInt64, math.MaxInt64})
	}
	decide := func(engine *pdp.Engine, q authzen.Evaluation) time.Duration {
		began := threadTime(b)
		_, err := engine.Decide(ctx, q)
		took := threadTime(b) - began
		require.NoError(b, err)
		return took
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b.ResetTimer()
	for b.Loop() {
		for _, q := range questions {
			q.fast = min(q.fast, decide(q.compiled, q.question))
		}
		for _, q := range questions {
			q.slow = min(q.slow, decide(q.interpreted, q.question))
		}
	}
	logarithms := 0.0
	for _, q := range questions {
		logarithms += math.Log(float64(q.slow) / float64(q.fast))
	}
	b.ReportMetric(math.Exp(logarithms/float64(len(questions))), "times")
	b.ReportMetric(float64(len(questions)), "questions")
}

// threadTime returns the processor time of this thread, which other programs on a busy machine do not add to.
func threadTime(b *testing.B) time.Duration {
	var t unix.Timespec
	require.NoError(b, unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t))
	return time.Duration(t.Nano())
}
