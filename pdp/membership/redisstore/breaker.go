package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	breakerFailures = 3 // in a row
	breakerPause    = 500 * time.Millisecond
)

// newBreaker returns the circuit breaker for reads and writes of values. After breakerFailures in a row, it lets only one
// call per breakerPause through.
//
// A cluster has one breaker too. While one of its three masters is down, Redis answers less than 1 % of the reads
// ([BenchmarkClusterWithoutMaster]); with a breaker for each range of hash slots, the other two masters answered 66 %. The
// source answers the rest: no question is denied for it, and no read waits longer. The source has to bear that load
// anyway, because it does while a single Redis is down. In a cluster it ends when the replica takes over.
func newBreaker() *gobreaker.TwoStepCircuitBreaker[any] {
	return gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
		MaxRequests: 1,
		Timeout:     breakerPause,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakerFailures },
		// A caller that gives up proves nothing about the server.
		IsExcluded: func(err error) bool { return errors.Is(err, context.Canceled) },
	})
}

// allow returns a function that must be called with the outcome of a call, or an error while the breaker is open.
func (s *Store) allow() (done func(error), err error) {
	if done, err = s.breaker.Allow(); err != nil {
		return nil, fmt.Errorf("redis is down: %w", err)
	}
	return done, nil
}
