package httporigin

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	// tripsAfter is how many attempts in a row must fail before the application is left alone.
	tripsAfter = 5
	// longestPause is how long one call waits between two attempts; an application that asks for more is not asked again.
	longestPause = 2 * time.Second
)

// breaker leaves an application alone that is down, so that questions fail in no time; then one at a time tries it.
type breaker = gobreaker.TwoStepCircuitBreaker[struct{}]

func newBreaker(rest time.Duration, host string, logger *slog.Logger) *breaker {
	as := func(err error) *failure {
		var f *failure
		errors.As(err, &f)
		return f
	}
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests: 1,
		Timeout:     rest,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= tripsAfter },
		IsExcluded:  func(err error) bool { f := as(err); return f != nil && f.ours },
		// A fault of one record, or of our credentials, says that the application is there.
		IsSuccessful: func(err error) bool { f := as(err); return f == nil || !f.down },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			switch {
			case from == gobreaker.StateClosed:
				logger.Warn("the application with the membership facts does not answer, it is left alone for a while", "host", host, "for", rest)
			case to == gobreaker.StateClosed:
				logger.Info("the application with the membership facts answers again", "host", host)
			}
		},
	})
}

// ask answers a question, by as many attempts as it is worth and the context allows.
func (h *Origin) ask(ctx context.Context, q question) error {
	for n := 0; ; n++ {
		f := h.guarded(ctx, &q)
		if f == nil {
			return nil
		}
		if f.again && n < h.retries && pause(ctx, h.before(n, f)) {
			continue
		}
		if ctx.Err() != nil {
			f = unsent(ctx)
		}
		return h.failed(q.path, f)
	}
}

// guarded waits for its turn, so that waiting does not count as the application's time, and makes an attempt unless the
// application is down.
func (h *Origin) guarded(ctx context.Context, q *question) *failure {
	if ctx.Err() != nil {
		return unsent(ctx)
	}
	if h.closed.Load() {
		return &failure{what: "it is closed"}
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return unsent(ctx)
	}
	done, err := h.breaker.Allow()
	if err != nil {
		return &failure{what: "does not answer, and is left alone for a while"}
	}
	f := h.attempt(ctx, q)
	if f == nil {
		done(nil)
	} else {
		done(f)
	}
	return f
}

// before is how long to wait after attempt n: ever longer, and not the same for all who failed together.
func (h *Origin) before(n int, f *failure) time.Duration {
	wait := min(h.pause<<min(n, 16), longestPause)
	return max(f.after, wait/2+rand.N(wait/2+1))
}

// pause is false where it would be too long.
func pause(ctx context.Context, wait time.Duration) bool {
	if end, ok := ctx.Deadline(); wait > longestPause || ok && time.Until(end) <= wait {
		return false
	}
	select {
	case <-time.After(wait):
		return true
	case <-ctx.Done():
		return false
	}
}
