package pgorigin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/sony/gobreaker/v2"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership/cache"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/outage"
)

// swallower is a proxy in front of a database. While it swallows, it takes what clients send, and answers nothing.
type swallower struct {
	listener net.Listener
	swallows atomic.Bool
	heard    atomic.Int64 // connections and reads while it swallows
}

// startSwallower returns a proxy, and the URL of the database through it.
func startSwallower(t *testing.T, url string) (*swallower, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &swallower{listener: listener}
	host := strings.Split(strings.Split(url, "@")[1], "/")[0]
	var connections sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); _ = listener.Close(); connections.Wait() })
	connections.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			s.hear()
			server, err := net.Dial("tcp", host)
			if err != nil {
				_ = client.Close()
				continue
			}
			context.AfterFunc(ctx, func() { _ = client.Close(); _ = server.Close() })
			connections.Go(func() { s.forward(server, client); _ = server.Close() })
			connections.Go(func() { s.forward(client, server); _ = client.Close() })
		}
	})
	return s, strings.Replace(url, host, listener.Addr().String(), 1)
}

func (s *swallower) hear() {
	if s.swallows.Load() {
		s.heard.Add(1)
	}
}

func (s *swallower) forward(to io.Writer, from io.Reader) {
	for buffer := make([]byte, 4096); ; {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if s.hear(); s.swallows.Load() {
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// A database that takes queries and answers none is not asked again and again.
func TestBreakerStopsAskingADatabaseThatHangs(t *testing.T) {
	server := servertest.StartPostgres(t)
	for name, protected := range map[string]bool{"with the breaker": true, "without, each query waits for its timeout": false} {
		t.Run(name, func(t *testing.T) {
			p, _ := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(administrator)))
			proxy, url := startSwallower(t, p.listenAt.url)
			log := &fixture.LogBuffer{}
			p = openOrigin(t, Config{URL: url, Timeout: time.Second, breakerPause: time.Hour, Logger: slog.New(slog.NewTextHandler(log, nil))})
			if !protected {
				p.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{ReadyToTrip: func(gobreaker.Counts) bool { return false }})
			}
			ask := func() error { _, err := p.User(t.Context(), "a"); return err }
			require.Eventually(t, func() bool { return ask() == nil }, fixture.Timeout, time.Millisecond) // connecting may take longer

			proxy.swallows.Store(true)
			for range breakerFailures {
				require.ErrorIs(t, ask(), context.DeadlineExceeded)
			}
			before, suspended := proxy.heard.Load(), 0
			for range 5 {
				if err := ask(); errors.Is(err, errSuspended) {
					suspended++
				}
			}
			if !protected {
				require.Zero(t, suspended)
				require.Greater(t, proxy.heard.Load(), before)
				return
			}
			require.Equal(t, 5, suspended)
			require.NotZero(t, before)
			require.Equal(t, 1, strings.Count(log.String(), "the database does not answer: queries are suspended"), "one line for an outage")
		})
	}
}

// Lists may have whole tables to read, and any query may wait for a lock. Those who ask so must not keep others from being
// answered.
func TestSlowQueriesSuspendNoOthers(t *testing.T) {
	p, conn := filledOrigin(t, servertest.StartPostgres(t), origintest.ParseDirectory(t, fixture.WithUsers(administrator)))
	p = openOrigin(t, Config{URL: p.listenAt.url, Timeout: 150 * time.Millisecond, breakerPause: time.Hour})
	list := func() error { _, err := p.Users(t.Context(), facts.UserQuery{Limit: 1}); return err }
	require.Eventually(t, func() bool { return list() == nil }, fixture.Timeout, time.Millisecond)

	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "LOCK TABLE users")
	require.NoError(t, err)
	lookup := func() error { _, err := p.User(t.Context(), "a"); return err }
	for _, slow := range []func() error{list, lookup} {
		for range breakerFailures + 1 {
			require.ErrorIs(t, slow(), context.DeadlineExceeded)
		}
	}
	require.NoError(t, tx.Rollback(t.Context()))
	require.NotErrorIs(t, lookup(), errSuspended)
}

