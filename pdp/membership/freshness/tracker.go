package freshness

import (
	"hash/maphash"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// Provenance is what is known of a record beside its content; immutable.
type Provenance struct {
	membership.Stamp
	Key    membership.Key
	Absent bool // there is no such record
	// locations are those of an organization's record; nil for any other.
	Locations *locationSet
	// made says that the version is a counter of ours, since the origin has none: it cannot be compared with an announced one.
	Synthetic bool
	// event is the count of what had been heard when the fetch from the origin began, where this process fetched it; else 0.
	Event uint64
	Order uint64        // of that fetch among all that this process fetched and was asked
	Life  time.Duration // how old it may become at most
}

// locationSet is the locations of an organization's record.
type locationSet struct {
	ids     iter.Seq[string]
	checked atomic.Uint64 // up to which event none of them has been announced
}

// NewLocationSet makes the set of some ids, which must stay the same.
func NewLocationSet(ids iter.Seq[string]) *locationSet { return &locationSet{ids: ids} }

func (k *Provenance) Age(now time.Time) time.Duration { return membership.Elapsed(now, k.AsOf) }

func (k *Provenance) Expired(now time.Time) bool { return k.Age(now) >= k.Life }

// Verdict says what a fact may be used for.
type Verdict uint8

const (
	Stale       Verdict = iota // it must not be used
	Unconfirmed                // fetch it again, and use it only where that fails
	Fresh
)

// source of vouching.
type Confirmer uint8

const (
	Unconfirmable Confirmer = iota // facts live by their age alone
	ByWatching                     // the origin tells of every change by itself
	ByStream                       // every change is announced to the shared tier, as the operator promises
)

// Tracker knows what has been heard of changes, and judges facts by it. It is safe for concurrent use.
type Tracker struct {
	vouchers Confirmer
	lease    time.Duration
	rootOf   func(location string) string // gives the organization that a location is known to belong to, "" for none
	alone    bool                         // there is no stream: what is announced here is heard here alone
	log      *slog.Logger

	Order atomic.Uint64 // counts fetches and views, in the order in which they began

	mu        sync.RWMutex
	events    uint64 // counts what was heard
	marks     *invalidations
	stream    subscription
	listening subscription
	at, floor membership.Position // how far the stream was followed, and from where on everything is known
	elsewhere bool                // what was read last since the listening began has another history
	logged    []string            // the missing proofs as the log told them last; nil before it did
}

// Config says what vouches for facts, and for how long.
type Config struct {
	Vouchers Confirmer
	Lease    time.Duration                // how long nothing may be heard before nothing is vouched for
	Keep     time.Duration                // how long announcements are remembered: longer than any fact lives
	RootOf   func(location string) string // gives the organization that a location is known to belong to, "" for none
	Log      *slog.Logger                 // nil: nothing is logged
}

func NewTracker(cfg Config) *Tracker {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Vouchers == Unconfirmable {
		cfg.Log.Info("facts live by their age: nothing vouches for them", "unproven", []string{NoPromise})
	}
	return &Tracker{events: 1, vouchers: cfg.Vouchers, lease: cfg.Lease, marks: newInvalidations(cfg.Keep), rootOf: cfg.RootOf, log: cfg.Log,
		stream: subscription{missing: []string{noStream}}, listening: subscription{missing: []string{NoListening}}}
}

// GoAlone says that there is no stream: what is announced here is heard here alone, in an epoch of this name.
func (f *Tracker) GoAlone(epoch string) { f.alone, f.at.Epoch = true, epoch }

// Next gives the order of what begins now among all fetches and views.
func (f *Tracker) Next() uint64 { return f.Order.Add(1) }

// ByStream says whether the stream is what vouches for facts.
func (f *Tracker) ByStream() bool { return f.vouchers == ByStream }

// InTouch says whether the stream is heard.
func (f *Tracker) InTouch() bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.stream.live(time.Now(), f.lease)
}

