package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	breakerRanges   = 64 // of a Cluster's slots: few straddle two nodes
	breakerFailures = 3  // in a row
	breakerPause    = 500 * time.Millisecond
)

// breakers refuse calls to a server that does not answer: after a few failures in a row only one call per half second is let
// through. A Cluster has one for each range of slots, so that a dead node does not affect the others.
type breakers []*gobreaker.TwoStepCircuitBreaker[any]

func newBreakers(cluster bool) breakers {
	b := make(breakers, 1)
	if cluster {
		b = make(breakers, breakerRanges)
	}
	for i := range b {
		b[i] = gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
			MaxRequests: 1,
			Timeout:     breakerPause,
			ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakerFailures },
			// A caller that went away says nothing about the server.
			IsExcluded: func(err error) bool { return errors.Is(err, context.Canceled) },
		})
	}
	return b
}

// of gives the index of the breaker of a key.
func (b breakers) of(name string) int {
	if len(b) == 1 {
		return 0
	}
	return hashSlot(name) * len(b) / hashSlots
}

// allow gives a function that must be called with the outcome, or an error while the server is known to be down.
func (b breakers) allow(at int) (done func(error), err error) {
	if done, err = b[at].Allow(); err != nil {
		return nil, fmt.Errorf("redis is down: %w", err)
	}
	return done, nil
}
