package pgorigin

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

// heard keeps what a listener tells.
type heardInOrder struct {
	t    testing.TB
	stop func()

	mu      sync.Mutex
	events  []string
	history string // of the last beginning
	changes []pdp.Change
	beaten  time.Time
	lost    []error
}

// hearing listens until the test ends.
func hearing(t testing.TB, l membership.Watcher) *heardInOrder {
	ctx, cancel := context.WithCancel(context.Background())
	h := &heardInOrder{t: t}
	done := make(chan struct{})
	go func() { l.Watch(ctx, h); close(done) }()
	h.stop = func() { cancel(); <-done }
	t.Cleanup(h.stop)
	return h
}

func (h *heardInOrder) add(event string) { h.events = append(h.events, event) }

func (h *heardInOrder) Began(at time.Time, history string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.add("began")
	h.history = history
}

func (h *heardInOrder) Changed(all []pdp.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.add("changed")
	h.changes = append(h.changes, all...)
}

func (h *heardInOrder) Heartbeat(at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.add("beat")
	assert.False(h.t, at.Before(h.beaten) || at.After(time.Now()))
	h.beaten = at
}

func (h *heardInOrder) Lost(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.add("lost")
	h.lost = append(h.lost, err)
}

func (h *heardInOrder) told() []pdp.Change {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.changes)
}

func (h *heardInOrder) errs() []error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.lost)
}

func (h *heardInOrder) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes = nil
}

func (h *heardInOrder) count(event string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		if e == event {
			n++
		}
	}
	return n
}

// beatSince waits for a beat that was sent after a moment.
func (h *heardInOrder) beatSince(at time.Time) {
	h.t.Helper()
	require.Eventually(h.t, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.beaten.After(at)
	}, fixture.Patient, time.Millisecond)
}

