package redisstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

const (
	batchSize    = 256      // entries per read
	trimSlack    = 1_000    // entries kept above the configured length, because Redis trims whole nodes
	maxTailBytes = 16 << 20 // of changes, when following begins
	minBackoff   = 50 * time.Millisecond
	maxDistrust  = time.Minute
)

// Follow implements [membership.Stream]. It calls Lost for each attempt that fails, and Began when it follows the stream again.
func (s *Store) Follow(ctx context.Context, handler membership.StreamHandler) {
	backoff := minBackoff
	distrust := time.Duration(0) // how long not to follow, because somebody else writes to the stream
	for ctx.Err() == nil {
		f := &follower{store: s, handler: handler}
		started := time.Now()
		err := f.run(ctx)
		if ctx.Err() != nil {
			return
		}
		if f.began {
			backoff = minBackoff
		}
		handler.Lost(err)
		refreshCluster(ctx, s.stream)
		if time.Since(started) > maxDistrust {
			distrust = 0
		}
		wait := backoff/2 + rand.N(backoff)
		if errors.Is(err, errNotSigned) {
			distrust = min(max(2*distrust, s.cfg.Lease), maxDistrust)
			wait = distrust
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		backoff = min(2*backoff, max(s.cfg.Lease, minBackoff))
	}
}

// follower follows the stream without interruption until the first error.
type follower struct {
	store       *Store
	handler     membership.StreamHandler
	conn        *redis.Conn // used only by the follower, so that announcements do not delay it
	storedEpoch string
	position    membership.Position // of the last entry delivered
	lastID      string              // of the last entry read
	newestID    string              // of the entry at position; "" if unknown
	heartbeatAt time.Time
	began       bool
	expires     time.Time      // when the connection is due for renewal
	successor   chan successor // delivers the connection that replaces conn; nil while none is being opened
}

// run follows the stream and returns the reason why it ended. After an error, changes may have been missed.
func (f *follower) run(ctx context.Context) error {
	opening, cancel := context.WithTimeout(ctx, max(f.store.cfg.Lease, time.Second))
	node, err := f.store.streamNode(opening)
	cancel()
	if err != nil {
		return err
	}
	f.conn = node.Conn()
	defer func() { _ = f.conn.Close() }() // reconnect may have replaced f.conn
	defer f.closeSuccessor()
	if err := f.begin(ctx); err != nil {
		return err
	}
	for ctx.Err() == nil { // the connection observes deadlines but not cancellation
		if err := f.reconnect(ctx); err != nil {
			return err
		}
		if err := f.readEntries(ctx, f.interval()); err != nil {
			return err
		}
		if time.Since(f.heartbeatAt) < f.interval() {
			continue
		}
		if err := f.heartbeat(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// interval is the time between heartbeats.
func (f *follower) interval() time.Duration { return f.store.cfg.Lease / 5 }

// begin reads the position of the stream and the entries that still exist, and reports them.
func (f *follower) begin(ctx context.Context) error {
	f.store.forgetAcknowledged()
	state, asOf, err := f.readState(ctx)
	if err != nil {
		return err
	}
	f.storedEpoch, f.position, f.heartbeatAt, f.lastID, f.newestID = state.storedEpoch, state.position, asOf, "0-0", state.newestID
	tail, err := f.readTail(ctx)
	if errors.Is(err, errTakenBack) {
		return f.newEpoch(ctx, f.storedEpoch, nil, err)
	}
	if err != nil {
		return err
	}
	floor := f.position
	if len(tail) > 0 {
		floor.Sequence = tail[0].At.Sequence - 1
	}
	f.began = true
	f.store.followedEpoch.Store(&floor.Epoch)
	f.handler.Began(f.position, floor, tail, asOf)
	return nil
}

// readTail reads backward from the newest entry while sequences are consecutive, and sets the position from which to
// follow. With a fleet key it reads on until it has found the entries that must still be there.
func (f *follower) readTail(ctx context.Context) ([]membership.Announcement, error) {
	var tail []membership.Announcement // newest first
	var signature string               // of the newest
	var expected map[uint64]string
	if f.store.cfg.FleetKey != nil {
		var err error
		if expected, err = f.store.announced.begin(f.position.Epoch); err != nil {
			return nil, err
		}
	}
	missing := maps.Clone(expected)
	complete := true
	sequence, before, size, read := f.position.Sequence, "+", 0, 0
	for (complete || len(missing) > 0) && read < f.store.cfg.StreamLength+trimSlack && size < maxTailBytes {
		batch, err := f.readBackward(ctx, before)
		if err != nil {
			return nil, err
		}
		for _, m := range batch {
			e, err := f.store.decodeEntry(m)
			ours := err == nil && e.epoch == f.storedEpoch
			if before == "+" {
				f.lastID = m.ID
				if ours && e.sequence > sequence {
					sequence = e.sequence // announced since the state was read
					f.position.Sequence, f.newestID = sequence, m.ID
				}
			}
			before = "(" + m.ID
			read, size = read+1, size+sizeOf(m)
			if complete = complete && ours && e.sequence == sequence; complete {
				if len(tail) == 0 {
					signature = e.signature
				}
				tail = append(tail, membership.Announcement{At: membership.Position{Epoch: f.position.Epoch, Sequence: sequence}, Changes: e.changes})
				sequence--
			}
			if ours && f.store.cfg.FleetKey != nil {
				f.store.announced.passed(e.sequence, e.signature)
				if missing[e.sequence] == e.signature {
					delete(missing, e.sequence)
				}
			}
			if !complete && len(missing) == 0 {
				break
			}
		}
		if len(batch) < batchSize {
			break
		}
	}
	if len(missing) > 0 {
		return nil, errTakenBack
	}
	if f.store.cfg.FleetKey != nil {
		f.store.announced.began(expected, f.position, signature)
		f.noteNewest()
	}
	slices.Reverse(tail)
	return tail, nil
}

func (f *follower) readBackward(ctx context.Context, before string) ([]redis.XMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, f.store.cfg.Lease)
	defer cancel()
	return f.conn.XRevRangeN(ctx, f.store.keys.log, before, "-", batchSize).Result()
}

// readEntries reads new entries and delivers them. If wait is positive, it waits that long for the first entry.
func (f *follower) readEntries(ctx context.Context, wait time.Duration) error {
	block := wait
	if wait <= 0 {
		block = -1 // go-redis then omits BLOCK; 0 would block forever
	}
	ctx, cancel := context.WithTimeout(ctx, max(wait, 0)+f.store.cfg.Lease/2)
	defer cancel()
	streams, err := f.conn.XRead(ctx, &redis.XReadArgs{
		Streams: []string{f.store.keys.log, f.lastID}, Count: batchSize, Block: block,
	}).Result()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, stream := range streams {
		for _, m := range stream.Messages {
			if err := f.deliver(ctx, m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *follower) deliver(ctx context.Context, m redis.XMessage) error {
	e, err := f.store.decodeEntry(m)
	if err != nil {
		return err
	}
	if err := e.follows(f.position.Sequence, f.storedEpoch); err != nil {
		return err
	}
	f.position.Sequence, f.lastID, f.newestID = e.sequence, m.ID, m.ID
	if f.store.cfg.FleetKey != nil {
		if err := f.store.announced.read(f.position, e.signature); err != nil {
			return f.newEpoch(ctx, f.storedEpoch, nil, err)
		}
		f.noteNewest()
	}
	f.handler.Changed(membership.Announcement{At: f.position, Changes: e.changes})
	return nil
}

// noteNewest lets the next announcement of this sidecar know where the stream is, unless it knows better.
func (f *follower) noteNewest() {
	known := f.store.newest.Load()
	if known.epoch != f.storedEpoch || known.sequence < f.position.Sequence {
		f.store.newest.CompareAndSwap(known, &place{f.storedEpoch, f.position.Sequence})
	}
}

// readState reads the state of the stream. It fails if this server can no longer prove that it receives all announcements.
func (f *follower) readState(ctx context.Context) (state streamState, asOf time.Time, err error) {
	state, asOf, err = f.store.readState(ctx, f.conn)
	switch {
	case errors.Is(err, errNotMaster):
		return state, asOf, &membership.Unproven{Missing: []string{"stream_master"}, Reason: err.Error()}
	case err != nil:
		return state, asOf, err
	case f.store.setClock(state, asOf) && sameEpoch(&f.store.followedEpoch, state):
		return state, asOf, f.newEpoch(ctx, state.storedEpoch, nil, errClockSetBack)
	case state.replicas > 0:
		f.store.replicatedEpoch.Store(&state.position.Epoch)
	case state.replicasSilent, sameEpoch(&f.store.replicatedEpoch, state):
		return state, asOf, errReplicasSilent
	}
	return state, asOf, nil
}

func sameEpoch(stored *atomic.Pointer[string], state streamState) bool {
	epoch := stored.Load()
	return epoch != nil && *epoch == state.position.Epoch
}

var (
	errClockSetBack   = errors.New("the clock of the Redis server was set back")
	errReplicasSilent = &membership.Unproven{Missing: []string{"stream_replicas"}, Reason: "the Redis server had a replica, and none has answered for some seconds: " +
		"a replica may have been promoted and receive the announcements now; check its replicas, or restart it if it is to have none"}
	errOtherServer = errors.New("another Redis server than the followed one accepted an announcement: redis must name one server, Sentinel or a cluster, " +
		"and no proxy that spreads connections")
	errDataReplaced = errors.New("the stream of changes is not the one that was followed: its data were replaced")
)

// newEpoch starts a new epoch, so that every sidecar begins again, because announcements of this epoch may be missing.
// It forgets the acknowledged announcement that revealed the problem, if any, and returns the reason.
func (f *follower) newEpoch(ctx context.Context, storedEpoch string, acknowledged *membership.Position, reason error) error {
	err := f.store.newEpoch(ctx, f.conn, storedEpoch)
	if err == nil && acknowledged != nil {
		f.store.acknowledged.CompareAndSwap(acknowledged, nil)
	}
	return errors.Join(reason, err)
}

// heartbeat reads the position of the stream, and then the entries up to it. After that, everything announced before the
// request has been delivered.
func (f *follower) heartbeat(ctx context.Context) error {
	acknowledged, due := f.store.acknowledged.Load(), f.store.announced.due(f.position.Epoch)
	state, asOf, err := f.readState(ctx)
	if err != nil {
		return err
	}
	switch {
	case state.position.Epoch != f.position.Epoch:
		return errors.New("the stream of changes has another epoch")
	case acknowledged != nil && acknowledged.Epoch != state.position.Epoch:
		return f.newEpoch(ctx, f.storedEpoch, acknowledged, errOtherServer)
	case state.position.Sequence < f.position.Sequence, acknowledged != nil && state.position.Sequence < acknowledged.Sequence:
		return f.newEpoch(ctx, f.storedEpoch, acknowledged,
			fmt.Errorf("the stream of changes went back to %d from %d", state.position.Sequence, f.position.Sequence))
	}
	for f.position.Sequence < state.position.Sequence {
		before := f.position.Sequence
		if err := f.readEntries(ctx, 0); err != nil {
			return err
		}
		if f.position.Sequence == before {
			return fmt.Errorf("the stream of changes lacks the entries after %d", before)
		}
	}
	if f.position.Sequence == state.position.Sequence && f.newestID != "" && state.newestID != "" && f.newestID != state.newestID {
		return f.newEpoch(ctx, f.storedEpoch, acknowledged, errDataReplaced)
	}
	if err := f.store.announced.checkRead(due, f.position.Epoch); err != nil {
		return f.newEpoch(ctx, f.storedEpoch, acknowledged, err)
	}
	f.store.acknowledged.CompareAndSwap(acknowledged, nil)
	f.heartbeatAt = asOf
	if observer, ok := f.handler.(membership.LeadershipObserver); ok {
		observer.Observed(asOf, state.leadership)
	}
	f.handler.Heartbeat(asOf)
	return nil
}

// forgetAcknowledged forgets an announcement of the previous epoch, because beginning again covers it.
func (s *Store) forgetAcknowledged() {
	acknowledged, followedEpoch := s.acknowledged.Load(), s.followedEpoch.Load()
	if acknowledged != nil && followedEpoch != nil && acknowledged.Epoch == *followedEpoch {
		s.acknowledged.CompareAndSwap(acknowledged, nil)
	}
}
