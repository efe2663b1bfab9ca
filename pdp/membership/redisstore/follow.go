package redisstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

const (
	followPiece   = 256      // entries that are read at once
	followSlack   = 1_000    // entries that are retained above the length asked for, as Redis trims by whole nodes
	mostTailBytes = 16 << 20 // of changes, on connecting
	firstPause    = 50 * time.Millisecond
)

// Follow implements [membership.Stream]. It calls Lost once for each interruption, also if the first connection fails, and Began
// when the stream is followed again.
func (t *Store) Follow(ctx context.Context, hear membership.StreamHandler) {
	pause, told := firstPause, false
	for ctx.Err() == nil {
		f := &follower{tier: t, hear: hear}
		err := f.run(ctx)
		if ctx.Err() != nil {
			return
		}
		if f.begun {
			pause, told = firstPause, false
		}
		if !told {
			told = true
			t.cfg.Logger.Warn("the stream of changes is lost", "error", err)
			hear.Lost(err)
		}
		look(ctx, t.stream)
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause)):
		}
		pause = min(2*pause, max(t.cfg.Lease, firstPause))
	}
}

// follower follows the stream without interruption, until an error.
type follower struct {
	tier   *Store
	hear   membership.StreamHandler
	conn   *redis.Conn         // its own: announcements do not keep it waiting
	stored string              // epoch
	at     membership.Position // of the last entry that was told
	last   string              // the id of the last entry that was read
	newest string              // that of the entry at this place; "" where it is not known
	beatAt time.Time
	begun  bool
	until  time.Time      // the end of the connection's life
	next   chan successor // comes to a connection in its place; nil while none is wanted
}

