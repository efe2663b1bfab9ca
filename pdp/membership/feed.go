package membership

import (
	"errors"
	"hash/maphash"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// fact is what is known of a record beside its content; immutable.
type fact struct {
	stamp
	// made says that the version is a counter of ours, since the origin has none: it cannot be compared with an announced one.
	made bool
	// event is the count of what had been heard when the fetch from the origin began, where this process fetched it; else 0.
	event uint64
	order uint64        // of that fetch among all that this process fetched and was asked
	life  time.Duration // how old it may become at most
}

// elapsed is the time between two moments by the clock that went further: the monotonic one stands still while a machine is
// suspended, and the other can be set back.
func elapsed(now, then time.Time) time.Duration {
	return max(now.Sub(then), now.Round(0).Sub(then.Round(0)))
}

func (k *fact) age(now time.Time) time.Duration { return elapsed(now, k.asOf) }
func (k *fact) expired(now time.Time) bool      { return k.age(now) >= k.life }

// verdict says what a fact may be used for.
type verdict uint8

const (
	stale   verdict = iota // it must not be used
	suspect                // fetch it again, and use it only where that fails
	good
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

// source of vouching.
type voucher uint8

const (
	nobody      voucher = iota // facts live by their age alone
	byListening                // the origin tells of every change by itself
	byStreaming                // every change is announced to the shared tier, as the operator promises
)

// The proofs that are missing where a [Listener] names none. They are words for metrics and readiness.
const (
	noPromise   = "promise"   // nobody says that every change is told
	noStream    = "stream"    // the shared tier's stream is not followed
	noListening = "listening" // the origin is not listened to
	noHeartbeat = "heartbeat" // nothing has been heard for longer than a lease
	noHistory   = "history"   // what is read is of another history than what is listened to
)

// feed knows what has been heard of changes, and judges facts by it. It is safe for concurrent use.
type feed struct {
	vouchers voucher
	lease    time.Duration
	rootOf   func(location string) string // gives the organization that a location is known to belong to, "" for none
	alone    bool                         // there is no stream: what is announced here is heard here alone
	log      *slog.Logger

	order atomic.Uint64 // counts fetches and views, in the order in which they began

	mu        sync.RWMutex
	events    uint64 // counts what was heard
	marks     *marks
	stream    way
	listening way
	at, floor position // how far the stream was followed, and from where on everything is known
	elsewhere bool     // what was read last since the listening began has another history
	logged    []string // the missing proofs as the log told them last; nil before it did
}

func newFeed(v voucher, lease, keep time.Duration, rootOf func(string) string) *feed {
	return &feed{events: 1, vouchers: v, lease: lease, marks: newMarks(keep), rootOf: rootOf, log: slog.New(slog.DiscardHandler),
		stream: way{missing: []string{noStream}}, listening: way{missing: []string{noListening}}}
}

// start gives the stamp for a fetch that begins now.
func (f *feed) start() fact {
	f.mu.RLock()
	defer f.mu.RUnlock()
	now := time.Now()
	began := fact{event: f.events, order: f.order.Add(1), stamp: stamp{asOf: now}}
	if f.stream.live(now, f.lease) {
		began.at = f.at
	}
	return began
}

// judge says what a record may be used for, by a budget of age.
func (f *feed) judge(e *record, budget time.Duration, now time.Time) (v verdict, vouched bool) {
	k := &e.fact
	if k.expired(now) {
		return stale, false
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	told := f.marks.of(e.key, e.absent)
	if slices.ContainsFunc(told[:], func(m mark) bool { return f.after(m, k) }) || f.left(e) {
		return stale, false
	}
	known := k.asOf // the last moment of which it is known that the fact was true
	if f.vouchers != nobody && !told[ownMark].exceeds(e) && f.followed(e) {
		if f.voucher().live(now, f.lease) {
			return good, true
		}
		if heard := f.voucher().heard; heard.After(known) {
			known = heard
		}
	}
	if elapsed(now, known) > budget {
		return stale, false
	}
	if f.vouchers != nobody && !k.asOf.After(f.voucher().doubted(now, f.lease)) {
		return suspect, false
	}
	return good, false
}

// left says whether a location of a tree has been announced since. It may be elsewhere by now, and nobody need have known
// that it was here.
func (f *feed) left(e *record) bool {
	last := f.marks.located
	if e.tree == nil || e.located.Load() == last {
		return false
	}
	for id := range e.tree.drafts {
		if f.after(f.marks.own(recordKey{locationPointer, id}), &e.fact) {
			return true
		}
	}
	e.located.Store(last)
	return false
}

// after says whether what was announced may not be known to a fact. Versions do not count here: one that is announced may be
// wrong, and an origin that was restored gives the same out again.
func (f *feed) after(m mark, k *fact) bool {
	switch {
	case m.event == 0:
		return false
	case k.event > 0:
		return m.event > k.event
	case !m.aside.IsZero() && !k.asOf.After(m.aside.Add(f.lease)):
		return true
	case m.at.epoch != "" && m.at.epoch == k.at.epoch:
		return m.at.sequence > k.at.sequence
	}
	// The fact was fetched by another process, whose clock may differ.
	return !k.asOf.After(m.heard.Add(f.lease))
}

// exceeds says whether a greater version has been claimed than a record has.
func (m mark) exceeds(e *record) bool { return e.versioned() && e.version < m.most }

// versioned says whether the version of a record is the origin's.
func (e *record) versioned() bool { return !e.made && !e.absent && e.version > 0 }

// followed says whether all changes since the fetch of a record have been told of, up to what was heard last.
func (f *feed) followed(e *record) bool {
	h, k := f.voucher(), &e.fact
	switch {
	case f.vouchers == byListening && !e.absent && k.history != h.history:
		return false // it was read elsewhere than where is listened; that nothing was found tells of no history
	case k.event > 0:
		return k.event >= h.event
	case f.vouchers == byStreaming:
		return k.at.epoch != "" && k.at.epoch == f.at.epoch && k.at.sequence >= f.floor.sequence
	}
	return k.asOf.After(h.since.Add(f.lease))
}

func (f *feed) voucher() *way {
	if f.vouchers == byListening {
		return &f.listening
	}
	return &f.stream
}

// knows says whether everything up to a place in the stream has been heard.
func (f *feed) knows(p position) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return (f.alone || f.stream.live(time.Now(), f.lease)) && p.epoch == f.at.epoch && p.sequence <= f.at.sequence
}

// told says whether a place in the stream is one whose changes are remembered, rather than one from before.
func (f *feed) told(p position) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return p.epoch == f.at.epoch && p.sequence > f.floor.sequence
}

// epoch is that of the stream as it is followed.
func (f *feed) epoch() string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.at.epoch
}

