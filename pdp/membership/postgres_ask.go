package membership

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/wardkeeper/wardkeeper/pdp"
)

var (
	errTwice    = errors.New("the table has an id twice")
	errTooLarge = errors.New("a record is larger than allowed")
	errVersion  = errors.New("a version is below 0 or above 2^53-1")
)

// ask asks once more where the connection or the shape of the tables turned out to be of the past: it only reads.
func (p *Postgres) ask(ctx context.Context, patience time.Duration, question func(context.Context, *postgresQueries) error) error {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var err error
	for range 2 {
		var q *postgresQueries
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
func (p *Postgres) worthAnother(err error) bool {
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
		}
		return strings.HasPrefix(refused.Code, "08") || strings.HasPrefix(refused.Code, "57P")
	case errors.As(err, &broken), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return true
	}
	return pgconn.SafeToRetry(err)
}

// known gives the questions, written for the tables as they are.
func (p *Postgres) known(ctx context.Context) (*postgresQueries, error) {
	if q := p.queries.Load(); q != nil {
		return q, nil
	}
	users, locations, err := checkColumns(ctx, p.pool, p.tables)
	if err != nil {
		return nil, err
	}
	q := newPostgresQueries(p.tables, users, locations, gathered)
	p.queries.Store(q)
	return q, nil
}

func unavailable(err error) error {
	return &pdp.Error{Kind: pdp.Unavailable, Message: "Membership facts are unavailable.", Err: fmt.Errorf("the database cannot answer: %w", err)}
}

func invalid(message string) error {
	return &pdp.Error{Kind: pdp.Invalid, Message: message}
}
