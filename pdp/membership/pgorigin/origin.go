package pgorigin

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/outage"
)

// DefaultChannel is the channel on which the triggers of [Schema] announce changes.
const DefaultChannel = "wardkeeper_changes"

// Config configures an [Origin].
type Config struct {
	// URL is postgres://user:password@host:port/database?settings. It may name several hosts, and files for TLS.
	URL string
	// Tables must have the columns of [Schema]. Text columns may have any type that is written as text, and access may be
	// json. Without a column version, records have version 0. The error of the first query names all other columns that are
	// missing or have another type.
	Tables Tables
	// Listen is the channel to listen on; "" for none.
	Listen string
	// ListenURL is the address of the listening connection; "" means URL. It must lead to the same database without a
	// pooler, because a pooler would hold notifications back.
	ListenURL string
	// Announced promises that every change is announced on the channel, by whatever means. Without the promise, silence
	// means that nothing has changed only while the triggers of [Schema] are proven to announce every change.
	Announced bool
	// Heartbeat is the interval between heartbeats of the listening connection; 0 means 200 ms.
	Heartbeat time.Duration
	// Silence is how long a heartbeat may take until the connection is taken for lost; 0 means five intervals.
	Silence time.Duration
	// MaxConnections limits the pool; 0 means 8. Lists use at most half of it. Listening needs one more connection. The pool
	// begins without connections.
	MaxConnections int
	// Idle is how long a connection is kept at least while no question needs it, and half of that more at most; 0 means 10 s.
	Idle time.Duration
	// Timeout limits connecting and a query for a record; 0 means 1 s. A list may take five times as long.
	Timeout time.Duration
	Logger  *slog.Logger // nil means slog.Default

	breakerPause time.Duration // how long the circuit breaker stays open; 0 means [breakerPause]

	life time.Duration // minimum lifetime of a connection and half of the maximum; 0 means [minConnectionLife]
}

// Tables names the tables or views, each as NAME or SCHEMA.NAME, case-sensitive. Empty names mean users, assignments and
// locations.
type Tables struct {
	Users, Assignments, Locations string
}

const longTimeoutFactor = 5 // of the timeout, for lists and for the locations of an organization

// Origin is a [membership.Origin] that reads three tables or views. It is safe for concurrent use.
type Origin struct {
	pool          *pgxpool.Pool
	pinned        *pinned // instead of the pool; nil but in a snapshot
	listenAt      *address
	tables        tables
	channel       string
	announced     bool
	evidenceQuery string
	heartbeat     time.Duration
	timeout       time.Duration
	silence       time.Duration // how long a heartbeat may take
	life          time.Duration // minimum lifetime of a connection
	idle          time.Duration // how long one is kept at least that no question needs
	full          atomic.Bool   // there is no connection left for the successor of the one that listens
	// listSlots limits how many lists are read at a time, because they are slow and must leave connections for records.
	listSlots chan struct{}
	large     largeLists
	breaker   *breaker
	down      outage.Outage // while breaker suspends queries
	secrets   *secrets
	logger    *slog.Logger
	// queries is nil until the columns of the tables are known.
	queries atomic.Pointer[queries]
	// noPrepare is set once a pooler has mixed up prepared statements. From then on no connection uses them.
	noPrepare atomic.Bool
}

var _ membership.Origin = (*Origin)(nil)

var _ membership.Watcher = (*Origin)(nil)

var (
	_ membership.Branches = (*Origin)(nil)
	_ membership.Pooled   = (*Origin)(nil)
)

// Pool implements [membership.Pooled]. It leaves out the connection that listens.
func (p *Origin) Pool() membership.Pool {
	s := p.pool.Stat()
	return membership.Pool{Name: "origin", Used: int(s.AcquiredConns()), Idle: int(s.IdleConns()), Limit: int(s.MaxConns()), Waits: uint64(s.EmptyAcquireCount())}
}