// While the server is stopped by a signal, questions are answered from facts within their age. Afterwards everything works
// again by itself.
func TestPausedDatabaseIsAskedAgainWhenItResumes(t *testing.T) {
	server := servertest.StartPostgres(t)
	p, _ := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(administrator)))
	log := &fixture.LogBuffer{}
	p = openOrigin(t, Config{URL: p.listenAt.url, Timeout: time.Second, Listen: DefaultChannel, Logger: slog.New(slog.NewTextHandler(log, nil))})
	c := openCache(t, cache.Config{Origin: p, MaxAgeChange: time.Millisecond, MaxAgeUse: time.Hour})
	question := func(readOnly bool, id string) error {
		ctx, cancel := context.WithTimeout(t.Context(), fixture.Timeout) // a question's own time
		defer cancel()
		v, err := c.View(ctx, facts.Requirement{ReadOnly: readOnly})
		require.NoError(t, err)
		u, err := v.User(ctx, id)
		require.NoError(t, ctx.Err(), "a question must not wait for its time to be over")
		if err == nil && u == nil {
			err = errors.New("nobody")
		}
		return err
	}
	require.Eventually(t, func() bool { return question(true, "a") == nil }, fixture.Timeout, 10*time.Millisecond)

	server.Pause()
	defer server.Resume()
	require.Eventually(t, func() bool { return errors.Is(question(false, "b"), errSuspended) }, fixture.Timeout, time.Millisecond)
	for range 20 {
		require.NoError(t, question(true, "a"), "the fact is fresh enough")
		require.Error(t, question(false, "b"), "nothing is known")
	}

	server.Resume()
	began := time.Now()
	require.Eventually(t, func() bool { return question(false, "a") == nil }, fixture.Timeout, 10*time.Millisecond)
	t.Logf("it worked again %s after SIGCONT", time.Since(began).Round(time.Millisecond))
	require.Contains(t, log.String(), "the database answers again")
}

func TestOutcomesThatShowThatADatabaseWorks(t *testing.T) {
	for name, c := range map[string]struct {
		err               error
		answers, excluded bool
	}{
		"an answer":            {nil, true, false},
		"no such table":        {&pgconn.PgError{Code: "42P01"}, true, false},
		"no right":             {&pgconn.PgError{Code: "42501"}, true, false},
		"a record too large":   {fmt.Errorf("a: %w", errTooLarge), true, false},
		"an id twice":          {errDuplicateID, true, false},
		"shutting down":        {&pgconn.PgError{Code: "57P01"}, false, false},
		"starting":             {&pgconn.PgError{Code: "57P03"}, false, false},
		"too many connections": {&pgconn.PgError{Code: "53300"}, false, false},
		"no time left":         {context.DeadlineExceeded, false, false},
		"connection refused":   {&net.OpError{Op: "dial", Err: errors.New("refused")}, false, false},
		"the caller has gone":  {fmt.Errorf("a: %w", context.Canceled), false, true},
		"no free connection":   {fmt.Errorf("%w: %w", errNoConnection, context.DeadlineExceeded), false, true},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.answers, answers(c.err))
			p := &Origin{breaker: newBreaker(time.Hour, new(outage.Outage), slog.New(slog.DiscardHandler))}
			for range breakerFailures {
				require.Equal(t, c.err, p.guarded(func() error { return c.err }))
			}
			if err := p.guarded(func() error { return nil }); c.answers || c.excluded {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, errSuspended)
			}
		})
	}
}

// Slow queries that keep all connections do not count as an outage.
func TestBusyPoolDoesNotOpenTheBreaker(t *testing.T) {
	server := servertest.StartPostgres(t)
	p, _ := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(administrator)))
	p = openOrigin(t, Config{URL: p.listenAt.url, MaxConnections: 1})
	_, err := p.User(t.Context(), "a")
	require.NoError(t, err)
	conn, err := p.pool.Acquire(t.Context())
	require.NoError(t, err)
	for range 2 * breakerFailures {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_, err = p.User(ctx, "a")
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	conn.Release()
	_, err = p.User(t.Context(), "a")
	require.NoError(t, err)
}
