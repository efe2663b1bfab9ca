package pgorigin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

var (
	errDuplicateID  = membership.NewContractError("the table has an id twice")
	errTooLarge     = membership.NewContractError("a record is larger than allowed")
	errVersionRange = membership.NewContractError("a version is below 0 or above 2^53-1")
)

// ask runs a query, unless the database has not answered for a while. It runs the query again if the connection was stale
// or the tables have changed, because queries only read.
func (p *Origin) ask(ctx context.Context, timeout time.Duration, question func(context.Context, *queries) error) error {
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := p.guarded(func() error {
		for attempt := 1; ; attempt++ {
			q, err := p.currentQueries(within)
			if err == nil {
				err = question(within, q)
			}
			switch {
			case err == nil:
				return nil
			case ctx.Err() != nil:
				return errors.Join(ctx.Err(), err)
			case within.Err() != nil:
				return errors.Join(within.Err(), err)
			case attempt == 2 || !p.retryable(err):
				return err
			}
		}
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return &pdp.Error{Kind: pdp.Timeout, Message: "It took too long to decide this.", Err: ctx.Err()}
	case within.Err() != nil:
		err = within.Err()
	}
	return unavailable(p.secrets.redact(err))
}

// retryable reports whether another attempt may succeed. It forgets the queries if a column no longer exists.
func (p *Origin) retryable(err error) bool {
	if p.pinned != nil { // the transaction has failed as a whole
		return false
	}
	var refused *pgconn.PgError
	var broken net.Error
	switch {
	case errors.As(err, &refused):
		switch {
		case refused.Code == "42703": // undefined_column
			p.queries.Store(nil)
			return true
		case refused.Code == "0A000": // a table changed under a prepared statement
			return true
		case refused.Code == "26000", refused.Code == "42P05": // an undetected pooler has mixed up prepared statements
			p.noPrepare.Store(true)
			return true
		}
		return strings.HasPrefix(refused.Code, "08") || strings.HasPrefix(refused.Code, "57P")
	case errors.As(err, &broken), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return true
	}
	return pgconn.SafeToRetry(err)
}

// currentQueries returns the queries for the current columns of the tables.
func (p *Origin) currentQueries(ctx context.Context) (*queries, error) {
	if q := p.queries.Load(); q != nil {
		return q, nil
	}
	var has present
	err := p.withConn(ctx, func(conn *pgxpool.Conn) (err error) {
		has, err = checkColumns(ctx, p.querier(conn), p.tables)
		return err
	})
	if err != nil {
		return nil, err
	}
	q := newQueries(p.tables, has, gathered, walked)
	p.queries.Store(q)
	return q, nil
}

// connQuerier queries a connection. It does not use prepared statements through a pooler.
type connQuerier struct {
	conn      *pgxpool.Conn
	noPrepare bool
}

func (p *Origin) querier(conn *pgxpool.Conn) connQuerier {
	return connQuerier{conn, p.noPrepare.Load() || pooled(conn.Conn().PgConn())}
}

func (a connQuerier) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if a.noPrepare {
		args = append([]any{pgx.QueryExecModeExec}, args...)
	}
	return a.conn.Query(ctx, sql, args...)
}

// withConn calls f with a connection.
func (p *Origin) withConn(ctx context.Context, f func(*pgxpool.Conn) error) error {
	if p.pinned != nil {
		p.pinned.mu.Lock()
		defer p.pinned.mu.Unlock()
		return f(p.pinned.conn)
	}
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return p.waited(err)
	}
	defer conn.Release()
	return f(conn)
}

// rows runs a query on a connection of the pool and calls each for every row until each returns false.
func (p *Origin) rows(ctx context.Context, sql string, args []any, each func(pgx.Rows) (more bool, err error)) error {
	return p.withConn(ctx, func(conn *pgxpool.Conn) error {
		rows, err := p.querier(conn).Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if more, err := each(rows); err != nil || !more {
				return err
			}
		}
		return rows.Err()
	})
}

func unavailable(err error) error {
	return &pdp.Error{Kind: pdp.Unavailable, Message: "Membership facts are unavailable.", Err: fmt.Errorf("the database cannot answer: %w", err)}
}

func invalid(message string) error {
	return &pdp.Error{Kind: pdp.Invalid, Message: message}
}