// exceeded says whether a greater version has been claimed than a record has, and whether it is worth while to ask the origin
// again for it.
func (f *feed) exceeded(e *record) (exceeded, ask bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	m := f.marks.own(e.key)
	return m.exceeds(e), m.most > m.vain && elapsed(time.Now(), m.asked) > vainPause
}

// vainPause is how long the origin is not asked again for what it has been asked for in vain: whoever claims greater and
// greater versions must not make every question wait.
const vainPause = 5 * time.Second

// askedInVain remembers that the origin does not have the version that is claimed of a record.
func (f *feed) askedInVain(key recordKey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := maphash.Comparable(f.marks.seed, key)
	if m, ok := f.marks.byKey[id]; ok {
		m.vain, m.asked = m.most, time.Now()
		f.marks.byKey[id] = m
	}
}

// lacks says whether a record is older than the announcements that a question has to know of say. Where a later one has
// followed, it is held to that. What was claimed elsewhere than in the stream is not what the question has to know of.
func (f *feed) lacks(e *record, atLeast []position) bool {
	if len(atLeast) == 0 {
		return false
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	m := f.marks.own(e.key)
	for _, p := range atLeast {
		claimed := m.held
		if m.at.epoch == p.epoch && m.at.sequence <= p.sequence {
			claimed = m.version
		}
		if e.versioned() && e.version < claimed {
			return true
		}
	}
	return false
}

// take remembers changes heard of at a place in the stream, zero where they were heard elsewhere.
func (f *feed) take(changes []pdp.Change, at position) {
	roots := f.rootsOf(changes)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mark(changes, roots, at)
}

// takeLocal remembers changes that no other sidecar hears of, and gives their place among them.
func (f *feed) takeLocal(changes []pdp.Change) position {
	roots := f.rootsOf(changes)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at.sequence++
	f.mark(changes, roots, f.at)
	return f.at
}

func (f *feed) rootsOf(changes []pdp.Change) map[string]string {
	roots := make(map[string]string)
	for _, c := range changes {
		if c.Kind == pdp.LocationChanged {
			roots[c.ID] = f.rootOf(c.ID)
		}
	}
	return roots
}

func (f *feed) mark(changes []pdp.Change, roots map[string]string, at position) {
	f.events++
	by := mark{event: f.events, at: at, heard: time.Now()}
	for _, c := range changes {
		f.marks.take(c, by, func(location string) string { return roots[location] })
	}
}

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
	s.tell(nil)
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
	f.elsewhere = false
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
		f.tell(nil)
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
	f.tell(unproven)
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

// tell logs which proofs are missing, where others are than before.
func (f *feed) tell(why *Unproven) {
	f.mu.Lock()
	missing := []string{}
	switch h := f.voucher(); {
	case f.vouchers == nobody:
	case !h.began:
		missing = h.missing
	case f.elsewhere:
		missing = []string{noHistory}
	}
	same := f.vouchers == nobody || f.logged != nil && slices.Equal(missing, f.logged)
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
	l.tell(nil)
}

// Changed implements [Hearing].
func (l listened) Changed(changes []pdp.Change) { l.take(changes, position{}) }

// Beat implements [Hearing].
func (l listened) Beat(at time.Time) { l.beatOf(&l.listening, at) }

// Lost implements [Hearing].
func (l listened) Lost(err error) { l.lostOf(&l.listening, noListening, err) }
