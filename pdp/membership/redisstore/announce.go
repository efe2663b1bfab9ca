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
	replicaWait      = 100 * time.Millisecond
)

var errNotReplicated = errors.New("the announcement is written, but no replica has confirmed it")

// Announce appends the changes, in as many entries as they need, and gives the place of the last. It tries a few times
// within a lease: an entry that is there twice does no harm.
//
// Where the server has a replica that is up to date with it, one must have confirmed the entry; otherwise this is an
// error, and the caller announces again. Where there is none, the server's word is enough: whether it may take writes
// then is for its min-replicas-to-write to say. A failover that loses entries nevertheless makes another epoch, in which
// nothing of before is vouched for.
func (t *Store) Announce(ctx context.Context, changes []pdp.Change) (membership.Position, error) {
	ctx, cancel := context.WithTimeout(ctx, max(t.cfg.Lease, 4*replicaWait))
	defer cancel()
	var texts [][]byte
	for piece := range slices.Chunk(changes, mostChanges) {
		text, err := encodeChanges(piece)
		if err != nil {
			return membership.Position{}, err
		}
		texts = append(texts, text)
	}
	var at membership.Position
	for _, text := range texts {
		var err error
		if at, err = t.announceEntry(ctx, text); err != nil {
			return membership.Position{}, fmt.Errorf("redis: %w", err)
		}
	}
	if at.Epoch == "" {
		return membership.Position{}, errors.New("no change to announce")
	}
	return at, nil
}

func (t *Store) announceEntry(ctx context.Context, text []byte) (membership.Position, error) {
	for attempt := 1; ; attempt++ {
		p, err := t.append(ctx, text)
		if err == nil || attempt == announceAttempts || errors.Is(err, errNotReplicated) {
			return p.at, err
		}
		look(ctx, t.stream)
		select {
		case <-ctx.Done():
			return membership.Position{}, err
		case <-time.After(announcePause):
		}
	}
}

// append writes an entry, and waits for a replica on the same connection: WAIT is about what came by it.
func (t *Store) append(ctx context.Context, text []byte) (place, error) {
	node, err := t.streamNode(ctx)
	if err != nil {
		return place{}, err
	}
	conn := node.Conn()
	defer conn.Close()
	keys := []string{t.keys.state, t.keys.log}
	p, err := readPlace(conn.Eval(ctx, announceScript, keys, newEpoch(), text, t.cfg.StreamLength).StringSlice())
	if err != nil {
		return p, err
	}
	t.acknowledge(p.at)
	if p.replicas == 0 {
		return p, nil
	}
	confirmed, err := conn.Wait(ctx, 1, replicaWait).Result()
	if err == nil && confirmed == 0 {
		err = errNotReplicated
	}
	return p, err
}

// acknowledge remembers that an announcement was taken, for the follower to see where.
func (t *Store) acknowledge(at membership.Position) {
	for {
		before := t.acknowledged.Load()
		if before != nil && before.Epoch == at.Epoch && before.Sequence >= at.Sequence || t.acknowledged.CompareAndSwap(before, &at) {
			return
		}
	}
}