// Whatever happens to the connection or the server, it is known, and ends when they are back.
func TestPostgresListensAgain(t *testing.T) {
	server := servertest.StartPostgres(t)
	p, _ := Filled(t, server, origintest.Parsed(t, fixture.WithUsers(`{"id": "a"}`)))
	p.beat = 50 * time.Millisecond
	h := hearing(t, p)
	h.beatSince(time.Now())
	for name, c := range map[string]struct{ fail, mend func() }{
		"connection ended": {func() {
			servertest.Exec(t, servertest.Connect(t, server.URL()), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE 'WITH t AS%'`)
		}, func() {}},
		"paused":    {server.Pause, server.Resume},
		"restarted": {server.Stop, server.Start},
	} {
		began, lost := h.count("began"), h.count("lost")
		c.fail()
		require.Eventually(t, func() bool { return h.count("lost") > lost }, fixture.Patient, 5*time.Millisecond, name)
		require.NotEmpty(t, h.errs())
		assert.Equal(t, pdp.Unavailable, pdp.KindOf(h.errs()[0]))
		c.mend()
		require.Eventually(t, func() bool { return h.count("began") > began }, fixture.Patient, 5*time.Millisecond, name)
		h.forget()
		again := servertest.Connect(t, p.Connect.Url)
		servertest.Exec(t, again, `UPDATE users SET given = 'x' WHERE id = 'a'`)
		h.beatSince(time.Now())
		assert.Len(t, h.told(), 1, name)
		require.NoError(t, p.Check(context.Background()), "questions are answered again")
	}
	h.stop()
	order := slices.DeleteFunc(h.events, func(e string) bool { return e == "changed" || e == "beat" })
	order = slices.Compact(order)
	for i, e := range order {
		assert.Equal(t, []string{"began", "lost"}[i%2], e, "%v", order)
	}
}

// While the server hangs or is away, questions fail in time, and are answered again by themselves.
func TestPostgresComesBack(t *testing.T) {
	ctx := context.Background()
	server := servertest.StartPostgres(t)
	filled, _ := Filled(t, server, origintest.Parsed(t, fixture.WithUsers(`{"id": "a"}`)))
	url := filled.Connect.Url
	p := PostgresAt(t, Config{URL: url, Timeout: 200 * time.Millisecond, MaxConnections: 2})
	ask := func() error {
		within, cancel := context.WithTimeout(ctx, fixture.Patient)
		defer cancel()
		u, err := p.User(within, "a")
		if err == nil {
			assert.NotNil(t, u)
		}
		return err
	}
	eventually := func() {
		require.Eventually(t, func() bool { return ask() == nil }, fixture.Patient, 5*time.Millisecond)
	}
	eventually()
	server.Pause()
	for range 4 {
		assert.Equal(t, pdp.Unavailable, pdp.KindOf(ask()))
	}
	server.Resume()
	eventually()
	server.Stop()
	assert.Equal(t, pdp.Unavailable, pdp.KindOf(ask()))
	late := PostgresAt(t, Config{URL: url})
	assert.Equal(t, pdp.Unavailable, pdp.KindOf(late.Check(ctx)), "opened while the server is away")
	server.Start()
	eventually()
	require.NoError(t, late.Check(ctx))
}

// Nothing happens, and it goes on.
func postgresSilence(t *testing.T, server *servertest.Postgres) {
	p, conn := Filled(t, server, origintest.Parsed(t, fixture.WithUsers("")))
	p.beat = 5 * time.Millisecond
	servertest.Exec(t, conn, fmt.Sprintf("ALTER DATABASE %s SET idle_session_timeout = '2s'", p.Connect.last.Database))
	p.beat = 100 * time.Millisecond
	h := hearing(t, p)
	require.Eventually(t, func() bool { return h.count("beat") >= 25 }, fixture.Patient, 10*time.Millisecond)
	assert.Equal(t, 1, h.count("began"))
	assert.Zero(t, h.count("lost"))
	assert.Zero(t, h.count("changed"))

	deaf := PostgresAt(t, Config{URL: p.Connect.Url})
	nothing := hearing(t, deaf)
	nothing.stop()
	assert.Empty(t, nothing.events, "without a channel there is nothing to hear")
}

// TestPostgresUntold: silence is taken for news only where every change would be told.
func TestPostgresUntold(t *testing.T) {
	server := servertest.StartPostgres(t)
	p, conn := Filled(t, server, origintest.Mixed(t, 1, 4))
	untold := func(name string, change string, cfg Config) {
		servertest.Exec(t, conn, change)
		cfg.URL, cfg.Listen = p.Connect.Url, DefaultChannel
		h := hearing(t, PostgresAt(t, cfg))
		require.Eventually(t, func() bool { return len(h.errs()) > 0 }, fixture.Patient, time.Millisecond, name)
		assert.ErrorContains(t, h.errs()[0], "triggers", name)
		assert.Zero(t, h.count("began"), name)
	}
	views := `CREATE VIEW people AS SELECT * FROM users; CREATE VIEW held AS SELECT * FROM assignments; CREATE VIEW sites AS SELECT * FROM locations`
	others := Config{Tables: Tables{Users: "people", Assignments: "held", Locations: "sites"}}
	untold("views", views, others)
	others.URL, others.Listen, others.Told = p.Connect.Url, DefaultChannel, true
	hearing(t, PostgresAt(t, others)).beatSince(time.Now())
	untold("a table without", "ALTER TABLE assignments DISABLE TRIGGER USER", Config{})
	servertest.Exec(t, conn, Schema)
	h := hearing(t, p)
	h.beatSince(time.Now())
	servertest.Exec(t, conn, "ALTER TABLE users DISABLE TRIGGER USER") // while it is listened to
	require.Eventually(t, func() bool { return len(h.errs()) > 0 }, fixture.Patient, time.Millisecond)
	assert.ErrorContains(t, h.errs()[0], "triggers")
	servertest.Exec(t, conn, Schema)
	h.beatSince(time.Now())
}
