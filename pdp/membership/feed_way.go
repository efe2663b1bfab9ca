package membership

import (
	"errors"
	"slices"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// way is the state of one way by which changes are heard of.
type way struct {
	began   bool      // and not lost since
	event   uint64    // the count when it began
	since   time.Time // everything after this moment is told
	heard   time.Time // everything before this moment has been told
	doubt   time.Time // when it was lost
	breaks  uint64    // how often it was lost
	history string    // of the records whose changes are told
	missing []string  // the proofs that are missing while it is lost
}

func (h *way) live(now time.Time, lease time.Duration) bool {
	return h.began && elapsed(now, h.heard) <= lease
}

// doubted is the moment before which facts are suspect, for all that this way says.
func (h *way) doubted(now time.Time, lease time.Duration) time.Time {
	switch {
	case h.live(now, lease):
		return h.since
	case h.began:
		return h.heard.Add(lease)
	}
	return h.doubt
}

// The proofs that are missing where a [Listener] names none. They are words for metrics and readiness.
const (
	noPromise   = "promise"   // nobody says that every change is told
	noStream    = "stream"    // the shared tier's stream is not followed
	noListening = "listening" // the origin is not listened to
	noHeartbeat = "heartbeat" // nothing has been heard for longer than a lease
	noHistory   = "history"   // what is read is of another history than what is listened to
)

// streaming is the feed as it hears of the shared tier's stream.
type streaming struct{ *feed }

var _ followed = streaming{}

func (s streaming) began(at, floor position, tail []announced, asOf time.Time) {
	for _, a := range tail {
		s.take(a.changes, a.at)
	}
	s.mu.Lock()
	s.at, s.floor = at, floor
	s.begin(&s.stream, asOf, "")
	s.mu.Unlock()
	s.tell(&s.stream, nil)
}

func (s streaming) changed(a announced) {
	s.take(a.changes, a.at)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = a.at
}

func (s streaming) beat(asOf time.Time) { s.beatOf(&s.stream, asOf) }

func (s streaming) lost(err error) { s.lostOf(&s.stream, noStream, err) }

func (f *feed) begin(h *way, at time.Time, history string) {
	f.events++
	h.began, h.event, h.since, h.heard, h.history, h.missing = true, f.events, at, at, history, nil
	f.elsewhere = f.elsewhere && h != &f.listening
}

// learned takes the history of a record that the origin gave. One of another history than is listened to is never vouched for.
func (f *feed) learned(k *fact) {
	if f.vouchers != byListening {
		return
	}
	f.mu.Lock()
	before := f.elsewhere
	if h := &f.listening; h.began && k.event >= h.event {
		f.elsewhere = k.history != h.history
	}
	found := f.elsewhere && !before
	f.mu.Unlock()
	if found {
		f.tell(&f.listening, nil)
	}
}

func (f *feed) beatOf(h *way, asOf time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if asOf.After(h.heard) {
		h.heard = asOf
	}
}

func (f *feed) lostOf(h *way, word string, err error) {
	f.mu.Lock()
	if h.began {
		h.began, h.doubt = false, time.Now()
		h.breaks++
	}
	h.missing = []string{word}
	var unproven *Unproven
	if errors.As(err, &unproven) && len(unproven.Missing) > 0 {
		h.missing = slices.Compact(slices.Sorted(slices.Values(unproven.Missing)))
	}
	f.mu.Unlock()
	f.tell(h, unproven)
}

// unproven names the proofs that are missing for facts to be vouched for; none where they are. It needs the lock.
func (f *feed) unproven(now time.Time) []string {
	switch h := f.voucher(); {
	case f.vouchers == nobody:
		return []string{noPromise}
	case !h.began:
		return h.missing
	case !h.live(now, f.lease):
		return []string{noHeartbeat}
	case f.elsewhere:
		return []string{noHistory}
	}
	return nil
}

// tell logs which proofs are missing, where others are than before. The state of a way that does not vouch changes none.
func (f *feed) tell(h *way, why *Unproven) {
	if f.vouchers == nobody || h != f.voucher() {
		return
	}
	f.mu.Lock()
	missing := []string{}
	switch {
	case !h.began:
		missing = h.missing
	case f.elsewhere:
		missing = []string{noHistory}
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

// listened is the feed as it hears of the origin itself.
type listened struct{ *feed }

var _ Hearing = listened{}

// Began implements [Hearing].
func (l listened) Began(at time.Time, history string) {
	l.mu.Lock()
	l.begin(&l.listening, at, history)
	l.mu.Unlock()
	l.tell(&l.listening, nil)
}

// Changed implements [Hearing].
func (l listened) Changed(changes []pdp.Change) { l.take(changes, position{}) }

// Beat implements [Hearing].
func (l listened) Beat(at time.Time) { l.beatOf(&l.listening, at) }

// Lost implements [Hearing].
func (l listened) Lost(err error) { l.lostOf(&l.listening, noListening, err) }
