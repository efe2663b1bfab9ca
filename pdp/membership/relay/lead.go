package relay

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// errOtherEpoch ends a term: nobody who follows the stream now would believe what it attests.
var errOtherEpoch = errors.New("the stream of changes has another epoch")

// maxPending limits the changes that wait to be put into the stream. When it is reached, the origin has to wait.
const maxPending = 10 * membership.MaxChanges

// listener receives the origin's changes for all sidecars, as their leader or as the standby.
type listener struct {
	r      *Relay
	ctx    context.Context
	cancel func()

	// Only of the goroutine that watches the origin.
	history string
	round   uint64    // the last that was started; 0: none
	asked   time.Time // before it was started
	started time.Time // after it was

	mu        sync.Mutex
	term      *membership.Term
	pending   []pdp.Change // not in the stream yet
	flushing  bool
	flushed   sync.Cond
	through   membership.Position // of the last change put into the stream
	err       error               // why the term is over
	beginning beginning
	standby   standby
}

// beginning is what the watermarks of a leader say of when it began to listen.
type beginning struct {
	since uint64    // see [membership.Watermark]; 0: nothing
	began time.Time // before which it had begun, by the clock of each sidecar
	epoch string    // of the stream
}

// newBeginning returns that of who listens now, and what it has heard before is in the stream or will be. The round has not been
// started yet, or by this sidecar. The clocks of sidecars agree to within a lease. The caller must hold the lock.
func (l *listener) newBeginning(round uint64) beginning {
	return beginning{round, time.Now().Add(l.r.cfg.Lease), l.term.At.Epoch}
}

var _ membership.HeartbeatObserver = (*listener)(nil)

func newListener(r *Relay, ctx context.Context, cancel func(), term *membership.Term) *listener {
	l := &listener{r: r, ctx: ctx, cancel: cancel, term: term, through: term.At, standby: newStandby()}
	l.flushed.L = &l.mu
	l.log("listening to the database for all sidecars", "ready to listen to the database for all sidecars")
	return l
}

// current returns the term of the role that this sidecar has.
func (l *listener) current() *membership.Term {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.term
}

func (l *listener) leads() bool { return l.current().Role == membership.Leader }

func (l *listener) log(leading, standingBy string, attrs ...any) {
	t, text := l.current(), leading
	if t.Role == membership.Standby {
		text = standingBy
	}
	l.r.cfg.Logger.Info(text, append([]any{"term", t.Number}, attrs...)...)
}

// Began implements [membership.ChangeHandler].
func (l *listener) Began(_ time.Time, history string) {
	l.history = history
	l.mu.Lock()
	defer l.mu.Unlock()
	l.standby.began = time.Now()
}

// Changed implements [membership.ChangeHandler]. What arrives while changes are put into the stream goes there together.
func (l *listener) Changed(changes []pdp.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.term.Role == membership.Standby {
		l.standByFor(changes)
		return
	}
	for len(l.pending) >= maxPending && l.err == nil {
		l.flushed.Wait()
	}
	l.put(changes)
}

// put lets changes be put into the stream. The caller must hold the lock.
func (l *listener) put(changes []pdp.Change) {
	l.pending = append(l.pending, changes...)
	if !l.flushing {
		l.flushing = true
		go l.flush()
	}
}

// flush puts changes into the stream until none is left.
func (l *listener) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.pending) > 0 && l.err == nil {
		n := min(len(l.pending), membership.MaxChanges)
		changes := l.pending[:n:n]
		l.pending = l.pending[n:]
		l.mu.Unlock()
		at, err := l.announce(changes)
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

func (l *listener) announce(changes []pdp.Change) (membership.Position, error) {
	l.r.cfg.Announcing(changes)
	return l.r.Stream.Announce(l.ctx, changes)
}

// HeartbeatStarts implements [membership.HeartbeatObserver]. It starts the round that the next heartbeat completes.
func (l *listener) HeartbeatStarts() {
	l.round, l.asked = 0, time.Now()
	term := l.current()
	if term.Role == membership.Standby {
		return
	}
	round, err := l.r.cfg.Election.StartRound(l.ctx, term)
	if err != nil {
		l.check(err)
		return
	}
	l.round, l.started = round, time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.beginning.since == 0 {
		l.beginning = l.newBeginning(round)
	}
}

// Heartbeat implements [membership.ChangeHandler]. When everything that was heard is in the stream, it publishes the watermark.
func (l *listener) Heartbeat(at time.Time) {
	if l.round == 0 || at.Before(l.started) {
		return
	}
	l.mu.Lock()
	for l.flushing && l.err == nil {
		l.flushed.Wait()
	}
	term, err := l.term, l.err
	w := membership.Watermark{Term: term.ID, Round: l.round, Through: l.through, History: l.history, Since: l.beginning.since, At: l.asked, Began: l.beginning.began}
	l.mu.Unlock()
	if err == nil {
		l.check(l.r.cfg.Election.Attest(l.ctx, term, w))
	}
}

// Lost implements [membership.ChangeHandler].
func (l *listener) Lost(err error) { l.fail(err) }

// check ends the term if another one has begun. Other errors can pass before the lease is over.
func (l *listener) check(err error) {
	if errors.Is(err, membership.ErrDeposed) {
		l.fail(err)
	}
}

// renewals is how often the lease of a role is renewed in [Config.Lease].
const renewals = 10

// renew renews the lease, also while the origin delivers more changes than fit between two heartbeats. A standby leads once nobody
// else does.
func (l *listener) renew(ctx context.Context) {
	due := time.NewTicker(l.r.cfg.Lease / renewals)
	defer due.Stop()
	for renewed := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-due.C:
		}
		asked := time.Now()
		_, err := l.r.cfg.Election.StartRound(ctx, l.current())
		if err == nil {
			renewed = asked
			l.lead(ctx)
			continue
		}
		l.check(err)
		if membership.Elapsed(time.Now(), renewed) > l.r.cfg.Lease {
			l.fail(err)
		}
	}
}

func (l *listener) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failLocked(err)
}

func (l *listener) failLocked(err error) {
	if l.err == nil && l.ctx.Err() == nil {
		l.err = err
	}
	l.cancel()
	l.flushed.Broadcast()
}

func (l *listener) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}