// Status is how a feed is doing.
type Status struct {
	Vouching                      bool // facts are ever vouched for
	Listens                       bool // the origin vouches
	SharedLive, Listening         bool // each is heard
	SharedBreaks, ListeningBreaks uint64
	Unproven                      []string      // the missing proofs
	Heard                         time.Duration // since what vouches was heard last; 0 where nothing does
}

func (f *Tracker) Status() Status {
	now := time.Now()
	f.mu.RLock()
	defer f.mu.RUnlock()
	s := Status{
		Vouching: f.vouchers != Unconfirmable, Listens: f.vouchers == ByWatching,
		SharedLive: f.stream.live(now, f.lease), SharedBreaks: f.stream.breaks,
		Listening: f.listening.live(now, f.lease), ListeningBreaks: f.listening.breaks,
		Unproven: slices.Clone(f.unproven(now)),
	}
	if s.Vouching {
		s.Heard = now.Sub(f.confirming().heard)
	}
	return s
}

// Start gives the stamp for a fetch that begins now.
func (f *Tracker) Start() Provenance {
	f.mu.RLock()
	defer f.mu.RUnlock()
	now := time.Now()
	began := Provenance{Event: f.events, Order: f.Order.Add(1), Stamp: membership.Stamp{AsOf: now}}
	if f.stream.live(now, f.lease) {
		began.At = f.at
	}
	return began
}

// Check says what a record may be used for, by a budget of age.
func (f *Tracker) Check(k *Provenance, budget time.Duration, now time.Time) (v Verdict, vouched bool) {
	if k.Expired(now) {
		return Stale, false
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	told := f.marks.of(k.Key, k.Absent)
	if slices.ContainsFunc(told[:], func(m invalidation) bool { return f.after(m, k) }) || f.left(k) {
		return Stale, false
	}
	known := k.AsOf // the last moment of which it is known that the fact was true
	if f.vouchers != Unconfirmable && !told[ownMark].exceeds(k) && f.followed(k) {
		if f.confirming().live(now, f.lease) {
			return Fresh, true
		}
		if heard := f.confirming().heard; heard.After(known) {
			known = heard
		}
	}
	if membership.Elapsed(now, known) > budget {
		return Stale, false
	}
	if f.vouchers != Unconfirmable && !k.AsOf.After(f.confirming().doubted(now, f.lease)) {
		return Unconfirmed, false
	}
	return Fresh, false
}

// left says whether a location of a tree has been announced since. It may be elsewhere by now, and nobody need have known
// that it was here.
func (f *Tracker) left(k *Provenance) bool {
	last := f.marks.located
	if k.Locations == nil || k.Locations.checked.Load() == last {
		return false
	}
	for id := range k.Locations.ids {
		if f.after(f.marks.own(membership.Key{Kind: membership.LocationPointer, ID: id}), k) {
			return true
		}
	}
	k.Locations.checked.Store(last)
	return false
}

// after says whether what was announced may not be known to a fact. Versions do not count here: one that is announced may be
// wrong, and an origin that was restored gives the same out again.
func (f *Tracker) after(m invalidation, k *Provenance) bool {
	switch {
	case m.event == 0:
		return false
	case k.Event > 0:
		return m.event > k.Event
	case !m.aside.IsZero() && !k.AsOf.After(m.aside.Add(f.lease)):
		return true
	case m.at.Epoch != "" && m.at.Epoch == k.At.Epoch:
		return m.at.Sequence > k.At.Sequence
	}
	// The fact was fetched by another process, whose clock may differ.
	return !k.AsOf.After(m.heard.Add(f.lease))
}

// exceeds says whether a greater version has been claimed than a record has.
func (m invalidation) exceeds(k *Provenance) bool { return k.Versioned() && k.Version < m.most }

// Versioned says whether the version of a record is the origin's.
func (k *Provenance) Versioned() bool { return !k.Synthetic && !k.Absent && k.Version > 0 }

// followed says whether all changes since the fetch of a record have been told of, up to what was heard last.
func (f *Tracker) followed(k *Provenance) bool {
	h := f.confirming()
	switch {
	case f.vouchers == ByWatching && (f.elsewhere || !k.Absent && k.History != h.history):
		return false // it was read elsewhere than where is listened; that nothing was found tells of no history itself
	case k.Event > 0:
		return k.Event >= h.event
	case f.vouchers == ByStream:
		return k.At.Epoch != "" && k.At.Epoch == f.at.Epoch && k.At.Sequence >= f.floor.Sequence
	}
	return k.AsOf.After(h.since.Add(f.lease))
}

func (f *Tracker) confirming() *subscription {
	if f.vouchers == ByWatching {
		return &f.listening
	}
	return &f.stream
}

// Knows says whether everything up to a place in the stream has been heard.
func (f *Tracker) Knows(p membership.Position) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return (f.alone || f.stream.live(time.Now(), f.lease)) && p.Epoch == f.at.Epoch && p.Sequence <= f.at.Sequence
}

