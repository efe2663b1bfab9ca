package pgorigin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/sony/gobreaker/v2"

	"github.com/wardkeeper/wardkeeper/pdp/outage"
)

const (
	// breakerFailures is the number of consecutive failures that open the circuit breaker.
	breakerFailures = 5
	// breakerPause is how long it stays open.
	breakerPause = time.Second
)

// errSuspended is the error while the circuit breaker is open.
var errSuspended = errors.New("it does not answer: queries are suspended")

// breaker rejects queries at once while the database does not answer. Otherwise each would wait for its timeout and keep a
// connection, as long as a database hangs. When half-open, it lets one query through at a time.
type breaker = gobreaker.TwoStepCircuitBreaker[struct{}]

func newBreaker(pause time.Duration, down *outage.Outage, logger *slog.Logger) *breaker {
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:  1,
		Timeout:      pause,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakerFailures },
		IsExcluded:   func(err error) bool { return errors.Is(err, context.Canceled) || errors.Is(err, errNoConnection) },
		IsSuccessful: answers,
		OnStateChange: func(_ string, _, to gobreaker.State) {
			switch {
			case to == gobreaker.StateOpen && down.Failed():
				logger.Warn("the database does not answer: queries are suspended", "for_ms", pause.Milliseconds())
			case to == gobreaker.StateClosed:
				logger.Info("the database answers again", down.Ended()...)
			}
		},
	})
}

// answers reports whether the outcome of a query shows that the database works: whatever it refuses, such as a table that
// does not exist, it has looked at. So it is with a query that it cancels because the time is over (57014): it is slow, or
// waits for a lock. One that hangs does not answer the request to cancel. A server that starts, stops or takes no more
// connections does not work.
func answers(err error) bool {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return !strings.HasPrefix(refused.Code, "08") && !strings.HasPrefix(refused.Code, "57P") && !strings.HasPrefix(refused.Code, "53")
	}
	return err == nil || errors.Is(err, errTooLarge) || errors.Is(err, errDuplicateID) || errors.Is(err, errVersionRange)
}

// errNoConnection is the error of a query that found all connections of the pool, or all places for lists, in use until
// its time was over. It proves nothing about the database: the queries in progress do.
var errNoConnection = errors.New("no connection of the pool became free")

// guarded asks a question unless the circuit breaker is open, and tells it what came of it.
func (p *Origin) guarded(question func() error) error {
	done, err := p.breaker.Allow()
	if err != nil {
		p.down.Affected()
		return errSuspended
	}
	err = errors.New("a panic")
	defer func() { done(err) }()
	err = question()
	return err
}

// waited returns the error of a query whose time was over before it got a connection.
func (p *Origin) waited(err error) error {
	if s := p.pool.Stat(); s.AcquiredConns() == s.MaxConns() {
		return fmt.Errorf("%w: %w", errNoConnection, err)
	}
	return err
}
