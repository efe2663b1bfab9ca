package pgorigin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

var _ membership.Snapshots = (*Origin)(nil)

// pinned is the only connection of a snapshot. It is in a transaction.
type pinned struct {
	mu   sync.Mutex // held during a query
	conn *pgxpool.Conn
}

// transaction reads the database as it was when it began.
type transaction struct {
	*Origin
	asOf time.Time
}

// beginSnapshot begins a transaction that sees one state of the database and writes nothing.
const beginSnapshot = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"

// asOfSnapshot fixes that state, and says of when it is. A standby may lag behind: it has what it has replayed.
const asOfSnapshot = "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_xact_replay_timestamp() ELSE statement_timestamp() END"

var errNeverReplayed = errors.New("a standby that has replayed nothing since it started does not know of when its data is")

// Snapshot implements [membership.Snapshots], by a transaction on one connection of the pool.
func (p *Origin) Snapshot(ctx context.Context) (membership.Snapshot, error) {
	within, cancel := context.WithTimeout(ctx, longTimeoutFactor*p.timeout)
	defer cancel()
	conn, err := p.pool.Acquire(within)
	if err != nil {
		return nil, unavailable(p.secrets.redact(p.waited(err)))
	}
	s := &transaction{Origin: &Origin{
		pool: p.pool, pinned: &pinned{conn: conn}, tables: p.tables, timeout: p.timeout, listSlots: make(chan struct{}, 1), secrets: p.secrets, logger: p.logger,
	}}
	s.breaker = newBreaker(breakerPause, &s.down, s.logger)
	var asOf *time.Time
	if _, err = conn.Exec(within, beginSnapshot); err == nil {
		err = conn.QueryRow(within, asOfSnapshot, pgx.QueryExecModeExec).Scan(&asOf)
	}
	if err == nil && asOf == nil {
		err = errNeverReplayed
	}
	if err != nil {
		_ = s.Close()
		return nil, unavailable(p.secrets.redact(err))
	}
	s.asOf = *asOf
	return s, nil
}

// AsOf implements [membership.Snapshot].
func (t *transaction) AsOf() time.Time { return t.asOf }

// AllUsers implements [membership.Snapshot], by one query without an order: views need no index for it. A timeout may pass between two
// rows, not in all.
func (t *transaction) AllUsers(ctx context.Context, take func(membership.RawRecord) error) error {
	var refused error // by take
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	wait := longTimeoutFactor * t.timeout
	stalled := time.AfterFunc(wait, func() { cancel(fmt.Errorf("there was no user for %v: %w", wait, context.DeadlineExceeded)) })
	defer stalled.Stop()
	err := t.guarded(func() error {
		q, err := t.currentQueries(within)
		if err != nil {
			return err
		}
		return t.rows(within, q.allUsers, nil, func(rows pgx.Rows) (bool, error) {
			stalled.Reset(wait)
			one, err := scanUser(rows)
			if err == nil {
				refused = take(one)
			}
			return err == nil && refused == nil, err
		})
	})
	switch {
	case refused != nil:
		return refused
	case err == nil:
		return nil
	case within.Err() != nil:
		err = context.Cause(within)
	}
	return unavailable(t.secrets.redact(err))
}

// Close ends the transaction. The connection goes back to the pool, which stays open.
func (t *transaction) Close() error {
	t.pinned.mu.Lock()
	defer t.pinned.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), t.timeout)
	defer cancel()
	_, _ = t.pinned.conn.Exec(ctx, "ROLLBACK") // a connection in a transaction is closed by the pool
	t.pinned.conn.Release()
	return nil
}
