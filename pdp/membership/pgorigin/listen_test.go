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

// recorder records the calls of a watcher.
type recorder struct {
	t    testing.TB
	stop func()

	mu        sync.Mutex
	events    []string
	history   string // when watching last began
	announced []pdp.Change
	heartbeat time.Time
	lost      []error
}

// watch watches until the end of the test.
func watch(t testing.TB, l membership.Watcher) *recorder {
	ctx, cancel := context.WithCancel(context.Background())
	h := &recorder{t: t}
	done := make(chan struct{})
	go func() { l.Watch(ctx, h); close(done) }()
	h.stop = func() { cancel(); <-done }
	t.Cleanup(func() {
		h.stop()
		if t.Failed() {
			t.Logf("the watcher was told %v, %v, %v", h.events, h.announced, h.lost)
		}
	})
	return h
}

func (h *recorder) add(event string) { h.events = append(h.events, event) }

func (h *recorder) Began(at time.Time, history string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.add("began")
	h.history = history
}

func (h *recorder) Changed(all []pdp.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.add("changed")
	h.announced = append(h.announced, all...)
}

func (h *recorder) Heartbeat(at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.add("heartbeat")
	assert.False(h.t, at.Before(h.heartbeat) || at.After(time.Now()))
	h.heartbeat = at
}

func (h *recorder) Lost(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.add("lost")
	h.lost = append(h.lost, err)
}

func (h *recorder) changes() []pdp.Change {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.announced)
}

func (h *recorder) errs() []error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.lost)
}

// lastHistory returns the history reported when watching last began.
func (h *recorder) lastHistory() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.history
}

func (h *recorder) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.announced = nil
}

func (h *recorder) count(event string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		if e == event {
			n++
		}
	}
	return n
}

// heartbeatSince waits for a heartbeat sent after at.
func (h *recorder) heartbeatSince(at time.Time) {
	h.t.Helper()
	require.Eventually(h.t, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.heartbeat.After(at)
	}, fixture.Timeout, time.Millisecond)
}