// Open opens an origin. It does not connect, so the database may be down. The error is a [*pdp.Error] of kind
// [pdp.Invalid] if the URL, a name or a number is malformed. No error contains the password.
func Open(_ context.Context, cfg Config) (*Origin, error) {
	names, err := cfg.Tables.quoted()
	if err != nil {
		return nil, err
	}
	if cfg.Listen != "" {
		if err := checkName("the channel", cfg.Listen); err != nil {
			return nil, err
		}
	}
	if cfg.Heartbeat < 0 || cfg.Silence < 0 || cfg.Timeout < 0 || cfg.Idle < 0 || cfg.MaxConnections < 0 || cfg.MaxConnections > 1<<15 {
		return nil, invalid("a timeout, the heartbeat or the number of connections to the database is out of range")
	}
	p := &Origin{
		tables: names, channel: cfg.Listen, announced: cfg.Announced, evidenceQuery: names.evidenceQuery(cfg.Announced),
		heartbeat: cmp.Or(cfg.Heartbeat, 200*time.Millisecond), timeout: cmp.Or(cfg.Timeout, time.Second), life: cmp.Or(cfg.life, minConnectionLife),
		logger: cmp.Or(cfg.Logger, slog.Default()),
	}
	p.silence = cmp.Or(cfg.Silence, heartbeatsUntilLost*p.heartbeat)
	p.breaker = newBreaker(cmp.Or(cfg.breakerPause, breakerPause), &p.down, p.logger)
	p.secrets = new(secrets)
	reading, settings, err := openAddress(cfg.URL, p.timeout, p.secrets, p.logger)
	if err != nil {
		return nil, err
	}
	if p.listenAt = reading; cfg.ListenURL != "" {
		if p.listenAt, _, err = openAddress(cfg.ListenURL, p.timeout, p.secrets, p.logger); err != nil {
			return nil, invalid("listen_url: " + err.Error())
		}
	}
	settings.BeforeConnect = func(_ context.Context, connect *pgx.ConnConfig) error {
		*connect = *reading.now()
		// Canceling the context must cancel the query at the server too.
		connect.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
			return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: 100 * time.Millisecond}
		}
		return nil
	}
	settings.AfterConnect = prepareConnection
	settings.MaxConnLifetime, settings.MaxConnLifetimeJitter = p.life, p.life
	settings.MaxConns = int32(cmp.Or(cfg.MaxConnections, 8))
	p.listSlots = make(chan struct{}, max(settings.MaxConns/2, 1))
	settings.MinConns, settings.MinIdleConns = 0, 0
	// Idle connections of sidecars that began together must not be closed and opened together.
	p.idle = cmp.Or(cfg.Idle, 10*time.Second)
	settings.MaxConnIdleTime = p.idle + rand.N(p.idle/2)
	settings.HealthCheckPeriod = p.idle / 4 // closes them
	// The pool must outlive the context passed to Open.
	if p.pool, err = pgxpool.NewWithConfig(context.Background(), settings); err != nil {
		return nil, invalid("the settings in the database's URL contradict each other")
	}
	return p, nil
}

// Renew closes idle connections, so that later queries connect with the current credentials.
func (p *Origin) Renew() { p.pool.Reset() }

// Close closes the connections, each as soon as it is no longer in use.
func (p *Origin) Close() error {
	p.pool.Close()
	return nil
}

// Check implements [membership.Origin]. It runs each kind of query with an id that no record has.
func (p *Origin) Check(ctx context.Context) error {
	for _, one := range []struct {
		query func(q *queries) string
		scan  scanner
	}{
		{func(q *queries) string { return q.user }, scanUser},
		{func(q *queries) string { return q.username }, scanUser},
		{func(q *queries) string { return q.organization }, scanLocations},
	} {
		if _, err := p.records(ctx, p.timeout, one.query, one.scan, ""); err != nil {
			return err
		}
	}
	return nil
}

// User implements [membership.Origin].
func (p *Origin) User(ctx context.Context, id string) (*membership.RawRecord, error) {
	return p.record(ctx, p.timeout, func(q *queries) string { return q.user }, scanUser, id)
}

// UserByUsername implements [membership.Origin]. The database folds usernames as [facts.Fold] does, except for letters
// of a Unicode version that only one of them supports.
func (p *Origin) UserByUsername(ctx context.Context, username string) ([]membership.RawRecord, error) {
	if !facts.ValidID(username) {
		return nil, nil
	}
	return p.records(ctx, p.timeout, func(q *queries) string { return q.username }, scanUser, username)
}

// Organization implements [membership.Origin]. A cycle of locations is delivered unchanged; validation refuses it.
func (p *Origin) Organization(ctx context.Context, location string) (*membership.RawRecord, error) {
	return p.record(ctx, longTimeoutFactor*p.timeout, func(q *queries) string { return q.organization }, scanLocations, location)
}

// Branches implements [membership.Branches].
func (p *Origin) Branches(ctx context.Context, root string, locations, alone []string) (*membership.RawRecord, error) {
	found, err := p.records(ctx, longTimeoutFactor*p.timeout, func(q *queries) string { return q.branches }, scanLocations, root, locations, alone)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

func (p *Origin) record(ctx context.Context, timeout time.Duration, query func(*queries) string, scan scanner, id string) (*membership.RawRecord, error) {
	if !facts.ValidID(id) {
		return nil, nil
	}
	found, err := p.records(ctx, timeout, query, scan, id)
	switch {
	case err != nil || len(found) == 0:
		return nil, err
	case len(found) > 1: // possible in a view
		return nil, unavailable(errDuplicateID)
	}
	return &found[0], nil
}

func (p *Origin) records(ctx context.Context, timeout time.Duration, query func(*queries) string, scan scanner, args ...any) (found []membership.RawRecord, err error) {
	err = p.ask(ctx, timeout, func(ctx context.Context, q *queries) error {
		found = nil
		return p.rows(ctx, query(q), args, func(rows pgx.Rows) (bool, error) {
			one, err := scan(rows)
			found = append(found, one)
			return true, err
		})
	})
	return found, err
}

// Locations implements [membership.Origin].
func (p *Origin) Locations(ctx context.Context, after string, most int) (found []string, err error) {
	if after != "" && !facts.ValidID(after) {
		return nil, invalid("The list cannot continue after a text that is no id.")
	}
	err = p.ask(ctx, p.timeout, func(ctx context.Context, q *queries) error {
		found = nil
		return p.rows(ctx, q.locations, []any{after, membership.PageLimit(most)}, func(rows pgx.Rows) (bool, error) {
			var id string
			err := rows.Scan(&id)
			found = append(found, id)
			return true, err
		})
	})
	return found, err
}
