package pgorigin

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// readyKey marks a connection that has planned the query for a user.
const readyKey = "ready"

// keepReady keeps one connection of the pool open while questions need none. Whoever listens for all fetches what has changed for all too,
// and to connect takes longer than to ask. A database that takes no more connections is left alone.
func (p *Origin) keepReady(ctx context.Context) {
	due := time.NewTicker(p.idle / 3)
	defer due.Stop()
	for {
		if !p.full.Load() {
			p.useConnection(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-due.C:
		}
	}
}

// useConnection takes a connection and gives it back. A new one is asked for nobody, so that it is faster later.
func (p *Origin) useConnection(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	_ = p.guarded(func() error {
		q, err := p.currentQueries(within)
		if err != nil {
			return err
		}
		return p.withConn(within, func(conn *pgxpool.Conn) error {
			known := conn.Conn().PgConn().CustomData()
			if known[readyKey] != nil {
				return nil
			}
			known[readyKey] = true
			rows, err := p.querier(conn).Query(within, q.user, "")
			if err == nil {
				rows.Close()
				err = rows.Err()
			}
			return err
		})
	})
}
