package relay

import (
	"context"
	"slices"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// standbyPatience is how long the standby waits for the leader to put a change into the stream.
const standbyPatience = 50 * time.Millisecond

// standby is what a sidecar knows that listens to the origin while another one leads.
type standby struct {
	began   time.Time                  // it has listened without a gap since; zero: it does not listen
	heard   []*heard                   // that is not proven to be in the stream, oldest first
	waiting map[changeName][]*heard    // that the stream has not reported, oldest first
	early   map[changeName][]time.Time // when the stream reported what was not heard yet
	telling bool                       // a goroutine puts changes into the stream
	// subscribed is when what is proven to this sidecar as a follower began; the beginning is after it.
	subscribed time.Time
}

// heard is a change that the origin has reported.
type heard struct {
	change pdp.Change
	at     time.Time
	told   bool // it is in the stream, or has been put there
}

// changeName identifies a change. Changes of records without versions can have the same.
type changeName struct {
	kind             pdp.ChangeKind
	id, organization string
	version, since   uint64
}

func nameOf(c pdp.Change) changeName {
	return changeName{c.Kind, c.ID, c.Organization, c.Version, c.Since}
}

func newStandby() standby {
	return standby{waiting: map[changeName][]*heard{}, early: map[changeName][]time.Time{}}
}

// standByFor notes changes that the leader should put into the stream. The caller must hold the lock.
func (l *listener) standByFor(changes []pdp.Change) {
	s := &l.standby
	for _, c := range changes {
		if len(s.heard) >= maxPending { // the leader proves nothing
			s.forget(s.heard[:1])
			s.heard = s.heard[1:]
			s.began, l.beginning = time.Now(), beginning{}
		}
		h := &heard{change: c, at: time.Now()}
		s.heard = append(s.heard, h)
		name := nameOf(c)
		if h.told = s.reportedEarly(name); !h.told {
			s.waiting[name] = append(s.waiting[name], h)
		}
	}
	if !s.telling {
		s.telling = true
		go l.tell()
	}
}

func (s *standby) reportedEarly(name changeName) bool {
	times := s.early[name]
	if len(times) == 0 {
		return false
	}
	if s.early[name] = times[1:]; len(times) == 1 {
		delete(s.early, name)
	}
	return true
}

// forget no longer waits for changes.
func (s *standby) forget(some []*heard) {
	for _, h := range some {
		name := nameOf(h.change)
		if s.waiting[name] = slices.DeleteFunc(s.waiting[name], func(one *heard) bool { return one == h }); len(s.waiting[name]) == 0 {
			delete(s.waiting, name)
		}
	}
}

// tell puts into the stream what the leader has not put there in time, until nothing is left.
func (l *listener) tell() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.err == nil && l.term.Role == membership.Standby {
		var due []*heard
		pause := time.Duration(0)
		for _, h := range l.standby.heard {
			if h.told {
				continue
			}
			if pause = standbyPatience - membership.Elapsed(time.Now(), h.at); pause > 0 || len(due) == membership.MaxChanges {
				break
			}
			h.told = true
			due = append(due, h)
		}
		if len(due) == 0 && pause <= 0 {
			break
		}
		l.mu.Unlock()
		l.tellOf(due, pause)
		l.mu.Lock()
	}
	l.standby.telling = false
}

// tellOf puts changes into the stream, or pauses if there are none.
func (l *listener) tellOf(due []*heard, pause time.Duration) {
	if len(due) == 0 {
		select {
		case <-time.After(pause):
		case <-l.ctx.Done():
		}
		return
	}
	changes := make([]pdp.Change, len(due))
	for i, h := range due {
		changes[i] = h.change
	}
	if _, err := l.announce(changes); err == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range due { // again, later
		h.told, h.at = false, time.Now()
	}
}

// reported notes what the stream reports.
func (l *listener) reported(changes []pdp.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.term.Role == membership.Leader {
		return
	}
	for _, c := range changes {
		if name := nameOf(c); !l.standby.awaited(name) && len(l.standby.early) < maxPending {
			l.standby.early[name] = append(l.standby.early[name], time.Now())
		}
	}
}

// awaited reports whether a change has been waited for.
func (s *standby) awaited(name changeName) bool {
	waiting := s.waiting[name]
	if len(waiting) == 0 {
		return false
	}
	waiting[0].told = true
	s.forget(waiting[:1])
	return true
}

// resumed notes that the stream is followed again. What it tells of and nobody waits for was heard long ago.
func (l *listener) resumed(at membership.Position, tail []membership.Announcement) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.term.Role == membership.Leader {
		if at.Epoch != l.term.At.Epoch {
			l.failLocked(errOtherEpoch)
		}
		return
	}
	for _, a := range tail {
		for _, c := range a.Changes {
			l.standby.awaited(nameOf(c))
		}
	}
}

// observed notes what this sidecar has observed as a follower, and what is proven to it now: whatever was heard before is in
// the stream.
func (l *listener) observed(asOf time.Time, seen membership.Leadership, f *follower, proven time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.term.Role == membership.Leader {
		return
	}
	s, now := &l.standby, time.Now()
	if f.since != s.subscribed {
		s.subscribed, l.beginning = f.since, beginning{}
	}
	if l.beginning.since == 0 && !f.since.IsZero() && !s.began.IsZero() && asOf.After(f.since) && asOf.After(s.began) {
		l.beginning = l.newBeginning(seen.Round + 1)
		l.beginning.epoch = f.at.Epoch
	}
	n := 0
	for n < len(s.heard) && s.heard[n].at.Before(proven) {
		n++
	}
	s.forget(s.heard[:n])
	s.heard = s.heard[n:]
	for name, times := range s.early {
		times = slices.DeleteFunc(times, func(at time.Time) bool { return membership.Elapsed(now, at) > l.r.cfg.Lease })
		if s.early[name] = times; len(times) == 0 {
			delete(s.early, name)
		}
	}
}

// lead lets the standby lead, if nobody else does. It puts into the stream whatever is not proven to be there, before it attests
// anything.
func (l *listener) lead(ctx context.Context) {
	former := l.current()
	if former.Role == membership.Leader {
		return
	}
	term, err := l.r.cfg.Election.Campaign(ctx, membership.Leader)
	if err != nil || term == nil {
		return
	}
	l.r.setListens(l, membership.Leader)
	l.mu.Lock()
	l.term, l.through = term, term.At
	if l.beginning.epoch != term.At.Epoch {
		l.beginning = beginning{}
	}
	var changes []pdp.Change
	for _, h := range l.standby.heard {
		changes = append(changes, h.change)
	}
	l.standby = newStandby()
	if len(changes) > 0 {
		l.put(changes)
	}
	l.mu.Unlock()
	l.log("listening to the database for all sidecars", "")
	_ = l.r.cfg.Election.Resign(ctx, former)
}
