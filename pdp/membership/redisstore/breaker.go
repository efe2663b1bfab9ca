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

// breakers keep calls from a server that does not answer: after a few failures they are refused, but for one every half
// second that tries. A Cluster has them by ranges of slots, so that one dead node does not take the others away.
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
			// A caller that went away says nothing of the server.
			IsExcluded: func(err error) bool { return errors.Is(err, context.Canceled) },
		})
	}
	return b
}

// of gives the index of a key's breaker.
func (b breakers) of(name string) int {
	if len(b) == 1 {
		return 0
	}
	return hashSlot(name) * len(b) / hashSlots
}

// allow gives what must be told the outcome, or an error while the server is known to be down.
func (b breakers) allow(at int) (done func(error), err error) {
	if done, err = b[at].Allow(); err != nil {
		return nil, fmt.Errorf("redis is down: %w", err)
	}
	return done, nil
}
