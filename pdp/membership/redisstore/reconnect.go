package redisstore

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// successor is a connection that is to take the place of the one that the stream is followed by.
type successor struct {
	conn *redis.Conn
	at   membership.Position
	err  error
}

// reconnect has the stream followed by a new connection once the life of the old one is over, so that names are looked up
// again, and credentials and certificates are those of now. Nothing is missed: reading goes on behind the last entry. It
// fails where the new connection leads to another stream.
func (f *follower) reconnect(ctx context.Context) error {
	if f.until.IsZero() {
		f.until = time.Now().Add(f.tier.cfg.life)
	}
	if f.next == nil && time.Now().After(f.until) {
		f.next = make(chan successor, 1)
		go f.succeed(ctx, f.next)
	}
	select {
	case s := <-f.next:
		return f.take(s)
	default: // a connection that takes its time does not keep the old one from hearing
		return nil
	}
}

// succeed opens a connection, and sees where it leads.
func (f *follower) succeed(ctx context.Context, done chan<- successor) {
	opening, cancel := context.WithTimeout(ctx, max(f.tier.cfg.Lease, time.Second))
	defer cancel()
	node, err := f.tier.streamNode(opening)
	if err != nil {
		done <- successor{err: err}
		return
	}
	s := successor{conn: node.Conn()}
	p, _, err := f.tier.askPlace(opening, s.conn)
	s.at, s.err = p.at, err
	done <- s
}

func (f *follower) take(s successor) error {
	f.next = nil
	if s.err != nil { // the old connection is as good as it was
		f.until = time.Now().Add(f.tier.cfg.life / 10)
		f.tier.cfg.Logger.Debug("no new connection for the stream of changes, the old one is used on", "error", s.err)
		drop(s.conn)
		return nil
	}
	if s.at.Epoch != f.at.Epoch {
		drop(s.conn)
		return errors.New("a new connection leads to another stream of changes")
	}
	drop(f.conn)
	f.conn, f.until = s.conn, time.Now().Add(f.tier.cfg.life)
	return nil
}

// abandon closes a successor that comes too late.
func (f *follower) abandon() {
	if f.next != nil {
		go func(next <-chan successor) { drop((<-next).conn) }(f.next)
	}
}

// drop closes a connection of which nothing is used any more; it may be nil.
func drop(conn *redis.Conn) {
	if conn != nil {
		_ = conn.Close()
	}
}
