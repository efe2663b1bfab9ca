package membership

import (
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
	began  bool      // and not lost since
	event  uint64    // the count when it began
	since  time.Time // everything after this moment is told
	heard  time.Time // everything before this moment has been told
	doubt  time.Time // when it was lost
	breaks uint64    // how often it was lost
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
	byStreaming                // every change is announced to the shared tier
)

// feed knows what has been heard of changes, and judges facts by it. It is safe for concurrent use.
type feed struct {
	vouchers voucher
	lease    time.Duration
	rootOf   func(location string) string // gives the organization that a location is known to belong to, "" for none
	alone    bool                         // there is no stream: what is announced here is heard here alone

	order atomic.Uint64 // counts fetches and views, in the order in which they began

	mu        sync.RWMutex
	events    uint64 // counts what was heard
	marks     *marks
	stream    way
	listening way
	at, floor position // how far the stream was followed, and from where on everything is known
}

func newFeed(v voucher, lease, keep time.Duration, rootOf func(string) string) *feed {
	return &feed{events: 1, vouchers: v, lease: lease, marks: newMarks(keep), rootOf: rootOf}
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
	if f.outdated(e.key, k, e.absent) || f.left(e) {
		return stale, false
	}
	if f.vouched(k, now) {
		return good, true
	}
	if elapsed(now, f.knownAt(k)) > budget {
		return stale, false
	}
	if f.vouchers != nobody && !k.asOf.After(f.voucher().doubted(now, f.lease)) {
		return suspect, false
	}
	return good, false
}

// outdated says whether something announced is not known to a fact.
func (f *feed) outdated(key recordKey, k *fact, absent bool) bool {
	for _, m := range f.marks.of(key, absent) {
		if m.event == 0 {
			continue
		}
		comparable := !k.made && !absent && k.version > 0
		if comparable && k.version < m.least {
			return true
		}
		if f.after(m, k) && (!comparable || m.version == 0 || k.version < m.version) {
			return true
		}
	}
	return false
}

// left says whether a location of a tree has been announced since. It may be elsewhere by now, and nobody need have known
// that it was here.
func (f *feed) left(e *record) bool {
	last := f.marks.located
	if e.tree == nil || e.located.Load() == last {
		return false
	}
	for id := range e.tree.drafts {
		if m := f.marks.byKey[recordKey{locationPointer, id}]; m.event > 0 && f.after(m, &e.fact) {
			return true
		}
	}
	e.located.Store(last)
	return false
}

// after says whether what was announced may not be known to a fact.
func (f *feed) after(m mark, k *fact) bool {
	switch {
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

func (f *feed) vouched(k *fact, now time.Time) bool {
	return f.vouchers != nobody && f.voucher().live(now, f.lease) && f.followed(k)
}

// followed says whether all changes since the fetch of a fact have been told of, up to what was heard last.
func (f *feed) followed(k *fact) bool {
	h := f.voucher()
	switch {
	case k.event > 0:
		return k.event >= h.event
	case f.vouchers == byStreaming:
		return k.at.epoch != "" && k.at.epoch == f.at.epoch && k.at.sequence >= f.floor.sequence
	}
	return k.asOf.After(h.since.Add(f.lease))
}

// knownAt is the last moment of which it is known that a fact was true: its fetch, or the news that vouched for it last.
func (f *feed) knownAt(k *fact) time.Time {
	if heard := f.voucher().heard; f.vouchers != nobody && f.followed(k) && heard.After(k.asOf) {
		return heard
	}
	return k.asOf
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

// take remembers changes heard of at a place in the stream, zero where they were heard elsewhere.
func (f *feed) take(changes []pdp.Change, at position) {
	roots := make(map[string]string)
	for _, c := range changes {
		if c.Kind == pdp.LocationChanged {
			roots[c.ID] = f.rootOf(c.ID)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
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
	defer s.mu.Unlock()
	s.events++
	s.at, s.floor = at, floor
	s.stream.began, s.stream.event, s.stream.since, s.stream.heard = true, s.events, asOf, asOf
}

func (s streaming) changed(a announced) {
	s.take(a.changes, a.at)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = a.at
}

func (s streaming) beat(asOf time.Time) { s.beatOf(&s.stream, asOf) }

func (s streaming) lost(error) { s.lostOf(&s.stream) }

func (f *feed) beatOf(h *way, asOf time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if asOf.After(h.heard) {
		h.heard = asOf
	}
}

func (f *feed) lostOf(h *way) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if h.began {
		h.began, h.doubt = false, time.Now()
		h.breaks++
	}
}

// listened is the feed as it hears of the origin itself.
type listened struct{ *feed }

var _ Hearing = listened{}

// Began implements [Hearing].
func (l listened) Began(at time.Time, _ string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events++
	h := &l.listening
	h.began, h.event, h.since, h.heard = true, l.events, at, at
}

// Changed implements [Hearing].
func (l listened) Changed(changes []pdp.Change) { l.take(changes, position{}) }

// Beat implements [Hearing].
func (l listened) Beat(at time.Time) { l.beatOf(&l.listening, at) }

// Lost implements [Hearing].
func (l listened) Lost(error) { l.lostOf(&l.listening) }

// least is the lowest version that a record can have, by what was announced.
func (f *feed) least(key recordKey) uint64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.marks.byKey[key].least
}
