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
	round    uint64              // of the last reading
	proven   reading             // whose time is what was proven last
}

// reading says that at some time after asOf no later round than this one had been started. Before asOf one had been that an
// earlier reading showed: seen.
type reading struct {
	asOf        time.Time
	round, seen uint64
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
	if l.Round < f.round { // the data were replaced
		*f = follower{at: f.at}
	}
	if w := l.Watermark; w != nil {
		if w.Term != f.term && !f.continues(w) || w.History != f.history {
			*f = follower{at: f.at, round: f.round, subscription: subscription{history: w.History}}
		}
		f.term = w.Term
		proven = f.prove(now, w)
	}
	if len(f.readings) == maxReadings {
		f.readings = f.readings[1:]
	}
	f.readings = append(f.readings, reading{asOf, l.Round, f.round})
	f.round = l.Round
	return proven
}

// prove returns the time up to which a watermark of the term proves that the stream is complete; zero if that is nothing new.
func (f *follower) prove(now time.Time, w *membership.Watermark) time.Time {
	last := len(f.readings) - 1
	for last >= 0 && f.readings[last].round >= w.Round {
		last--
	}
	if last < 0 {
		return time.Time{}
	}
	f.proven, f.readings = f.readings[last], f.readings[last+1:]
	if !w.At.IsZero() {
		f.proven.asOf = now.Add(-max(now.Sub(f.proven.asOf), now.Round(0).Sub(w.At)))
	}
	return f.proven.asOf
}

// continues reports whether the leader of another term had begun to listen by the time up to which everything is proven.
func (f *follower) continues(w *membership.Watermark) bool {
	return w.Since > 0 && w.Since <= f.proven.seen && (w.At.IsZero() || w.Began.Before(f.proven.asOf.Round(0)))
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
	if r.vacant, r.noStandby = l.Vacant, l.NoStandby; r.vacant || r.noStandby {
		r.wake()
	}
	proven := r.follower.observe(asOf, now, l)
	if mine := r.listens; mine != nil {
		mine.observed(asOf, l, &r.follower, proven)
	}
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
