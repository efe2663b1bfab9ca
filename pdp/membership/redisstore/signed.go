package redisstore

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wardkeeper/wardkeeper/pdp/fleetkey"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// With a fleet key, the signature of an entry covers its epoch and sequence, so that an entry cannot be moved, repeated or
// replaced by another one. The sidecar that announces must know the sequence before Redis counts: it names the entry before
// its own, and tries again if another sidecar was faster.
//
// A signature cannot prove that nothing was taken back: whoever writes to Redis can delete the newest entry, and count back
// so that another sidecar signs another entry for its sequence. Each sidecar therefore remembers the entries that it has
// announced, and the last one that it has read. If they are no longer in the stream, it starts a new epoch, in which no
// sidecar confirms an earlier record.

var (
	errNotSigned = &membership.Unproven{Missing: []string{"stream_signature"}, Reason: "an entry of the stream of changes is not signed by a fleet key: " +
		"give all sidecars the same --fleet-key-file; if they have it, somebody else writes to Redis"}
	errContended = errors.New("other sidecars announce too many changes at the same time")
	errTakenBack = errors.New("an announcement is no longer in the stream of changes: its data were replaced")
)

const maxContended = 100 // attempts to be the next one

// place names the newest entry of the stream as stored in Redis.
type place struct {
	epoch    string
	sequence uint64
}

func (s *Store) signed(epoch string, sequence uint64, changes string) [][]byte {
	return [][]byte{[]byte(s.keys.log), []byte(epoch), strconv.AppendUint(nil, sequence, 10), []byte(changes)}
}

func (s *Store) verify(epoch string, sequence uint64, changes, signature string) error {
	return s.cfg.FleetKey.Verify(fleetkey.StreamEntry, []byte(signature), s.signed(epoch, sequence, changes)...)
}

// appendSigned writes a signed entry. Entries of this sidecar are written one after the other.
func (s *Store) appendSigned(ctx context.Context, conn *redis.Conn, changes []byte) (streamState, error) {
	select {
	case s.appending <- struct{}{}:
		defer func() { <-s.appending }()
	case <-ctx.Done():
		return streamState{}, ctx.Err()
	}
	for range maxContended {
		before := s.newest.Load()
		signature := s.cfg.FleetKey.Sign(fleetkey.StreamEntry, s.signed(before.epoch, before.sequence+1, string(changes))...)
		s.announced.propose(before.sequence+1, string(signature))
		state, err := parseStreamState(conn.Eval(ctx, announceSignedScript, []string{s.keys.state, s.keys.log}, randomEpoch(), changes,
			s.cfg.StreamLength, before.epoch, strconv.FormatUint(before.sequence, 10), signature).StringSlice())
		if err != nil {
			s.announced.propose(0, "")
			return state, err
		}
		s.newest.Store(&place{state.storedEpoch, state.position.Sequence})
		if state.appended {
			s.announced.accept(state.position)
			return state, nil
		}
		select {
		case <-time.After(rand.N(time.Millisecond)):
		case <-ctx.Done():
			return streamState{}, ctx.Err()
		}
	}
	return streamState{}, errContended
}
