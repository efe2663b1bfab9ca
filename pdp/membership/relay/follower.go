package relay

import (
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// subscription is what one listener proves to this sidecar: every change after since is reported, and everything before the
// watermark has been. The zero subscription proves nothing.
type subscription struct {
	since, watermark time.Time
	history          string
}

// follower is what this sidecar has seen of the leader.
type follower struct {
	subscription
	term     string
	at       membership.Position // up to which the stream has been followed
	readings []reading           // since the term was first seen, oldest first
}

// reading says that at some time after asOf no later round than this one had been started.
type reading struct {
	asOf  time.Time
	round uint64
}

// maxReadings is more than there are heartbeats of the stream in a lease. What older readings prove is no longer of use.
const maxReadings = 64

// resume notes that the stream is followed again. What was seen before counts only if nothing has been missed.
func (f *follower) resume(at, floor membership.Position) {
	if f.at.Epoch != at.Epoch || floor.Sequence > f.at.Sequence {
		*f = follower{}
	}
	f.at = at
}

// observe returns the time up to which the stream is proven to have every change that was committed in this term; zero if
// nothing new is proven.
func (f *follower) observe(asOf, now time.Time, l membership.Leadership) (proven time.Time) {
	last := len(f.readings) - 1
	switch w := l.Watermark; {
	case w == nil:
	case w.Term != f.term, w.History != f.history, last >= 0 && l.Round < f.readings[last].round: // or the data were replaced
		*f = follower{at: f.at, term: w.Term, subscription: subscription{history: w.History}}
	default:
		for last >= 0 && f.readings[last].round >= w.Round {
			last--
		}
		if last < 0 {
			break
		}
		proven, f.readings = f.readings[last].asOf, f.readings[last+1:]
		if !w.At.IsZero() {
			proven = now.Add(-max(now.Sub(proven), now.Round(0).Sub(w.At)))
		}
	}
	if len(f.readings) == maxReadings {
		f.readings = f.readings[1:]
	}
	f.readings = append(f.readings, reading{asOf, l.Round})
	return proven
}

// Observed implements [membership.LeadershipObserver].
func (h streamHandler) Observed(asOf time.Time, l membership.Leadership) {
	r := h.r
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if l.Vacant || l.Term != r.status.Term {
		r.campaigned = now
	}
	r.status.Term = l.Term
	if r.vacant = l.Vacant; r.vacant {
		r.wake()
	}
	proven := r.follower.observe(asOf, now, l)
	if proven.IsZero() || r.handler == nil || membership.Elapsed(now, proven) > r.cfg.Lease {
		return
	}
	first := r.follower.since.IsZero()
	if first {
		r.follower.since = now
	}
	r.follower.watermark = proven
	if r.alone {
		r.join()
		return
	}
	if first {
		r.began(now, r.follower.history)
	}
	r.heartbeat(proven)
}

// join ends listening alone, if the leader proves no less. If this sidecar listened without a gap until the leader's proofs
// began, nothing has been missed, and what was confirmed remains so. The caller must hold the lock.
func (r *Relay) join() {
	f := &r.follower
	listened := !r.own.since.IsZero()
	if listened && (f.history != r.own.history || !r.own.watermark.After(f.since.Add(r.cfg.Lease))) {
		return
	}
	r.alone = false
	r.wake()
	if !listened {
		r.began(f.since, f.history)
	}
	r.heartbeat(f.watermark)
}
