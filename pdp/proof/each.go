package proof

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/wardkeeper/wardkeeper/pdp/proof/world"
)

// eachQuestion calls a function for the world of each question, for so many at a time; 0 is as many as there are processors. Progress,
// which may be nil, is called after each world, one call at a time. The error is that of the context or the first of a call.
func eachQuestion(ctx context.Context, questions []world.Question, workers int, progress func(done, of int), call func(context.Context, world.Question) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan world.Question)
	var wait sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for range cmp.Or(workers, runtime.GOMAXPROCS(0)) {
		wait.Go(func() {
			for q := range next {
				if err := call(ctx, q); err != nil {
					cancel(err)
				}
				mu.Lock()
				done++
				if progress != nil {
					progress(done, len(questions))
				}
				mu.Unlock()
			}
		})
	}
	for _, q := range questions {
		if ctx.Err() != nil {
			break
		}
		next <- q
	}
	close(next)
	wait.Wait()
	return context.Cause(ctx)
}

// sum adds up what the parts of all worlds have, which come in any order, so that it is the same each time.
func sum(counts []float64) (total float64) {
	slices.Sort(counts)
	for _, n := range counts {
		total += n
	}
	return total
}
