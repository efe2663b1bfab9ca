package redisstore

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"strconv"
	"sync"
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

// maxAnnounced limits the entries that are remembered. More of them are never waiting while the stream is followed.
const maxAnnounced = 10_000

// announced remembers entries of the stream by their signatures: those of this sidecar until the follower has read them, and
// the last one that was read. It is safe for concurrent use.
type announced struct {
	mu        sync.Mutex
	proposed  proposal
	own       map[uint64]ownEntry // accepted by Redis and not read yet, by sequence
	last      membership.Position // of the last entry read; zero: none
	signature string              // of that entry
	takenBack string              // the epoch in which an own entry was replaced; "": none
}

// proposal is the entry that this sidecar is about to write.
type proposal struct {
	sequence  uint64
	signature string
	read      string // the signature that the follower has read at this sequence meanwhile; "" if none
}

// ownEntry is an entry that Redis has accepted.
type ownEntry struct{ signature, epoch string }

// propose remembers an entry before Redis accepts it, because the follower may read it sooner than the reply.
func (a *announced) propose(sequence uint64, signature string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.proposed = proposal{sequence: sequence, signature: signature}
}

// accept notes that Redis has accepted the proposal.
func (a *announced) accept(at membership.Position) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.proposed
	a.proposed = proposal{}
	if a.own[at.Sequence].epoch == at.Epoch || p.read != "" && p.read != p.signature || len(a.own) >= maxAnnounced {
		a.takenBack = at.Epoch
	}
	if len(a.own) >= maxAnnounced {
		clear(a.own)
	}
	if p.read == "" {
		if a.own == nil {
			a.own = map[uint64]ownEntry{}
		}
		a.own[at.Sequence] = ownEntry{p.signature, at.Epoch}
	}
}

// read remembers an entry that the follower has read. It returns an error if an entry of this sidecar was there.
func (a *announced) read(at membership.Position, signature string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last, a.signature = at, signature
	a.pass(at.Sequence, signature)
	e, ok := a.own[at.Sequence]
	if ok && e.epoch == at.Epoch && e.signature != signature {
		return errTakenBack
	}
	delete(a.own, at.Sequence)
	return nil
}

// pass notes an entry at the sequence of the proposal. The caller must hold the lock.
func (a *announced) pass(sequence uint64, signature string) {
	if a.proposed.sequence == sequence {
		a.proposed.read = signature
	}
}

// passed notes an entry that following begins after.
func (a *announced) passed(sequence uint64, signature string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pass(sequence, signature)
}

// due returns the signatures, by sequence, of the own entries that have been accepted in an epoch and not been read.
func (a *announced) due(epoch string) map[uint64]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all map[uint64]string
	for sequence, e := range a.own {
		if e.epoch == epoch {
			if all == nil {
				all = map[uint64]string{}
			}
			all[sequence] = e.signature
		}
	}
	return all
}

// checkRead returns an error if one of the entries that were due has not been read since.
func (a *announced) checkRead(due map[uint64]string, epoch string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.takenBack == epoch {
		return errTakenBack
	}
	for sequence, signature := range due {
		if a.own[sequence] == (ownEntry{signature, epoch}) {
			return errTakenBack
		}
	}
	return nil
}

// begin returns what the stream must contain where following begins: what is due, and the last entry that was read in this
// epoch. Of other epochs it forgets everything, because no record of theirs is confirmed.
func (a *announced) begin(epoch string) (map[uint64]string, error) {
	a.mu.Lock()
	if a.last.Epoch != epoch {
		a.last, a.signature = membership.Position{}, ""
		maps.DeleteFunc(a.own, func(_ uint64, e ownEntry) bool { return e.epoch != epoch })
	}
	last, signature, takenBack := a.last, a.signature, a.takenBack == epoch
	a.mu.Unlock()
	if takenBack {
		return nil, errTakenBack
	}
	expected := a.due(epoch)
	if last.Sequence > 0 {
		if expected == nil {
			expected = map[uint64]string{}
		}
		expected[last.Sequence] = signature
	}
	return expected, nil
}

// began notes that what was expected has been found, and the newest entry, if it is signed.
func (a *announced) began(found map[uint64]string, newest membership.Position, signature string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for sequence, own := range found {
		if a.own[sequence] == (ownEntry{own, newest.Epoch}) {
			delete(a.own, sequence)
		}
	}
	if signature != "" {
		a.last, a.signature = newest, signature
	}
}
