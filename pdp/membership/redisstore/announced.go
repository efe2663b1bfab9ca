package redisstore

import (
	"maps"
	"sync"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

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
	twice := a.own[at.Sequence].epoch == at.Epoch // Redis has accepted another one of ours for this sequence
	other := p.read != "" && p.read != p.signature
	full := len(a.own) >= maxAnnounced // nobody has read them, and what is forgotten could be taken back
	if twice || other || full {
		a.takenBack = at.Epoch
	}
	if full {
		clear(a.own)
	}
	if p.read != "" {
		return
	}
	if a.own == nil {
		a.own = map[uint64]ownEntry{}
	}
	a.own[at.Sequence] = ownEntry{p.signature, at.Epoch}
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
	return a.dueLocked(epoch)
}

// dueLocked is due for a caller that holds the lock.
func (a *announced) dueLocked(epoch string) map[uint64]string {
	all := map[uint64]string{}
	for sequence, e := range a.own {
		if e.epoch == epoch {
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
	defer a.mu.Unlock()
	if a.last.Epoch != epoch {
		a.last, a.signature = membership.Position{}, ""
		maps.DeleteFunc(a.own, func(_ uint64, e ownEntry) bool { return e.epoch != epoch })
	}
	if a.takenBack == epoch {
		return nil, errTakenBack
	}
	expected := a.dueLocked(epoch)
	if a.last.Sequence > 0 {
		expected[a.last.Sequence] = a.signature
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
