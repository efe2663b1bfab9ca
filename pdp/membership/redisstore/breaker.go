package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	slotRanges      = 64 // of a cluster's hash slots; few ranges belong to two nodes
	breakerFailures = 3  // in a row
	breakerPause    = 500 * time.Millisecond
)

// breakers are circuit breakers for reads and writes of values. After breakerFailures in a row, a breaker lets only one call
// per breakerPause through. A cluster has one breaker for each range of hash slots, so that a dead node does not affect the
// others; any other Redis has one breaker.
//
// A breaker for each server address, as a go-redis hook, would not be simpler. Hooks of a client also run for the commands
// that set up a new connection (HELLO, SELECT): in the half-open state they would use up the one call that is allowed, and the
// breaker would stay open. A hook also sees NOSCRIPT, MOVED and ASK replies, which are not failures, and cannot tell the
// caller's own deadline from the store's timeout.
type breakers []*gobreaker.TwoStepCircuitBreaker[any]

func newBreakers(cluster bool) breakers {
	b := make(breakers, 1)
	if cluster {
		b = make(breakers, slotRanges)
	}
	for i := range b {
		b[i] = gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
			MaxRequests: 1,
			Timeout:     breakerPause,
			ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakerFailures },
			// A caller that gives up proves nothing about the server.
			IsExcluded: func(err error) bool { return errors.Is(err, context.Canceled) },
		})
	}
	return b
}

// index returns the index of the breaker for a key.
func (b breakers) index(key string) int {
	if len(b) == 1 {
		return 0
	}
	return hashSlot(key) * len(b) / hashSlots
}

// allow returns a function that must be called with the outcome of the call, or an error while the breaker is open.
func (b breakers) allow(index int) (done func(error), err error) {
	if done, err = b[index].Allow(); err != nil {
		return nil, fmt.Errorf("redis is down: %w", err)
	}
	return done, nil
}
