package relay

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// lead listens to the origin for all, if nobody else does, until this fails or ctx ends. The error says why it failed; it is
// nil if another sidecar leads, or ctx has ended.
func (r *Relay) lead(ctx context.Context) error {
	select { // all sidecars see at once that nobody leads
	case <-time.After(rand.N(r.cfg.Lease / 10)):
	case <-ctx.Done():
		return nil
	}
	term, err := r.cfg.Election.Campaign(ctx)
	if err != nil || term == nil {
		return nil // why Redis does not answer is seen by the stream
	}
	r.cfg.Logger.Info("listening to the database for all sidecars", "term", term.Number)
	leading, cancel := context.WithCancel(ctx)
	defer cancel()
	l := &leadership{r: r, term: term, ctx: leading, cancel: cancel, through: term.At}
	l.flushed.L = &l.mu
	r.setLeads(l)
	defer r.setLeads(nil)
	renewing := start(leading, l.renew)
	r.cfg.Watcher.Watch(leading, l)
	renewing.end()
	err = l.failure()
	if !errors.Is(err, membership.ErrDeposed) {
		_ = r.cfg.Election.Resign(context.WithoutCancel(ctx), term) // otherwise the lease expires
	}
	r.cfg.Logger.Info("no longer listening to the database for all sidecars", "term", term.Number, "reason", reason(err))
	if errors.Is(err, membership.ErrDeposed) {
		return nil
	}
	return err
}

func reason(err error) string {
	if err == nil {
		return "this sidecar ends"
	}
	return err.Error()
}

func (r *Relay) setLeads(l *leadership) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.leads = l; l != nil {
		r.status.Takeovers++
	}
}

// errOtherEpoch ends a term: nobody who follows the stream now would believe what it attests.
var errOtherEpoch = errors.New("the stream of changes has another epoch")

// maxPending limits the changes that wait to be put into the stream. When it is reached, the origin has to wait.
const maxPending = 10 * membership.MaxChanges

// leadership is one term of this sidecar. It receives the origin's changes.
type leadership struct {
	r      *Relay
	term   *membership.Term
	ctx    context.Context
	cancel func()

	// Only of the goroutine that watches the origin.
	history string
	round   uint64    // the last that was started; 0: none
	asked   time.Time // before it was started
	started time.Time // after it was

	mu       sync.Mutex
	pending  []pdp.Change // not in the stream yet
	flushing bool
	flushed  sync.Cond
	through  membership.Position // of the last change put into the stream
	err      error               // why the term is over
}

var _ membership.HeartbeatObserver = (*leadership)(nil)

// Began implements [membership.ChangeHandler].
func (l *leadership) Began(_ time.Time, history string) { l.history = history }

// Changed implements [membership.ChangeHandler]. What arrives while changes are put into the stream goes there together.
func (l *leadership) Changed(changes []pdp.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.pending) >= maxPending && l.err == nil {
		l.flushed.Wait()
	}
	l.pending = append(l.pending, changes...)
	if !l.flushing {
		l.flushing = true
		go l.flush()
	}
}

// flush puts changes into the stream until none is left.
func (l *leadership) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.pending) > 0 && l.err == nil {
		n := min(len(l.pending), membership.MaxChanges)
		changes := l.pending[:n:n]
		l.pending = l.pending[n:]
		l.mu.Unlock()
		at, err := l.r.Stream.Announce(l.ctx, changes)
		l.mu.Lock()
		if err == nil && at.Epoch != l.term.At.Epoch {
			err = errOtherEpoch
		}
		if err != nil {
			l.failLocked(err)
			break
		}
		l.through = at
		l.flushed.Broadcast()
	}
	l.flushing = false
	l.flushed.Broadcast()
}

// HeartbeatStarts implements [membership.HeartbeatObserver]. It starts the round that the next heartbeat completes.
func (l *leadership) HeartbeatStarts() {
	l.round, l.asked = 0, time.Now()
	round, err := l.r.cfg.Election.StartRound(l.ctx, l.term)
	if err != nil {
		l.check(err)
		return
	}
	l.round, l.started = round, time.Now()
}

// Heartbeat implements [membership.ChangeHandler]. When everything that was heard is in the stream, it publishes the watermark.
func (l *leadership) Heartbeat(at time.Time) {
	if l.round == 0 || at.Before(l.started) {
		return
	}
	l.mu.Lock()
	for l.flushing && l.err == nil {
		l.flushed.Wait()
	}
	through, err := l.through, l.err
	l.mu.Unlock()
	if err == nil {
		l.check(l.r.cfg.Election.Attest(l.ctx, l.term, membership.Watermark{Term: l.term.ID, Round: l.round, Through: through, History: l.history, At: l.asked}))
	}
}

// Lost implements [membership.ChangeHandler].
func (l *leadership) Lost(err error) { l.fail(err) }

// check ends the term if another one has begun. Other errors can pass before the lease is over.
func (l *leadership) check(err error) {
	if errors.Is(err, membership.ErrDeposed) {
		l.fail(err)
	}
}

// renew renews the lease, also while the origin delivers more changes than fit between two heartbeats.
func (l *leadership) renew(ctx context.Context) {
	for renewed := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(l.r.cfg.Lease / 5):
		}
		asked := time.Now()
		_, err := l.r.cfg.Election.StartRound(ctx, l.term)
		if err == nil {
			renewed = asked
			continue
		}
		l.check(err)
		if membership.Elapsed(time.Now(), renewed) > l.r.cfg.Lease {
			l.fail(err)
		}
	}
}

func (l *leadership) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failLocked(err)
}

func (l *leadership) failLocked(err error) {
	if l.err == nil && l.ctx.Err() == nil {
		l.err = err
	}
	l.cancel()
	l.flushed.Broadcast()
}

func (l *leadership) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}
