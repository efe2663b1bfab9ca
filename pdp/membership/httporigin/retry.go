package httporigin

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/wardkeeper/wardkeeper/pdp/outage"
)

const (
	// failureThreshold is the number of consecutive failures that open the circuit breaker.
	failureThreshold = 5
	// maxBackoff is the longest wait between two attempts. A request whose Retry-After is longer is not retried.
	maxBackoff = 2 * time.Second
)

// breaker rejects requests immediately while the application is unavailable. When half-open, it lets one request through
// at a time.
type breaker = gobreaker.TwoStepCircuitBreaker[struct{}]

func newBreaker(openTimeout time.Duration, host string, down *outage.Outage, logger *slog.Logger) *breaker {
	asFailure := func(err error) *failure {
		var f *failure
		errors.As(err, &f)
		return f
	}
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests: 1,
		Timeout:     openTimeout,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= failureThreshold },
		IsExcluded:  func(err error) bool { f := asFailure(err); return f != nil && f.inconclusive },
		// A fault of one record or of the credentials shows that the application works.
		IsSuccessful: func(err error) bool { f := asFailure(err); return f == nil || !f.unavailable },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			switch {
			case to == gobreaker.StateOpen && down.Failed():
				logger.Warn("the application that serves membership facts does not answer: requests are suspended",
					"host", host, "for_ms", openTimeout.Milliseconds())
			case to == gobreaker.StateClosed:
				logger.Info("the application that serves membership facts answers again", append(down.Ended(), "host", host)...)
			}
		},
	})
}

// do repeats a request until it is answered, cannot succeed, has no retries left, or the context ends.
func (h *Origin) do(ctx context.Context, q request) error {
	for n := 0; ; n++ {
		f := h.admit(ctx, &q)
		if f == nil {
			return nil
		}
		if f.retryable && n < h.retries && sleep(ctx, h.backoffAfter(n, f)) {
			continue
		}
		if ctx.Err() != nil {
			f = notSent(ctx)
		}
		return h.asError(q.path, f)
	}
}

// admit makes one attempt once a connection slot is free, unless the circuit breaker is open. Waiting for a slot does
// not count toward the application's timeout.
func (h *Origin) admit(ctx context.Context, q *request) *failure {
	if ctx.Err() != nil {
		return notSent(ctx)
	}
	if h.closed.Load() {
		return &failure{reason: "the origin is closed"}
	}
	select {
	case h.slots <- struct{}{}:
	default:
		h.waits.Add(1)
		select {
		case h.slots <- struct{}{}:
		case <-ctx.Done():
			return notSent(ctx)
		}
	}
	defer func() { <-h.slots }()
	done, err := h.breaker.Allow()
	if err != nil {
		h.down.Affected()
		return &failure{reason: "does not answer: requests are suspended"}
	}
	f := h.attempt(ctx, q)
	if f == nil {
		done(nil) // a nil *failure in an error is not nil
	} else {
		done(f)
	}
	return f
}

// backoffAfter returns how long to wait after attempt n: exponential with jitter, and at least as long as Retry-After
// requires.
func (h *Origin) backoffAfter(n int, f *failure) time.Duration {
	wait := min(h.backoff<<min(n, 16), maxBackoff)
	return max(f.retryAfter, wait/2+rand.N(wait/2+1))
}

// sleep waits. It returns false early if the wait exceeds maxBackoff or the context.
func sleep(ctx context.Context, wait time.Duration) bool {
	if end, ok := ctx.Deadline(); wait > maxBackoff || ok && time.Until(end) <= wait {
		return false
	}
	select {
	case <-time.After(wait):
		return true
	case <-ctx.Done():
		return false
	}
}
