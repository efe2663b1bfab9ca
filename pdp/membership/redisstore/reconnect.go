package redisstore

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// successor is a new connection that will replace the one used to follow the stream.
type successor struct {
	conn     *redis.Conn
	position membership.Position
	err      error
}

// reconnect replaces the connection at the end of its lifetime, so that names are looked up again and the current
// credentials and certificates are used. Nothing is missed, because reading continues after the last entry. It fails if
// the new connection leads to another stream.
func (f *follower) reconnect(ctx context.Context) error {
	if f.expires.IsZero() {
		f.expires = time.Now().Add(f.store.cfg.connLifetime)
	}
	if f.successor == nil && time.Now().After(f.expires) {
		f.successor = make(chan successor, 1)
		go f.openSuccessor(ctx, f.successor)
	}
	select {
	case next := <-f.successor:
		return f.useSuccessor(next)
	default: // meanwhile the old connection is used
		return nil
	}
}

// openSuccessor opens a connection and reads the position of the stream on it.
func (f *follower) openSuccessor(ctx context.Context, opened chan<- successor) {
	ctx, cancel := context.WithTimeout(ctx, max(f.store.cfg.Lease, time.Second))
	defer cancel()
	node, err := f.store.streamNode(ctx)
	if err != nil {
		opened <- successor{err: err}
		return
	}
	conn := node.Conn()
	state, _, err := f.store.readState(ctx, conn)
	opened <- successor{conn: conn, position: state.position, err: err}
}

func (f *follower) useSuccessor(next successor) error {
	f.successor = nil
	if next.err != nil { // the old connection still works
		f.expires = time.Now().Add(f.store.cfg.connLifetime / 10)
		f.store.cfg.Logger.Debug("cannot renew the connection for the stream of changes; the old one stays in use", "error", next.err)
		closeConn(next.conn)
		return nil
	}
	if next.position.Epoch != f.position.Epoch {
		closeConn(next.conn)
		return errors.New("a new connection leads to another stream of changes")
	}
	closeConn(f.conn)
	f.conn, f.expires = next.conn, time.Now().Add(f.store.cfg.connLifetime)
	return nil
}

// closeSuccessor closes a successor that is still being opened when following ends.
func (f *follower) closeSuccessor() {
	if f.successor != nil {
		go func(opened <-chan successor) { closeConn((<-opened).conn) }(f.successor)
	}
}

// closeConn closes a connection, which may be nil.
func closeConn(conn *redis.Conn) {
	if conn != nil {
		_ = conn.Close()
	}
}
