package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

const (
	announceAttempts = 3
	announcePause    = 50 * time.Millisecond
	replicaTimeout   = 100 * time.Millisecond
)

var errNotReplicated = errors.New("the announcement is written, but no replica has confirmed it; announce it again")

// Announce appends the changes to the stream, in as many entries as necessary, and returns the position of the last
// entry. It retries within one lease; an entry that is written twice does no harm.
//
// If the server has a replica that keeps up, one replica must confirm the entry. Otherwise Announce returns an error, and the
// caller announces again. Without a replica the server's reply is enough: its min-replicas-to-write decides whether it
// accepts writes then. A failover that loses entries nevertheless starts a new epoch, in which no earlier record is confirmed.
func (s *Store) Announce(ctx context.Context, changes []pdp.Change) (membership.Position, error) {
	ctx, cancel := context.WithTimeout(ctx, max(s.cfg.Lease, 4*replicaTimeout))
	defer cancel()
	var entries [][]byte
	for chunk := range slices.Chunk(changes, maxEntryChanges) {
		entry, err := encodeChanges(chunk)
		if err != nil {
			return membership.Position{}, err
		}
		entries = append(entries, entry)
	}
	var position membership.Position
	for _, entry := range entries {
		var err error
		if position, err = s.announceEntry(ctx, entry); err != nil {
			return membership.Position{}, fmt.Errorf("redis: %w", err)
		}
	}
	if position.Epoch == "" {
		return membership.Position{}, errors.New("no change to announce")
	}
	return position, nil
}

func (s *Store) announceEntry(ctx context.Context, entry []byte) (membership.Position, error) {
	for attempt := 1; ; attempt++ {
		state, err := s.append(ctx, entry)
		if err == nil || attempt == announceAttempts || errors.Is(err, errNotReplicated) {
			return state.position, err
		}
		refreshCluster(ctx, s.stream)
		select {
		case <-ctx.Done():
			return membership.Position{}, err
		case <-time.After(announcePause):
		}
	}
}

// append writes an entry and waits for a replica on the same connection, because WAIT covers only writes of its own connection.
func (s *Store) append(ctx context.Context, entry []byte) (streamState, error) {
	node, err := s.streamNode(ctx)
	if err != nil {
		return streamState{}, err
	}
	conn := node.Conn()
	defer conn.Close()
	keys := []string{s.keys.state, s.keys.log}
	var state streamState
	if s.cfg.FleetKey != nil {
		state, err = s.appendSigned(ctx, conn, entry)
	} else {
		state, err = parseStreamState(conn.Eval(ctx, announceScript, keys, randomEpoch(), entry, s.cfg.StreamLength).StringSlice())
	}
	if err != nil {
		return state, err
	}
	s.acknowledge(state.position)
	if state.replicas == 0 {
		return state, nil
	}
	confirmed, err := conn.Wait(ctx, 1, replicaTimeout).Result()
	if err == nil && confirmed == 0 {
		err = errNotReplicated
	}
	return state, err
}

// acknowledge records the position of a written announcement, so that the follower can check that its stream contains it.
func (s *Store) acknowledge(position membership.Position) {
	for {
		old := s.acknowledged.Load()
		if old != nil && old.Epoch == position.Epoch && old.Sequence >= position.Sequence || s.acknowledged.CompareAndSwap(old, &position) {
			return
		}
	}
}
