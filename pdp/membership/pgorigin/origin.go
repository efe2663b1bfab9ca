package pgorigin

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// DefaultPostgresChannel is where the triggers of [Schema] tell of changes.
const DefaultChannel = "wardkeeper_changes"

// Config says where the tables are.
type Config struct {
	// URL is postgres://user:password@host:port/database?settings. It may name several hosts, and files of TLS.
	URL string
	// Tables have the columns of [Schema], those of text of any type that is written as text, and access of json as
	// well. A column version may be missing: the origin then gives version 0. What else is missing or of another type is
	// named, all at once, by the first question.
	Tables Tables
	// Listen is the channel of announcements; empty means that there are none.
	Listen string
	// ListenURL is where the listening connection goes, URL by default: past a pooler, which keeps notifications back, to the
	// same database.
	ListenURL string
	// Told says that the channel is told of every change, by whatever means. Otherwise silence is taken for news that nothing
	// has changed only while it is proven that the triggers of [Schema] tell of every change.
	Told bool
	// Beat is how often the listening connection is tried, 200 ms by default. Without an answer for five beats it is lost.
	Beat time.Duration
	// MaxConnections bounds the pool, 8 by default, half of it for lists. Listening takes one more.
	MaxConnections int
	// Timeout bounds a question for a record, 1 s by default, and connecting. A list may take five times that.
	Timeout time.Duration
	Logger  *slog.Logger // nil means slog.Default

	life time.Duration // the least of a connection, the most is twice that; 0 means [connectionLife]
}

// Tables names tables or views, each NAME or SCHEMA.NAME, in the case that they have. The defaults are users,
// assignments and locations.
type Tables struct {
	Users, Assignments, Locations string
}

const listPatience = 5 // times the time-out

// Origin is an [membership.Origin] of three tables or views. It is safe for concurrent use.
type Origin struct {
	pool    *pgxpool.Pool
	Connect *address // of the listening connection
	tables  tables
	channel string
	told    bool
	proofs  string // the question for them
	beat    time.Duration
	timeout time.Duration
	life    time.Duration // of a connection, at least
	// listing has room for as many lists as are read at a time: they take long, and must leave connections for records.
	listing chan struct{}
	secrets *secrets
	logger  *slog.Logger
	// queries are written once it is known which tables have versions.
	queries atomic.Pointer[queries]
	// unprepared says that nothing is prepared on any connection.
	unprepared atomic.Bool
}

var _ membership.Origin = (*Origin)(nil)

var _ membership.Watcher = (*Origin)(nil)

// Open does not connect yet: a database that is down now is used as soon as it is up. It fails with an [*pdp.Error]
// of kind [pdp.Invalid] where the URL, a name or a number is malformed. No error tells the password.
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
	if cfg.Beat < 0 || cfg.Timeout < 0 || cfg.MaxConnections < 0 || cfg.MaxConnections > 1<<15 {
		return nil, invalid("a limit of the database is out of range")
	}
	p := &Origin{tables: names, channel: cfg.Listen, told: cfg.Told, proofs: names.proofs(cfg.Told), beat: cfg.Beat, timeout: cfg.Timeout, logger: cfg.Logger}
	if p.beat == 0 {
		p.beat = 200 * time.Millisecond
	}
	if p.timeout == 0 {
		p.timeout = time.Second
	}
	if p.life = cfg.life; p.life == 0 {
		p.life = connectionLife
	}
	if p.logger == nil {
		p.logger = slog.Default()
	}
	p.secrets = new(secrets)
	reading, settings, err := openAddress(cfg.URL, p.timeout, p.secrets, p.logger)
	if err != nil {
		return nil, err
	}
	if p.Connect = reading; cfg.ListenURL != "" {
		if p.Connect, _, err = openAddress(cfg.ListenURL, p.timeout, p.secrets, p.logger); err != nil {
			return nil, invalid("the address to listen at: " + err.Error())
		}
	}
	settings.BeforeConnect = func(_ context.Context, connect *pgx.ConnConfig) error {
		*connect = *reading.now()
		// A question that nobody waits for any more is ended at the server too. Listening is no question.
		connect.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
			return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: 100 * time.Millisecond}
		}
		return nil
	}
	settings.AfterConnect = settle
	settings.MaxConnLifetime, settings.MaxConnLifetimeJitter = p.life, p.life
	settings.MaxConns = 8
	if cfg.MaxConnections > 0 {
		settings.MaxConns = int32(cfg.MaxConnections)
	}
	p.listing = make(chan struct{}, max(settings.MaxConns/2, 1))
	settings.MinConns, settings.MinIdleConns = 0, 0
	// The pool outlives the context of opening it.
	if p.pool, err = pgxpool.NewWithConfig(context.Background(), settings); err != nil {
		return nil, invalid("the settings of the database's URL do not fit together")
	}
	return p, nil
}