// Every failure of the connection or the server must be reported, and listening must begin again afterwards.
func TestListeningResumesAfterAnyFailure(t *testing.T) {
	server := servertest.StartPostgres(t)
	p, _ := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(`{"id": "a"}`)))
	p.heartbeat, p.silence = 50*time.Millisecond, time.Second
	h := watch(t, p)
	h.heartbeatSince(time.Now())
	for name, c := range map[string]struct{ fail, repair func() }{
		"connection ended": {func() {
			// Matches the listening connection, whichever of these statements it ran last.
			servertest.Exec(t, servertest.Connect(t, server.URL()), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query ~ '^(WITH t AS|LISTEN|NOTIFY)'`)
		}, func() {}},
		"paused":    {server.Pause, server.Resume},
		"restarted": {server.Stop, server.Start},
	} {
		began, lost := h.count("began"), h.count("lost")
		c.fail()
		require.Eventually(t, func() bool { return h.count("lost") > lost }, fixture.Timeout, 5*time.Millisecond, name)
		require.NotEmpty(t, h.errs())
		assert.Equal(t, pdp.Unavailable, pdp.KindOf(h.errs()[0]))
		c.repair()
		require.Eventually(t, func() bool { return h.count("began") > began }, fixture.Timeout, 5*time.Millisecond, name)
		again := servertest.Connect(t, p.listenAt.url)
		for over := false; !over; { // on a busy machine the connection may be lost once more
			lost = h.count("lost")
			h.forget()
			servertest.Exec(t, again, `UPDATE users SET given = 'x' WHERE id = 'a'`)
			h.heartbeatSince(time.Now())
			changes := h.changes()
			if over = h.count("lost") == lost; over {
				assert.Len(t, changes, 1, name)
			}
		}
		require.NoError(t, p.Check(context.Background()), "questions are answered again")
	}
	h.stop()
	order := slices.DeleteFunc(h.events, func(e string) bool { return e == "changed" || e == "heartbeat" })
	order = slices.Compact(order)
	for i, e := range order {
		assert.Equal(t, []string{"began", "lost"}[i%2], e, "%v", order)
	}
}

// While the server hangs or is down, queries fail within their timeout. Later queries succeed without a restart.
func TestQueriesFailInTimeWhileTheServerIsDown(t *testing.T) {
	ctx := context.Background()
	server := servertest.StartPostgres(t)
	filled, _ := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(`{"id": "a"}`)))
	url := filled.listenAt.url
	p := openOrigin(t, Config{URL: url, Timeout: 200 * time.Millisecond, MaxConnections: 2})
	ask := func() error {
		within, cancel := context.WithTimeout(ctx, fixture.Timeout)
		defer cancel()
		u, err := p.User(within, "a")
		if err == nil {
			assert.NotNil(t, u)
		}
		return err
	}
	eventually := func() {
		require.Eventually(t, func() bool { return ask() == nil }, fixture.Timeout, 5*time.Millisecond)
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
	late := openOrigin(t, Config{URL: url})
	assert.Equal(t, pdp.Unavailable, pdp.KindOf(late.Check(ctx)), "opened while the server is away")
	server.Start()
	eventually()
	require.NoError(t, late.Check(ctx))
}

// Listening continues while nothing happens.
func postgresSilence(t *testing.T, server *servertest.Postgres) {
	p, conn := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers("")))
	servertest.Exec(t, conn, fmt.Sprintf("ALTER DATABASE %s SET idle_session_timeout = '5s'", p.listenAt.last.Database))
	began := time.Now()
	h := watch(t, p)
	h.heartbeatSince(began.Add(6 * time.Second)) // longer than a session may be idle
	assert.Equal(t, 1, h.count("began"))
	assert.Zero(t, h.count("lost"))
	assert.Zero(t, h.count("changed"))

	withoutChannel := openOrigin(t, Config{URL: p.listenAt.url})
	nothing := watch(t, withoutChannel)
	nothing.stop()
	assert.Empty(t, nothing.events, "without a channel there is nothing to hear")
}

// Silence is evidence only if every change would be announced.
func TestUnannouncedTablesAreUnproven(t *testing.T) {
	server := servertest.StartPostgres(t)
	p, conn := filledOrigin(t, server, origintest.MixedDirectory(t, 1, 4))
	checkUnannounced := func(name string, change string, cfg Config) {
		servertest.Exec(t, conn, change)
		cfg.URL, cfg.Listen = p.listenAt.url, DefaultChannel
		h := watch(t, openOrigin(t, cfg))
		require.Eventually(t, func() bool { return len(h.errs()) > 0 }, fixture.Timeout, time.Millisecond, name)
		assert.ErrorContains(t, h.errs()[0], "triggers", name)
		assert.Zero(t, h.count("began"), name)
		h.stop()
	}
	views := `CREATE VIEW people AS SELECT * FROM users; CREATE VIEW held AS SELECT * FROM assignments; CREATE VIEW sites AS SELECT * FROM locations`
	others := Config{Tables: Tables{Users: "people", Assignments: "held", Locations: "sites"}}
	checkUnannounced("views", views, others)
	others.URL, others.Listen, others.Announced = p.listenAt.url, DefaultChannel, true
	watch(t, openOrigin(t, others)).heartbeatSince(time.Now())
	checkUnannounced("a table without", "ALTER TABLE assignments DISABLE TRIGGER USER", Config{})
	servertest.Exec(t, conn, Schema)
	h := watch(t, p)
	h.heartbeatSince(time.Now())
	servertest.Exec(t, conn, "ALTER TABLE users DISABLE TRIGGER USER") // while the watcher listens
	require.Eventually(t, func() bool { return len(h.errs()) > 0 }, fixture.Timeout, time.Millisecond)
	assert.ErrorContains(t, h.errs()[0], "triggers")
	servertest.Exec(t, conn, Schema)
	h.heartbeatSince(time.Now())
}
