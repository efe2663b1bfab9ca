package pgorigin

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

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

const (
	beatsUntilLost   = 5
	soonestReconnect = 50 * time.Millisecond
	latestReconnect  = 5 * time.Second
)

var errSilent = errors.New("the listening connection is silent")

// Watch implements [membership.Watcher], by a connection of its own. Without a channel it only waits.
func (p *Origin) Watch(ctx context.Context, hear membership.ChangeHandler) {
	if p.channel == "" {
		<-ctx.Done()
		return
	}
	pause, told := soonestReconnect, ""
	for e := new(established); ; {
		began, err := p.listenOnce(ctx, hear, e)
		if ctx.Err() != nil {
			return
		}
		if began {
			pause, told = soonestReconnect, ""
		}
		if missing := (*membership.Unproven)(nil); !errors.As(err, &missing) { // those are told by who hears of them
			if err = unavailable(p.secrets.hidden(err)); err.Error() != told {
				told = err.Error()
				p.logger.Warn("changes of the database are not heard", "error", err)
			}
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

// listenOnce listens until the channel fails, or is not proven to carry every change any more.
func (p *Origin) listenOnce(ctx context.Context, hear membership.ChangeHandler, e *established) (began bool, err error) {
	l, err := p.open(ctx, hear, e)
	if err != nil {
		return false, err
	}
	defer func() { l.close(ctx) }()
	hear.Began(time.Now(), l.history)
	p.logger.Info("listening to the changes of the database", "channel", p.channel)
	for {
		if err := l.beat(ctx); err != nil {
			return true, err
		}
		if time.Now().Before(l.until) {
			continue
		}
		next, err := p.open(ctx, hear, e)
		if err != nil {
			return true, err
		}
		// Both hear what comes, and what came before is heard here to the end.
		if err = next.continues(l.proof); err == nil {
			err = l.beat(ctx)
		}
		if err != nil {
			next.close(ctx)
			return true, err
		}
		l.close(ctx)
		l = next
	}
}

// listening is one connection that listens.
type listening struct {
	p     *Origin
	conn  *pgx.Conn
	hear  membership.ChangeHandler
	beats string // a channel of its own
	until time.Time
	proof
}

// open connects and listens. Whatever is committed after it returns is heard.
func (p *Origin) open(ctx context.Context, hear membership.ChangeHandler, e *established) (*listening, error) {
	within, cancel := context.WithTimeout(ctx, p.patience()+p.timeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(within, p.Connect.now())
	if err != nil {
		return nil, err
	}
	l := &listening{p: p, conn: conn, hear: hear, beats: "wardkeeper_beat_" + strings.ToLower(rand.Text()),
		until: time.Now().Add(p.life + mathrand.N(p.life))}
	if err := l.begin(within, e); err != nil {
		l.close(ctx)
		return nil, err
	}
	return l, nil
}

// begin also looks before it listens: a standby and a pooler would refuse that, or do it for somebody else.
func (l *listening) begin(ctx context.Context, e *established) error {
	if _, err := l.look(ctx, pgx.QueryExecModeExec); err != nil {
		return err
	}
	for _, channel := range []string{l.beats, l.p.channel} {
		if _, err := l.conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
			return err
		}
	}
	var err error
	if l.proof, err = l.look(ctx, pgx.QueryExecModeCacheStatement); err != nil {
		return err
	}
	return l.p.weigh(ctx, l.conn, l.proof, e)
}

// look fails where something is not proven.
func (l *listening) look(ctx context.Context, mode pgx.QueryExecMode) (proof, error) {
	now, err := l.p.prove(ctx, l.conn, mode)
	if err == nil && len(now.missing) > 0 {
		err = unproven(now.missing)
	}
	return now, err
}

func (l *listening) close(ctx context.Context) {
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = l.conn.Close(ending)
}

func (p *Origin) patience() time.Duration { return beatsUntilLost * p.beat }

// beat sends a beat to itself, and reads until it has come, and then until the next is due. The database delivers in the order
// of commits: what was committed before the beat was sent has been read when it comes. It counts if nothing of what makes
// writes heard has been altered by then.
func (l *listening) beat(ctx context.Context) error {
	sent := time.Now()
	within, cancel := context.WithDeadline(ctx, sent.Add(l.p.patience()))
	defer cancel()
	nonce := rand.Text()
	if _, err := l.conn.Exec(within, "NOTIFY "+pgx.Identifier{l.beats}.Sanitize()+", "+literal(nonce)); err != nil {
		return silent(within, err)
	}
	for heard := ""; heard != nonce; {
		var err error
		if heard, err = l.next(within); err != nil {
			return silent(within, err)
		}
	}
	now, err := l.look(within, pgx.QueryExecModeCacheStatement)
	if err != nil {
		return silent(within, err)
	}
	if err := now.continues(l.proof); err != nil {
		return err
	}
	l.proof = now
	l.hear.Heartbeat(sent)
	until, stop := context.WithDeadline(ctx, sent.Add(l.p.beat))
	defer stop()
	for until.Err() == nil {
		if _, err := l.next(until); err != nil {
			if until.Err() != nil && ctx.Err() == nil && !l.conn.IsClosed() {
				return nil // the next is due
			}
			return err
		}
	}
	return ctx.Err()
}

// next waits for the next notification, and tells of it or gives the nonce of a beat.
func (l *listening) next(ctx context.Context) (nonce string, err error) {
	note, err := l.conn.WaitForNotification(ctx)
	switch {
	case err != nil:
		return "", err
	case note.Channel == l.beats:
		return note.Payload, nil
	case note.Channel == l.p.channel:
		l.hear.Changed([]pdp.Change{parseAnnouncement(note.Payload)})
	}
	return "", nil
}

func silent(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", errSilent, ctx.Err())
	}
	return err
}