// Told says whether a place in the stream is one whose changes are remembered, rather than one from before.
func (f *Tracker) Told(p membership.Position) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return p.Epoch == f.at.Epoch && p.Sequence > f.floor.Sequence
}

// Epoch is that of the stream as it is followed.
func (f *Tracker) Epoch() string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.at.Epoch
}

// Exceeded says whether a greater version has been claimed than a record has, and whether it is worth while to ask the origin
// again for it.
func (f *Tracker) Exceeded(k *Provenance) (exceeded, ask bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	m := f.marks.own(k.Key)
	return m.exceeds(k), m.most > m.vain && membership.Elapsed(time.Now(), m.asked) > vainPause
}

// vainPause is how long the origin is not asked again for what it has been asked for in vain: whoever claims greater and
// greater versions must not make every question wait.
const vainPause = 5 * time.Second

// AskedInVain remembers that the origin does not have the version that is claimed of a record.
func (f *Tracker) AskedInVain(key membership.Key) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := maphash.Comparable(f.marks.seed, key)
	if m, ok := f.marks.byKey[id]; ok {
		m.vain, m.asked = m.most, time.Now()
		f.marks.byKey[id] = m
	}
}

// Lacks says whether a record is older than the announcements that a question has to know of say. Where a later one has
// followed, it is held to that. What was claimed elsewhere than in the stream is not what the question has to know of.
func (f *Tracker) Lacks(k *Provenance, atLeast []membership.Position) bool {
	if len(atLeast) == 0 {
		return false
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	m := f.marks.own(k.Key)
	for _, p := range atLeast {
		claimed := m.held
		if m.at.Epoch == p.Epoch && m.at.Sequence <= p.Sequence {
			claimed = m.version
		}
		if k.Versioned() && k.Version < claimed {
			return true
		}
	}
	return false
}

// Take remembers changes heard of at a place in the stream, zero where they were heard elsewhere.
func (f *Tracker) Take(changes []pdp.Change, at membership.Position) {
	roots := f.rootsOf(changes)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mark(changes, roots, at)
}

// TakeLocal remembers changes that no other sidecar hears of, and gives their place among them.
func (f *Tracker) TakeLocal(changes []pdp.Change) membership.Position {
	roots := f.rootsOf(changes)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at.Sequence++
	f.mark(changes, roots, f.at)
	return f.at
}

func (f *Tracker) rootsOf(changes []pdp.Change) map[string]string {
	roots := make(map[string]string)
	for _, c := range changes {
		if c.Kind == pdp.LocationChanged {
			roots[c.ID] = f.rootOf(c.ID)
		}
	}
	return roots
}

func (f *Tracker) mark(changes []pdp.Change, roots map[string]string, at membership.Position) {
	f.events++
	by := invalidation{event: f.events, at: at, heard: time.Now()}
	for _, c := range changes {
		f.marks.take(c, by, func(location string) string { return roots[location] })
	}
}
