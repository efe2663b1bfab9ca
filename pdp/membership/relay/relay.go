package relay

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// Config configures a [Relay]. All but Announcing and Logger are required.
type Config struct {
	Watcher  membership.Watcher // of the origin
	Stream   membership.Stream  // that all sidecars follow
	Election membership.Election
	// Lease is how long facts stay confirmed without proof. The leader's lease is as long.
	Lease time.Duration
	// Announcing is told of changes of the origin before this sidecar puts them into the stream. It must not block; nil: nobody is.
	Announcing func([]pdp.Change)
	Logger     *slog.Logger // nil: nothing is logged
}

// Relay implements [membership.Watcher] and [membership.Stream]. It is safe for concurrent use. Watch and Follow must both be
// called, once each.
type Relay struct {
	membership.Stream
	cfg Config

	mu        sync.Mutex // held while the handler is called, so that its calls do not overlap
	handler   membership.ChangeHandler
	alone     bool         // this sidecar listens for itself
	own       subscription // what its own listening proves then
	follower  follower     // what the leader proves
	reported  bool         // the handler was told that changes are reported
	confirmed time.Time    // when a proof was last reported
	failure   error        // why this sidecar could not lead; nil if it has not failed since the last proof
	lost      error        // why the stream is not followed; nil while it is
	vacant    bool         // nobody leads, as last seen
	noStandby bool         // nobody stands by, as last seen
	status    Status
	listens   *listener // while this sidecar leads or stands by; else nil

	// campaigned is when nobody led, or another sidecar began to.
	campaigned time.Time

	changed chan struct{} // wakes Watch; holds one
}

// Status says who listens to the origin.
type Status struct {
	Leading   bool   // this sidecar, for all
	Standby   bool   // this sidecar, while another one does for all
	Alone     bool   // this sidecar, for itself alone
	Term      uint64 // the number of the last term, as far as this sidecar knows
	Takeovers uint64 // terms of this sidecar as the leader
}

// New returns a relay.
func New(cfg Config) *Relay {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Announcing == nil {
		cfg.Announcing = func([]pdp.Change) {}
	}
	return &Relay{Stream: cfg.Stream, cfg: cfg, confirmed: time.Now(), lost: errors.New("the stream is not followed yet"), changed: make(chan struct{}, 1)}
}

// Status returns who listens now.
func (r *Relay) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.status
	s.Alone = r.alone
	if l := r.listens; l != nil {
		s.Leading = l.leads()
		s.Standby = !s.Leading
	}
	return s
}

// wake lets Watch look at what has changed.
func (r *Relay) wake() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// Follow implements [membership.Stream].
func (r *Relay) Follow(ctx context.Context, handler membership.StreamHandler) {
	r.Stream.Follow(ctx, streamHandler{handler, r})
}

// streamHandler passes the stream on, and lets the relay see it.
type streamHandler struct {
	membership.StreamHandler
	r *Relay
}

var _ membership.LeadershipObserver = streamHandler{}

func (h streamHandler) Began(at, floor membership.Position, tail []membership.Announcement, asOf time.Time) {
	h.StreamHandler.Began(at, floor, tail, asOf)
	h.r.mu.Lock()
	defer h.r.mu.Unlock()
	h.r.lost = nil
	h.r.follower.resume(at, floor)
	if l := h.r.listens; l != nil {
		l.resumed(at, tail)
	}
}

func (h streamHandler) Changed(a membership.Announcement) {
	h.StreamHandler.Changed(a)
	h.r.mu.Lock()
	defer h.r.mu.Unlock()
	h.r.follower.at = a.At
	if l := h.r.listens; l != nil {
		l.reported(a.Changes)
	}
}

func (h streamHandler) Lost(err error) {
	h.StreamHandler.Lost(err)
	h.r.mu.Lock()
	defer h.r.mu.Unlock()
	h.r.lost, h.r.vacant, h.r.noStandby = err, false, false
	h.r.wake()
}

// ownHandler receives the origin's changes while this sidecar listens for itself. After that it receives nothing that counts.
type ownHandler struct{ r *Relay }

func (h ownHandler) Began(at time.Time, history string) {
	h.ifAlone(func(r *Relay) {
		r.own = subscription{since: at, watermark: at, history: history}
		r.began(at, history)
	})
}

func (h ownHandler) Changed(changes []pdp.Change) {
	h.ifAlone(func(r *Relay) { r.handler.Changed(changes) })
}

func (h ownHandler) Heartbeat(at time.Time) {
	h.ifAlone(func(r *Relay) {
		r.own.watermark = at
		r.heartbeat(at)
	})
}

func (h ownHandler) Lost(err error) {
	h.ifAlone(func(r *Relay) {
		r.own = subscription{}
		r.lose(err)
	})
}

func (h ownHandler) ifAlone(do func(*Relay)) {
	h.r.mu.Lock()
	defer h.r.mu.Unlock()
	if h.r.alone {
		do(h.r)
	}
}

// began, heartbeat and lose tell the handler. The caller must hold the lock.
func (r *Relay) began(at time.Time, history string) {
	r.reported, r.confirmed = true, time.Now()
	r.handler.Began(at, history)
}

func (r *Relay) heartbeat(at time.Time) {
	r.confirmed, r.failure = time.Now(), nil
	r.handler.Heartbeat(at)
}

func (r *Relay) lose(err error) {
	r.reported, r.follower.since = false, time.Time{}
	r.handler.Lost(err)
}
