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
	errTwice    = membership.NewContractError("the table has an id twice")
	errTooLarge = membership.NewContractError("a record is larger than allowed")
	errVersion  = membership.NewContractError("a version is below 0 or above 2^53-1")
)

// ask asks once more where the connection or the shape of the tables turned out to be of the past: it only reads.
func (p *Origin) ask(ctx context.Context, patience time.Duration, question func(context.Context, *queries) error) error {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var err error
	for range 2 {
		var q *queries
		if q, err = p.known(within); err == nil {
			if err = question(within, q); err == nil {
				return nil
			}
		}
		if within.Err() != nil || !p.worthAnother(err) {
			break
		}
	}
	if ctx.Err() != nil {
		return &pdp.Error{Kind: pdp.Timeout, Message: "It took too long to decide this.", Err: ctx.Err()}
	}
	if within.Err() != nil {
		err = within.Err()
	}
	return unavailable(p.secrets.hidden(err))
}

// worthAnother also forgets which tables have versions, where one says that it has not.
func (p *Origin) worthAnother(err error) bool {
	var refused *pgconn.PgError
	var broken net.Error
	switch {
	case errors.As(err, &refused):
		switch {
		case refused.Code == "42703": // undefined_column
			p.queries.Store(nil)
			return true
		case refused.Code == "0A000": // a table was changed behind a prepared question
			return true
		case refused.Code == "26000", refused.Code == "42P05": // a pooler that does not show itself mixes prepared questions up
			p.unprepared.Store(true)
			return true
		}
		return strings.HasPrefix(refused.Code, "08") || strings.HasPrefix(refused.Code, "57P")
	case errors.As(err, &broken), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return true
	}
	return pgconn.SafeToRetry(err)
}

// known gives the questions, written for the tables as they are.
func (p *Origin) known(ctx context.Context) (*queries, error) {
	if q := p.queries.Load(); q != nil {
		return q, nil
	}
	var users, locations bool
	err := p.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) (err error) {
		users, locations, err = checkColumns(ctx, p.asking(conn), p.tables)
		return err
	})
	if err != nil {
		return nil, err
	}
	q := newPostgresQueries(p.tables, users, locations, gathered)
	p.queries.Store(q)
	return q, nil
}

// asking asks as a connection allows: through a pooler, nothing is prepared.
type asking struct {
	conn       *pgxpool.Conn
	unprepared bool
}

func (p *Origin) asking(conn *pgxpool.Conn) asking {
	return asking{conn, p.unprepared.Load() || pooled(conn.Conn().PgConn())}
}

func (a asking) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if a.unprepared {
		args = append([]any{pgx.QueryExecModeExec}, args...)
	}
	return a.conn.Query(ctx, sql, args...)
}

// rows asks on a connection of the pool, and lets each take a row, until it has enough.
func (p *Origin) rows(ctx context.Context, sql string, args []any, each func(pgx.Rows) (more bool, err error)) error {
	return p.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		rows, err := p.asking(conn).Query(ctx, sql, args...)
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