// run returns why following ended. After an error, changes may have been missed.
func (f *follower) run(ctx context.Context) error {
	opening, cancel := context.WithTimeout(ctx, max(f.tier.cfg.Lease, time.Second))
	node, err := f.tier.streamNode(opening)
	cancel()
	if err != nil {
		return err
	}
	f.conn = node.Conn()
	defer func() { _ = f.conn.Close() }() // the one of then
	defer f.abandon()
	if err := f.begin(ctx); err != nil {
		return err
	}
	for ctx.Err() == nil { // the connection itself knows only deadlines
		if err := f.reconnect(ctx); err != nil {
			return err
		}
		if err := f.listen(ctx, f.interval()); err != nil {
			return err
		}
		if time.Since(f.beatAt) < f.interval() {
			continue
		}
		if err := f.beat(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// interval is how often the server is asked.
func (f *follower) interval() time.Duration { return f.tier.cfg.Lease / 5 }

// begin finds the position of the stream and the entries that are still there.
func (f *follower) begin(ctx context.Context) error {
	f.tier.forgetAcknowledged()
	p, asOf, err := f.place(ctx)
	if err != nil {
		return err
	}
	f.stored, f.at, f.beatAt, f.last, f.newest = p.stored, p.at, asOf, "0-0", p.newest
	tail, err := f.tail(ctx)
	if err != nil {
		return err
	}
	floor := f.at
	if len(tail) > 0 {
		floor.Sequence = tail[0].At.Sequence - 1
	}
	f.begun = true
	f.tier.followed.Store(&floor.Epoch)
	f.tier.cfg.Logger.Info("the stream of changes is followed", "known", len(tail))
	f.hear.Began(f.at, floor, tail, asOf)
	return nil
}

// tail reads backwards from the newest entry while sequences are consecutive, and sets where following continues.
func (f *follower) tail(ctx context.Context) ([]membership.Announcement, error) {
	var tail []membership.Announcement // newest first
	sequence, before, size := f.at.Sequence, "+", 0
	for len(tail) < f.tier.cfg.StreamLength+followSlack && size < mostTailBytes {
		piece, err := f.back(ctx, before)
		if err != nil {
			return nil, err
		}
		for _, m := range piece {
			e, err := decodeEntry(m)
			if before == "+" && len(tail) == 0 && f.last == "0-0" {
				f.last = m.ID
				if err == nil && e.epoch == f.stored && e.sequence > sequence {
					sequence = e.sequence // announced since the place was asked for
					f.at.Sequence, f.newest = sequence, m.ID
				}
			}
			if err != nil || e.epoch != f.stored || e.sequence != sequence {
				return oldestFirst(tail), nil
			}
			tail = append(tail, membership.Announcement{At: membership.Position{Epoch: f.at.Epoch, Sequence: sequence}, Changes: e.changes})
			size += len(m.Values["c"].(string))
			sequence--
			before = "(" + m.ID
		}
		if len(piece) < followPiece {
			break
		}
	}
	return oldestFirst(tail), nil
}

func oldestFirst(tail []membership.Announcement) []membership.Announcement {
	slices.Reverse(tail)
	return tail
}

func (f *follower) back(ctx context.Context, before string) ([]redis.XMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, f.tier.cfg.Lease)
	defer cancel()
	return f.conn.XRevRangeN(ctx, f.tier.keys.log, before, "-", followPiece).Result()
}

// listen reads entries, waiting for them if wait is positive, and reports them.
func (f *follower) listen(ctx context.Context, wait time.Duration) error {
	block := wait
	if wait <= 0 {
		block = -1 // go-redis' way to say that it must not wait
	}
	ctx, cancel := context.WithTimeout(ctx, max(wait, 0)+f.tier.cfg.Lease/2)
	defer cancel()
	streams, err := f.conn.XRead(ctx, &redis.XReadArgs{
		Streams: []string{f.tier.keys.log, f.last}, Count: followPiece, Block: block,
	}).Result()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, s := range streams {
		for _, m := range s.Messages {
			if err := f.tell(m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *follower) tell(m redis.XMessage) error {
	e, err := decodeEntry(m)
	if err != nil {
		return err
	}
	if err := e.follows(f.at.Sequence, f.stored); err != nil {
		return err
	}
	f.at.Sequence, f.last, f.newest = e.sequence, m.ID, m.ID
	f.hear.Changed(membership.Announcement{At: f.at, Changes: e.changes})
	return nil
}

// place asks for the position of the stream, and whether its silence proves anything.
func (f *follower) place(ctx context.Context) (p place, asOf time.Time, err error) {
	p, asOf, err = f.tier.askPlace(ctx, f.conn)
	switch {
	case errors.Is(err, errNoMaster):
		return p, asOf, &membership.Unproven{Missing: []string{"stream_master"}, Reason: err.Error()}
	case err != nil:
		return p, asOf, err
	case f.tier.setClock(p, asOf) && isEpoch(&f.tier.followed, p):
		return p, asOf, f.renew(ctx, p.stored, nil, errSetBack)
	case p.replicas > 0:
		f.tier.replicated.Store(&p.at.Epoch)
	case p.silent, isEpoch(&f.tier.replicated, p):
		return p, asOf, errCutOff
	}
	return p, asOf, nil
}

func isEpoch(kept *atomic.Pointer[string], p place) bool {
	epoch := kept.Load()
	return epoch != nil && *epoch == p.at.Epoch
}

var (
	errSetBack = errors.New("the clock of the Redis server was set back")
	errCutOff  = &membership.Unproven{Missing: []string{"stream_replicas"}, Reason: "the Redis server had a replica, and none has answered for some seconds: " +
		"another server may have taken its place, and be told of changes; see to its replicas, or restart it where it is to have none"}
	errElsewhere = errors.New("an announcement was taken by another server than the one that is followed: redis must name one server, Sentinel or a Cluster, " +
		"and no proxy that spreads connections")
	errReplaced = errors.New("the stream of changes is not the one that was followed: its data were replaced")
)

// renew ends an epoch of which it is known that announcements may be missing, such as the one that was taken, so that others
// begin anew as well.
func (f *follower) renew(ctx context.Context, stored string, taken *membership.Position, why error) error {
	err := f.tier.rotate(ctx, f.conn, stored)
	if err == nil && taken != nil {
		f.tier.acknowledged.CompareAndSwap(taken, nil)
	}
	return errors.Join(why, err)
}

// beat asks for the position of the stream and reads up to it: everything announced before the question has been reported then.
func (f *follower) beat(ctx context.Context) error {
	taken := f.tier.acknowledged.Load()
	p, asOf, err := f.place(ctx)
	if err != nil {
		return err
	}
	switch {
	case p.at.Epoch != f.at.Epoch:
		return errors.New("the stream of changes has another epoch")
	case taken != nil && taken.Epoch != p.at.Epoch:
		return f.renew(ctx, f.stored, taken, errElsewhere)
	case p.at.Sequence < f.at.Sequence, taken != nil && p.at.Sequence < taken.Sequence:
		return f.renew(ctx, f.stored, taken, fmt.Errorf("the stream of changes went back to %d from %d", p.at.Sequence, f.at.Sequence))
	}
	for f.at.Sequence < p.at.Sequence {
		before := f.at.Sequence
		if err := f.listen(ctx, 0); err != nil {
			return err
		}
		if f.at.Sequence == before {
			return fmt.Errorf("the stream of changes lacks what follows %d", before)
		}
	}
	if f.at.Sequence == p.at.Sequence && f.newest != "" && p.newest != "" && f.newest != p.newest {
		return f.renew(ctx, f.stored, taken, errReplaced)
	}
	f.tier.acknowledged.CompareAndSwap(taken, nil)
	f.beatAt = asOf
	f.hear.Heartbeat(asOf)
	return nil
}

// forgetAcknowledged forgets an announcement that was taken in the epoch that was followed before: whoever followed it begins
// anew.
func (t *Store) forgetAcknowledged() {
	taken, before := t.acknowledged.Load(), t.followed.Load()
	if taken != nil && before != nil && taken.Epoch == *before {
		t.acknowledged.CompareAndSwap(taken, nil)
	}
}