// Renew has later questions use new connections, with the credentials of now.
func (p *Origin) Renew() { p.pool.Reset() }

// Close ends the connections once they are not used any more.
func (p *Origin) Close() error {
	p.pool.Close()
	return nil
}

// Check implements [membership.Origin]: it asks for each kind of record, none of which there can be.
func (p *Origin) Check(ctx context.Context) error {
	for _, one := range []func(q *queries) string{
		func(q *queries) string { return q.user },
		func(q *queries) string { return q.username },
		func(q *queries) string { return q.organization },
	} {
		if _, err := p.records(ctx, one, ""); err != nil {
			return err
		}
	}
	return nil
}

// User implements [membership.Origin].
func (p *Origin) User(ctx context.Context, id string) (*membership.RawRecord, error) {
	return p.record(ctx, func(q *queries) string { return q.user }, id)
}

// UserByUsername implements [membership.Origin]. What the database takes for the same username is what [facts.Fold] does, but for new
// letters that only one of them knows.
func (p *Origin) UserByUsername(ctx context.Context, username string) ([]membership.RawRecord, error) {
	if !storable(username) {
		return nil, nil
	}
	return p.records(ctx, func(q *queries) string { return q.username }, username)
}

// Organization implements [membership.Origin]. Of a cycle it delivers all that hangs together, which no check lets pass.
func (p *Origin) Organization(ctx context.Context, location string) (*membership.RawRecord, error) {
	return p.record(ctx, func(q *queries) string { return q.organization }, location)
}

func (p *Origin) record(ctx context.Context, query func(*queries) string, id string) (*membership.RawRecord, error) {
	if !storable(id) {
		return nil, nil
	}
	found, err := p.records(ctx, query, id)
	switch {
	case err != nil || len(found) == 0:
		return nil, err
	case len(found) > 1: // a view can have it so
		return nil, unavailable(errTwice)
	}
	return &found[0], nil
}

func (p *Origin) records(ctx context.Context, query func(*queries) string, id string) (found []membership.RawRecord, err error) {
	err = p.ask(ctx, p.timeout, func(ctx context.Context, q *queries) error {
		found = nil
		return p.rows(ctx, query(q), []any{id}, func(rows pgx.Rows) (bool, error) {
			one, err := sent(rows)
			found = append(found, one)
			return true, err
		})
	})
	return found, err
}

// sent is what a row says; more takes the columns behind record, version and history.
func sent(rows pgx.Rows, more ...any) (one membership.RawRecord, err error) {
	var version int64
	if err := rows.Scan(append([]any{&one.Record, &version, &one.History}, more...)...); err != nil {
		return membership.RawRecord{}, err
	}
	if one.Record == nil {
		return membership.RawRecord{}, errTooLarge
	}
	if version < 0 || version > pdp.MaxVersion {
		return membership.RawRecord{}, errVersion
	}
	one.Version = uint64(version)
	return one, nil
}

// Locations implements [membership.Origin].
func (p *Origin) Locations(ctx context.Context, after string, most int) (found []string, err error) {
	if strings.ContainsRune(after, 0) || !utf8.ValidString(after) {
		return nil, invalid("There is no id like the one behind which the list is to go on.")
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

// storable says whether a text can be in a database at all, and be an id or username.
func storable(s string) bool {
	return s != "" && len(s) <= membership.MaxID && utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}
