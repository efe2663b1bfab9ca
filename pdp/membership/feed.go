package membership

import (
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

// source of vouching.
type voucher uint8

const (
	nobody      voucher = iota // facts live by their age alone
	byListening                // the origin tells of every change by itself
	byStreaming                // every change is announced to the shared tier, as the operator promises
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
	case f.vouchers == byListening && (f.elsewhere || !e.absent && k.history != h.history):
		return false // it was read elsewhere than where is listened; that nothing was found tells of no history itself
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
