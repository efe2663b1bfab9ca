package relay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

var errNoLeader = errors.New("no sidecar proves that it listens to the origin for all")

const (
	// maxPause limits how long a sidecar that could not listen for all leaves it to others.
	maxPause = 8 * time.Second
	// takeoverLeases is after how many leases without a proof the leader's subscription is lost. Nothing is confirmed after one, but until
	// then the standby can go on with it.
	takeoverLeases = 4
)

// Watch implements [membership.Watcher]. The handler is told what the leader proves. While nobody leads, or stands by, this sidecar
// tries to. After some leases without a proof it listens for itself alone, until there is a leader again.
func (r *Relay) Watch(ctx context.Context, handler membership.ChangeHandler) {
	r.mu.Lock()
	r.handler = handler
	r.mu.Unlock()
	w := watch{r: r, ctx: ctx, pause: r.cfg.Lease / 2, patience: r.patience()}
	defer w.end()
	for ctx.Err() == nil {
		w.step()
		select {
		case <-ctx.Done():
		case <-r.changed:
		case err := <-w.listens:
			w.listened(err)
		case <-time.After(r.cfg.Lease / 5):
		}
	}
}

// watch is what one call of Watch does.
type watch struct {
	r        *Relay
	ctx      context.Context
	patience time.Duration // how long to wait for a proof before listening alone
	alone    *task         // listens for this sidecar; nil while it does not
	listens  chan error    // delivers why this sidecar no longer listens for all; nil while it does not
	pause    time.Duration // after the next failure to do so
	notUntil time.Time     // when to try again
}

// task is something in progress.
type task struct {
	cancel func()
	done   chan struct{}
}

func start(ctx context.Context, f func(context.Context)) *task {
	ctx, cancel := context.WithCancel(ctx)
	t := &task{cancel, make(chan struct{})}
	go func() {
		defer close(t.done)
		f(ctx)
	}()
	return t
}

func (t *task) end() {
	if t != nil {
		t.cancel()
		<-t.done
	}
}

// patience returns how long to wait before listening alone. It is not the same for all sidecars, which would connect to the
// database at once.
func (r *Relay) patience() time.Duration { return r.cfg.Lease + rand.N(4*r.cfg.Lease) }

// hopeless reports whether there will hardly be a proof of the leader: the stream is lost, or the same sidecar has been leading
// without one. Where sidecars try in vain to lead, the database has no connections for all of them. The caller must hold the
// lock.
func (r *Relay) hopeless(now time.Time, patience time.Duration) bool {
	if r.lost == nil {
		patience += 2 * r.cfg.Lease
		if membership.Elapsed(now, r.campaigned) <= patience {
			return false
		}
	}
	return membership.Elapsed(now, r.confirmed) > patience
}

// step does what is due.
func (w *watch) step() {
	r := w.r
	r.mu.Lock()
	now := time.Now()
	begins := !r.alone && r.hopeless(now, w.patience)
	if r.reported && !r.alone && (begins || membership.Elapsed(now, r.confirmed) > takeoverLeases*r.cfg.Lease) {
		r.lose(r.missing())
	}
	if begins {
		r.alone, r.own, r.follower.since = true, subscription{}, time.Time{}
		r.cfg.Logger.Warn("no sidecar is known to listen to the database for all: this one listens alone", "error", r.missing())
	}
	alone := r.alone
	_, wanted := r.wanted()
	campaigns := wanted && w.listens == nil && now.After(w.notUntil)
	r.mu.Unlock()
	if begins {
		w.patience = r.patience()
		w.alone = start(w.ctx, func(ctx context.Context) { r.cfg.Watcher.Watch(ctx, ownHandler{r}) })
	}
	if !alone && w.alone != nil {
		w.alone.end()
		w.alone = nil
		r.cfg.Logger.Info("another sidecar listens to the database for all: no longer listening alone")
	}
	if campaigns {
		w.listens = make(chan error, 1)
		go func(ended chan<- error) { ended <- r.listenForAll(w.ctx) }(w.listens)
	}
}

// missing returns why nothing is proven. The caller must hold the lock.
func (r *Relay) missing() error {
	switch {
	case r.failure != nil:
		return r.failure
	case r.lost != nil:
		return fmt.Errorf("%w: %w", errNoLeader, r.lost)
	}
	return errNoLeader
}

// listened notes that a term of this sidecar has ended, or that it did not come to one.
func (w *watch) listened(err error) {
	w.listens = nil
	if err == nil {
		w.pause = w.r.cfg.Lease / 2
		return
	}
	w.notUntil = time.Now().Add(w.pause/2 + rand.N(w.pause))
	w.pause = min(2*w.pause, maxPause)
	r := w.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failure = err; !r.reported {
		r.lose(err)
	}
}

// end waits for what is in progress.
func (w *watch) end() {
	w.alone.end()
	if w.listens != nil {
		<-w.listens
	}
}
