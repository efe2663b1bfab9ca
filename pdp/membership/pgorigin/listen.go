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
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

const (
	heartbeatsUntilLost = 5
	minReconnectDelay   = 50 * time.Millisecond
	maxReconnectDelay   = 2 * time.Second // half of it more at most: facts are confirmed within five seconds of an outage's end
)

var errNoHeartbeat = errors.New("no heartbeat on the listening connection")

// Watch implements [membership.Watcher]. It uses a separate connection. Without a channel it waits for ctx.
func (p *Origin) Watch(ctx context.Context, handler membership.ChangeHandler) {
	if p.channel == "" {
		<-ctx.Done()
		return
	}
	pause := minReconnectDelay
	for e := new(baseline); ; {
		began, err := p.listen(ctx, handler, e)
		if ctx.Err() != nil {
			return
		}
		if began {
			pause = minReconnectDelay
		}
		if missing := (*membership.Unproven)(nil); !errors.As(err, &missing) {
			err = unavailable(p.secrets.redact(err))
		}
		handler.Lost(err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause/2 + mathrand.N(pause)):
		}
		pause = min(2*pause, maxReconnectDelay)
	}
}

// listen listens until the channel fails or is no longer proven to carry every change. Where the database has no connection left, whoever
// listens for all does not leave it to the others at once, who would fare no better and keep taking turns: it gives up what it
// has in the pool, and tries for as long as nobody misses its heartbeat.
func (p *Origin) listen(ctx context.Context, handler membership.ChangeHandler, e *baseline) (began bool, err error) {
	l, err := p.openListener(ctx, handler, e)
	if _, forAll := handler.(membership.HeartbeatObserver); forAll {
		for began := time.Now(); crowded(err) && time.Since(began) < p.silence; l, err = p.openListener(ctx, handler, e) {
			p.pool.Reset()
			select {
			case <-ctx.Done():
				return false, ctx.Err()
			case <-time.After(minReconnectDelay/2 + mathrand.N(minReconnectDelay)):
			}
		}
	}
	if err != nil {
		return false, err
	}
	defer func() { l.close(ctx) }()
	handler.Began(time.Now(), l.history)
	if _, forAll := handler.(membership.HeartbeatObserver); forAll {
		ready, cancel := context.WithCancel(ctx)
		defer cancel()
		go p.keepReady(ready)
	}
	for {
		if err := l.heartbeat(ctx); err != nil {
			return true, err
		}
		if time.Now().Before(l.until) {
			continue
		}
		next, err := p.openListener(ctx, handler, e)
		switch {
		case crowded(err): // this one serves until there is room for a successor
			p.full.Store(true)
			p.pool.Reset()
			continue
		case err != nil:
			return true, err
		}
		// Both connections are listening now; this one delivers what was announced before the next one began.
		if err = next.checkUnchanged(l.evidence); err == nil {
			err = l.heartbeat(ctx)
		}
		if err != nil {
			next.close(ctx)
			return true, err
		}
		p.full.Store(false)
		l.close(ctx)
		l = next
	}
}

// crowded reports whether the database refuses a connection because it has too many.
func crowded(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == "53300"
}

// listener is a listening connection.
type listener struct {
	p                *Origin
	conn             *pgx.Conn
	handler          membership.ChangeHandler
	heartbeatChannel string // for this connection only
	until            time.Time
	evidence
}

// openListener connects and listens. Every change committed after it returns will be delivered.
func (p *Origin) openListener(ctx context.Context, handler membership.ChangeHandler, e *baseline) (*listener, error) {
	within, cancel := context.WithTimeout(ctx, p.silence+p.timeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(within, p.listenAt.now())
	if err != nil {
		return nil, err
	}
	l := &listener{p: p, conn: conn, handler: handler, heartbeatChannel: "wardkeeper_beat_" + strings.ToLower(rand.Text()),
		until: time.Now().Add(p.life + mathrand.N(p.life))}
	if err := l.begin(within, e); err != nil {
		l.close(ctx)
		return nil, err
	}
	return l, nil
}

// begin also collects evidence before it listens, because a standby would refuse to listen, and a pooler would listen in
// a session of another client.
func (l *listener) begin(ctx context.Context, e *baseline) error {
	if _, err := l.collectEvidence(ctx, pgx.QueryExecModeExec); err != nil {
		return err
	}
	for _, channel := range []string{l.heartbeatChannel, l.p.channel} {
		if _, err := l.conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
			return err
		}
	}
	var err error
	if l.evidence, err = l.collectEvidence(ctx, pgx.QueryExecModeCacheStatement); err != nil {
		return err
	}
	return l.p.checkOpenTransactions(ctx, l.conn, l.evidence, e)
}

// collectEvidence collects evidence and returns an error if any is missing.
func (l *listener) collectEvidence(ctx context.Context, mode pgx.QueryExecMode) (evidence, error) {
	now, err := l.p.collectEvidence(ctx, l.conn, mode)
	if err == nil && len(now.missing) > 0 {
		err = unproven(now.missing)
	}
	return now, err
}

func (l *listener) close(ctx context.Context) {
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = l.conn.Close(ending)
}

// heartbeat sends a notification to its own connection, reads until it arrives, and then until the next heartbeat is
// due. The database delivers notifications in commit order, so when the heartbeat arrives, everything committed before
// it was sent has been read. A heartbeat counts only if nothing that makes writes announce themselves has been altered
// by then.
func (l *listener) heartbeat(ctx context.Context) error {
	if observer, ok := l.handler.(membership.HeartbeatObserver); ok {
		observer.HeartbeatStarts()
	}
	sent := time.Now()
	within, cancel := context.WithDeadline(ctx, sent.Add(l.p.silence))
	defer cancel()
	nonce := rand.Text()
	if _, err := l.conn.Exec(within, "NOTIFY "+pgx.Identifier{l.heartbeatChannel}.Sanitize()+", "+literal(nonce)); err != nil {
		return silent(within, err)
	}
	for heard := ""; heard != nonce; {
		var err error
		if heard, err = l.next(within); err != nil {
			return silent(within, err)
		}
	}
	now, err := l.collectEvidence(within, pgx.QueryExecModeCacheStatement)
	if err != nil {
		return silent(within, err)
	}
	if err := now.checkUnchanged(l.evidence); err != nil {
		return err
	}
	l.evidence = now
	l.handler.Heartbeat(sent)
	until, stop := context.WithDeadline(ctx, sent.Add(l.p.heartbeat))
	defer stop()
	for until.Err() == nil {
		if _, err := l.next(until); err != nil {
			if until.Err() != nil && ctx.Err() == nil && !l.conn.IsClosed() {
				return nil // the next heartbeat is due
			}
			return err
		}
	}
	return ctx.Err()
}

// next waits for a notification. It passes an announcement to the handler, or returns the nonce of a heartbeat.
func (l *listener) next(ctx context.Context) (nonce string, err error) {
	note, err := l.conn.WaitForNotification(ctx)
	switch {
	case err != nil:
		return "", err
	case note.Channel == l.heartbeatChannel:
		return note.Payload, nil
	case note.Channel == l.p.channel:
		l.handler.Changed([]pdp.Change{parseAnnouncement(note.Payload)})
	}
	return "", nil
}

func silent(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", errNoHeartbeat, ctx.Err())
	}
	return err
}
