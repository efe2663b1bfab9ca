package membership

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wardkeeper/wardkeeper/pdp"
)

const (
	beatsUntilLost   = 5
	soonestReconnect = 50 * time.Millisecond
	latestReconnect  = 5 * time.Second
)

var (
	errSilent = errors.New("the listening connection is silent")
	errUntold = errors.New("not every table has the triggers that tell of changes: facts live by their age, until the tables have those that " +
		"wardkeeper directory schema prints, or membership.postgres.listen names a channel that is told otherwise")
)

// Listen implements [Listener], by a connection of its own. Without a channel it only waits.
func (p *Postgres) Listen(ctx context.Context, hear Hearing) {
	if p.channel == "" {
		<-ctx.Done()
		return
	}
	pause := soonestReconnect
	for lost := false; ; lost = true {
		began, err := p.listenOnce(ctx, hear)
		if ctx.Err() != nil {
			return
		}
		err = unavailable(p.secrets.hidden(err))
		if began || !lost {
			pause = soonestReconnect
			p.logger.Warn("changes of the database are not heard", "error", err)
		}
		hear.Lost(err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause/2 + mathrand.N(pause)):
		}
		pause = min(2*pause, latestReconnect)
	}
}

// listenOnce listens until the connection fails.
func (p *Postgres) listenOnce(ctx context.Context, hear Hearing) (began bool, err error) {
	dialing, cancel := context.WithTimeout(ctx, p.patience()+p.timeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(dialing, p.connect.Copy())
	if err != nil {
		return false, err
	}
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ending)
	}()
	l := &listening{conn: conn, hear: hear, changes: p.channel, beats: "wardkeeper_beat_" + strings.ToLower(rand.Text()),
		every: p.beat, patience: p.patience()}
	if err := l.begin(dialing); err != nil {
		return false, err
	}
	if err := p.isTold(dialing, conn); err != nil {
		return false, err
	}
	hear.Began(time.Now(), "")
	p.logger.Info("listening to the changes of the database", "channel", p.channel)
	for {
		if err := l.beat(ctx); err != nil {
			return true, err
		}
		asking, cancel := context.WithTimeout(ctx, p.patience())
		err := p.isTold(asking, conn) // somebody may have switched triggers off, for a bulk load
		cancel()
		if err != nil {
			return true, err
		}
	}
}

// isTold fails where changes of some table would not be heard of.
func (p *Postgres) isTold(ctx context.Context, conn *pgx.Conn) error {
	if p.told {
		return nil
	}
	const telling = `SELECT count(DISTINCT t.tgrelid) = 3 FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid
		WHERE t.tgrelid = ANY (ARRAY[to_regclass($1), to_regclass($2), to_regclass($3)]::oid[])
		AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND f.proname LIKE 'wardkeeper\_%\_written'`
	all := false
	err := conn.QueryRow(ctx, telling, p.tables.users, p.tables.assignments, p.tables.locations).Scan(&all)
	if err == nil && !all {
		err = errUntold
	}
	return err
}

func (p *Postgres) patience() time.Duration { return beatsUntilLost * p.beat }

// listening is one connection that listens.
type listening struct {
	conn            *pgx.Conn
	hear            Hearing
	changes, beats  string // channels
	every, patience time.Duration
}

func (l *listening) begin(ctx context.Context) error {
	for _, channel := range []string{l.beats, l.changes} {
		if _, err := l.conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
			return err
		}
	}
	return nil
}

// beat sends a beat to itself, and reads until it has come and the next is due. The database delivers in the order of
// commits: what was committed before the beat was sent has been read when it comes.
func (l *listening) beat(ctx context.Context) error {
	sent := time.Now()
	within, cancel := context.WithDeadline(ctx, sent.Add(l.patience))
	defer cancel()
	if _, err := l.conn.Exec(within, "NOTIFY "+pgx.Identifier{l.beats}.Sanitize()); err != nil {
		return silent(within, err)
	}
	for heard := false; !heard; {
		note, err := l.conn.WaitForNotification(within)
		if err != nil {
			return silent(within, err)
		}
		if heard = note.Channel == l.beats; !heard {
			l.hear.Changed([]pdp.Change{parseAnnouncement(note.Payload)})
		}
	}
	l.hear.Beat(sent)
	until, stop := context.WithDeadline(ctx, sent.Add(l.every))
	defer stop()
	for until.Err() == nil {
		note, err := l.conn.WaitForNotification(until)
		if err != nil {
			if until.Err() != nil && ctx.Err() == nil && !l.conn.IsClosed() {
				return nil // the next is due
			}
			return err
		}
		if note.Channel == l.changes {
			l.hear.Changed([]pdp.Change{parseAnnouncement(note.Payload)})
		}
	}
	return ctx.Err()
}

func silent(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", errSilent, ctx.Err())
	}
	return err
}
