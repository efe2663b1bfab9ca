package freshness

import (
	"errors"
	"slices"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// subscription is the state of one way by which changes are heard of.
type subscription struct {
	began   bool      // and not lost since
	event   uint64    // the count when it began
	since   time.Time // everything after this moment is told
	heard   time.Time // everything before this moment has been told
	doubt   time.Time // when it was lost
	breaks  uint64    // how often it was lost
	history string    // of the records whose changes are told
	missing []string  // the proofs that are missing while it is lost
}

func (h *subscription) live(now time.Time, lease time.Duration) bool {
	return h.began && membership.Elapsed(now, h.heard) <= lease
}

// doubted is the moment before which facts are suspect, for all that this way says.
func (h *subscription) doubted(now time.Time, lease time.Duration) time.Time {
	switch {
	case h.live(now, lease):
		return h.since
	case h.began:
		return h.heard.Add(lease)
	}
	return h.doubt
}

// The proofs that are missing where a [membership.Watcher] names none. They are words for metrics and readiness.
const (
	NoPromise   = "promise"   // nobody says that every change is told
	noStream    = "stream"    // the shared tier's stream is not followed
	NoListening = "listening" // the origin is not listened to
	NoHeartbeat = "heartbeat" // nothing has been heard for longer than a lease
	NoHistory   = "history"   // what is read is of another history than what is listened to
)

// Streaming is the feed as it hears of the shared tier's stream.
type Streaming struct{ *Tracker }

var _ membership.StreamHandler = Streaming{}

// FollowStream gives what is to be told of the stream.
func (f *Tracker) FollowStream() membership.StreamHandler { return Streaming{f} }

func (s Streaming) Began(at, floor membership.Position, tail []membership.Announcement, asOf time.Time) {
	for _, a := range tail {
		s.Take(a.Changes, a.At)
	}
	s.mu.Lock()
	s.at, s.floor = at, floor
	s.begin(&s.stream, asOf, "")
	s.mu.Unlock()
	s.tell(&s.stream, nil)
}

func (s Streaming) Changed(a membership.Announcement) {
	s.Take(a.Changes, a.At)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = a.At
}

func (s Streaming) Heartbeat(asOf time.Time) { s.heartbeatOf(&s.stream, asOf) }

func (s Streaming) Lost(err error) { s.lostOf(&s.stream, noStream, err) }

func (f *Tracker) begin(h *subscription, at time.Time, history string) {
	f.events++
	h.began, h.event, h.since, h.heard, h.history, h.missing = true, f.events, at, at, history, nil
	f.elsewhere = f.elsewhere && h != &f.listening
}

// Learned takes the history of a record that the origin gave. One of another history than is listened to is never vouched for.
func (f *Tracker) Learned(k *Provenance) {
	if f.vouchers != ByWatching {
		return
	}
	f.mu.Lock()
	before := f.elsewhere
	if h := &f.listening; h.began && k.Event >= h.event {
		f.elsewhere = k.History != h.history
	}
	found := f.elsewhere && !before
	f.mu.Unlock()
	if found {
		f.tell(&f.listening, nil)
	}
}

func (f *Tracker) heartbeatOf(h *subscription, asOf time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if asOf.After(h.heard) {
		h.heard = asOf
	}
}

func (f *Tracker) lostOf(h *subscription, word string, err error) {
	f.mu.Lock()
	if h.began {
		h.began, h.doubt = false, time.Now()
		h.breaks++
	}
	h.missing = []string{word}
	var unproven *membership.Unproven
	if errors.As(err, &unproven) && len(unproven.Missing) > 0 {
		h.missing = slices.Compact(slices.Sorted(slices.Values(unproven.Missing)))
	}
	f.mu.Unlock()
	f.tell(h, unproven)
}

// unproven names the proofs that are missing for facts to be vouched for; none where they are. It needs the lock.
func (f *Tracker) unproven(now time.Time) []string {
	switch h := f.confirming(); {
	case f.vouchers == Unconfirmable:
		return []string{NoPromise}
	case !h.began:
		return h.missing
	case !h.live(now, f.lease):
		return []string{NoHeartbeat}
	case f.elsewhere:
		return []string{NoHistory}
	}
	return nil
}

// tell logs which proofs are missing, where others are than before. The state of a way that does not vouch changes none.
func (f *Tracker) tell(h *subscription, why *membership.Unproven) {
	if f.vouchers == Unconfirmable || h != f.confirming() {
		return
	}
	f.mu.Lock()
	missing := []string{}
	switch {
	case !h.began:
		missing = h.missing
	case f.elsewhere:
		missing = []string{NoHistory}
	}
	same := f.logged != nil && slices.Equal(missing, f.logged)
	f.logged = missing
	f.mu.Unlock()
	switch {
	case same:
	case len(missing) == 0:
		f.log.Info("facts are confirmed by news of changes")
	case why != nil:
		f.log.Warn("facts are not confirmed, and live by their age: proofs are missing", "unproven", missing, "reason", why.Reason)
	default:
		f.log.Warn("facts are not confirmed, and live by their age: proofs are missing", "unproven", missing)
	}
}

// watched is the feed as it hears of the origin itself.
type watched struct{ *Tracker }

var _ membership.ChangeHandler = watched{}

// Listen gives what is to be told of the origin's own news.
func (f *Tracker) Listen() membership.ChangeHandler { return watched{f} }

// Began implements [membership.ChangeHandler].
func (l watched) Began(at time.Time, history string) {
	l.mu.Lock()
	l.begin(&l.listening, at, history)
	l.mu.Unlock()
	l.tell(&l.listening, nil)
}

// Changed implements [membership.ChangeHandler].
func (l watched) Changed(changes []pdp.Change) { l.Take(changes, membership.Position{}) }

// Heartbeat implements [membership.ChangeHandler].
func (l watched) Heartbeat(at time.Time) { l.heartbeatOf(&l.listening, at) }

// Lost implements [membership.ChangeHandler].
func (l watched) Lost(err error) { l.lostOf(&l.listening, NoListening, err) }
