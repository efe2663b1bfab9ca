package freshness

import (
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// Confirmer is the subscription whose silence proves that records have not changed.
type Confirmer uint8

const (
	ConfirmedByNone   Confirmer = iota // records are fresh by age alone
	ConfirmedByOrigin                  // the origin reports each of its changes (a [membership.Watcher])
	ConfirmedByStream                  // the operator promises that each change is announced in the shared stream
)

// Config configures what confirms records, and for how long.
type Config struct {
	Confirmer Confirmer
	Lease     time.Duration // without a heartbeat for longer than this, nothing is confirmed
	Retention time.Duration // how long announcements are remembered; must be longer than any record's TTL
	// LocalEpoch names the epoch of announcements if no stream is shared with other sidecars; "" if a stream is shared.
	LocalEpoch string
	Logger     *slog.Logger // nil: nothing is logged
}

// Tracker receives announced changes and uses them to decide how fresh records are. It is safe for concurrent use.
type Tracker struct {
	confirmer Confirmer
	lease     time.Duration
	local     bool // there is no shared stream
	log       *slog.Logger

	order atomic.Uint64 // numbers fetches and views in the order in which they begin

	mu              sync.RWMutex
	events          uint64 // counts what is received: announcements, and starts of subscriptions
	invalidations   *invalidations
	stream          subscription        // to the stream shared with other sidecars
	origin          subscription        // to the origin itself
	position, floor membership.Position // the stream is followed up to position, and complete from floor on
	historyMismatch bool                // the last record read since the origin's subscription began has another history
	loggedMissing   []string            // the missing proofs as last logged; nil if never logged
}

// NewTracker returns a tracker whose subscriptions have not begun.
func NewTracker(cfg Config) *Tracker {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Confirmer == ConfirmedByNone {
		cfg.Logger.Info("membership facts are not confirmed: they are fresh by age alone", "unproven", []string{NoPromise})
	}
	return &Tracker{
		confirmer: cfg.Confirmer, lease: cfg.Lease, local: cfg.LocalEpoch != "", log: cfg.Logger,
		events: 1, invalidations: newInvalidations(cfg.Retention), position: membership.Position{Epoch: cfg.LocalEpoch},
		stream: subscription{missing: []string{noStream}}, origin: subscription{missing: []string{NoListening}},
	}
}

// NextOrder returns the number of a view that begins now.
func (t *Tracker) NextOrder() uint64 { return t.order.Add(1) }

// BeginFetch returns the provenance of a fetch from the origin that begins now.
func (t *Tracker) BeginFetch() Provenance {
	t.mu.RLock()
	defer t.mu.RUnlock()
	now := time.Now()
	p := Provenance{Event: t.events, Order: t.order.Add(1), Stamp: membership.Stamp{AsOf: now}}
	if t.stream.live(now, t.lease) {
		p.At = t.position
	}
	return p
}

// Invalidate records announced changes. at is their position in the shared stream; zero if they were received elsewhere.
func (t *Tracker) Invalidate(changes []pdp.Change, at membership.Position) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.invalidate(changes, at)
}

// InvalidateLocal records changes that no other sidecar receives, and returns their position in the local epoch.
func (t *Tracker) InvalidateLocal(changes []pdp.Change) membership.Position {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.position.Sequence++
	t.invalidate(changes, t.position)
	return t.position
}

func (t *Tracker) invalidate(changes []pdp.Change, at membership.Position) {
	t.events++
	i := invalidation{event: t.events, position: at, receivedAt: time.Now()}
	for _, c := range changes {
		t.invalidations.add(c, i)
	}
}

// ObserveHistory records the history of a record that the origin delivered. While it differs from the history whose
// changes the origin reports, no record is confirmed.
func (t *Tracker) ObserveHistory(p *Provenance) {
	if t.confirmer != ConfirmedByOrigin {
		return
	}
	t.mu.Lock()
	before := t.historyMismatch
	if s := &t.origin; s.active && p.Event >= s.startEvent {
		t.historyMismatch = p.History != s.history
	}
	found := t.historyMismatch && !before
	t.mu.Unlock()
	if found {
		t.logMissing(&t.origin, nil)
	}
}

func (t *Tracker) confirming() *subscription {
	if t.confirmer == ConfirmedByOrigin {
		return &t.origin
	}
	return &t.stream
}

// StreamLive reports whether the shared stream is being followed.
func (t *Tracker) StreamLive() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.stream.live(time.Now(), t.lease)
}

// ConfirmedByStream reports whether the shared stream confirms records.
func (t *Tracker) ConfirmedByStream() bool { return t.confirmer == ConfirmedByStream }

// ConfirmedByOriginSince reports whether the origin confirms records now, and since when it has done so without a gap.
func (t *Tracker) ConfirmedByOriginSince() (since time.Time, ok bool) {
	now := time.Now()
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.origin.startedAt, t.confirmer == ConfirmedByOrigin && len(t.unproven(now)) == 0
}

// Reached reports whether every announcement up to a position has been received.
func (t *Tracker) Reached(p membership.Position) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return (t.local || t.stream.live(time.Now(), t.lease)) && p.Epoch == t.position.Epoch && p.Sequence <= t.position.Sequence
}

// Retained reports whether the announcements at a position are remembered, that is, whether the position is not from
// before the stream was followed.
func (t *Tracker) Retained(p membership.Position) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return p.Epoch == t.position.Epoch && p.Sequence > t.floor.Sequence
}

// Epoch returns the epoch of the stream that is followed.
func (t *Tracker) Epoch() string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.position.Epoch
}

// Status is the state of a tracker's subscriptions.
type Status struct {
	Confirming                 bool // this configuration can confirm records
	ByOrigin                   bool // the origin confirms records
	StreamLive, OriginLive     bool
	StreamLosses, OriginLosses uint64
	Unproven                   []string      // the missing proofs; nil while records are confirmed
	SinceHeartbeat             time.Duration // of the confirming subscription; 0 if there is none
}

// Status returns the current state.
func (t *Tracker) Status() Status {
	now := time.Now()
	t.mu.RLock()
	defer t.mu.RUnlock()
	s := Status{
		Confirming: t.confirmer != ConfirmedByNone, ByOrigin: t.confirmer == ConfirmedByOrigin,
		StreamLive: t.stream.live(now, t.lease), StreamLosses: t.stream.losses,
		OriginLive: t.origin.live(now, t.lease), OriginLosses: t.origin.losses,
		Unproven: slices.Clone(t.unproven(now)),
	}
	if s.Confirming {
		s.SinceHeartbeat = now.Sub(t.confirming().watermark)
	}
	return s
}
