package bundles

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Gate is the last word on a revision before it becomes active: it may ask it whatever it likes. An error refuses it;
// one with a reason of its own is a [*Refusal]. Otherwise one of the functions is called, once: activate where the
// revision is kept and from now on decides, abandon where it could not be kept.
type Gate func(ctx context.Context, r *Revision) (activate, abandon func(), err error)

// FollowConfig is what a follower is made of.
type FollowConfig struct {
	Origin     *Following
	Entrypoint string
	Schema     []byte       // as in [Config]
	Gate       Gate         // one at a time is asked
	Logger     *slog.Logger // nil: slog.Default()
	// Patience is how long the start waits for a first bundle from the network; 0 means 10 s.
	Patience time.Duration
}

// Follower keeps a policy up to date with its origin. What it finds is verified, compiled, put to the gate and kept on
// disk before it becomes active; whatever fails on the way changes nothing. It is safe for concurrent use.
type Follower struct {
	cfg    FollowConfig
	source source
	log    *slog.Logger

	// What follows belongs to the one goroutine that attempts.
	keep     *keeper
	seen     string  // the state of the source that was judged last
	good     bool    // whether that is the active revision
	verdict  Attempt // on that, where it is not
	failures int     // in a row
	stale    bool    // as it was last told

	mu        sync.Mutex // guards the rest
	status    Status
	confirmed atomic.Pointer[time.Time] // when the source last had the active revision; nil where none is active

	stop context.CancelFunc
	done chan struct{}
}

// Follow begins to follow an origin. A path must have a good policy at once, or else one must have been kept on disk. A
// server may be down: then the last good bundle serves, and where there is none either, nothing is decided until one comes.
func Follow(ctx context.Context, cfg FollowConfig) (*Follower, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Patience <= 0 {
		cfg.Patience = 10 * time.Second
	}
	keep, err := openKeeper(cfg.Origin.stateDir)
	if err != nil {
		return nil, err
	}
	f := &Follower{cfg: cfg, source: cfg.Origin.source, log: cfg.Logger, keep: keep, done: make(chan struct{})}
	f.status.Refused = map[Reason]uint64{}
	if err := f.begin(ctx); err != nil {
		keep.close()
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	f.stop = stop
	go f.run(running)
	return f, nil
}

// begin takes the first revision: from disk where the source is a server, which may be slow, or else from the source.
func (f *Follower) begin(ctx context.Context) error {
	if f.source.network() {
		f.loadKept(ctx)
		if f.active() == nil {
			waiting, cancel := context.WithTimeout(ctx, f.cfg.Patience)
			defer cancel()
			_ = f.attempt(waiting) // logged, and tried again
		}
		return ctx.Err()
	}
	err := f.attempt(ctx)
	if err == nil {
		return nil
	}
	if f.loadKept(ctx); f.active() == nil {
		return err
	}
	return nil
}

// run attempts until the follower is closed.
func (f *Follower) run(ctx context.Context) {
	defer close(f.done)
	for first := f.source.network() && f.status.Attempt.At.IsZero(); ; first = false {
		if !first { // a server has not been asked yet where the policy came from disk
			select {
			case <-ctx.Done():
				return
			case <-time.After(f.pause()):
			}
		}
		_ = f.attempt(ctx)
		f.tellStale()
	}
}

// pause is how long to wait before the next attempt: not beyond the time at which the policy gets stale, which is told.
func (f *Follower) pause() time.Duration {
	pause := f.source.pause(f.failures, f.status.Attempt.Outcome == Activated)
	if at := f.confirmed.Load(); at != nil && f.cfg.Origin.maxAge > 0 && !f.stale {
		pause = min(pause, max(time.Until(at.Add(f.cfg.Origin.maxAge)), 0)+time.Millisecond)
	}
	return pause
}

// Close stops following. The active revision can still be used.
func (f *Follower) Close() {
	f.stop()
	<-f.done
	f.keep.close()
}

// attempt asks the source once, and takes what it has if it is new and good.
func (f *Follower) attempt(ctx context.Context) error {
	began := time.Now()
	found, err := f.source.fetch(ctx, f.seen)
	if err == nil && found.archive == nil {
		if found.tag != "" {
			f.seen = found.tag
		}
		f.unchanged(began)
		return nil
	}
	if err == nil {
		err = f.take(ctx, found, began)
	}
	switch {
	case err == nil:
	case errors.Is(ctx.Err(), context.Canceled):
		return err // told to stop, not failed
	case ctx.Err() != nil && found.archive != nil: // no word on the bundle
		err = unreached(errors.New("it could not be judged in the time that the start waits"))
	}
	if err != nil {
		f.refused(found, refusalOf(err, Unreached), began)
		return err
	}
	f.seen, f.good, f.failures = found.tag, true, 0
	return nil
}

// take makes what was found active, or says why not.
func (f *Follower) take(ctx context.Context, found fetched, began time.Time) error {
	r, err := f.open(ctx, found.archive, f.source.String())
	if err != nil {
		return err
	}
	if active := f.active(); active != nil && active.ID == r.ID {
		// Signed or packed anew: nothing is to be decided otherwise.
		if err := f.keep.keep(r, found, r.Source); err != nil {
			return &Refusal{Reason: NotKept, Passing: true, Err: err}
		}
		f.confirm(began)
		return nil
	}
	activate, abandon, err := f.gate(ctx, r)
	if err != nil {
		return err
	}
	if err := f.keep.keep(r, found, r.Source); err != nil {
		abandon()
		return &Refusal{Reason: NotKept, Passing: true, Err: err}
	}
	activate()
	f.activated(r, began, false)
	return nil
}

// gate asks the gate. One that panics has not let anything through.
func (f *Follower) gate(ctx context.Context, r *Revision) (activate, abandon func(), err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = refuse(Vetoed, "policies %s: it cannot be tried: %v", r.Source, cause)
		}
	}()
	judging, cancel := context.WithTimeout(ctx, f.cfg.Origin.judging)
	defer cancel()
	if activate, abandon, err = f.cfg.Gate(judging, r); err != nil {
		refusal := refusalOf(err, Vetoed)
		if judging.Err() != nil { // a machine under load may need longer than this time
			refusal.Passing, refusal.Err = true, fmt.Errorf("policies %s: it cannot be tried within %s: %w", r.Source, f.cfg.Origin.judging, err)
		}
		return nil, nil, refusal
	}
	return activate, abandon, nil
}

func (f *Follower) open(ctx context.Context, a *Archive, source string) (*Revision, error) {
	return Open(ctx, Config{
		Archive: a, Source: source, Entrypoint: f.cfg.Entrypoint, Schema: f.cfg.Schema,
		Verification: f.cfg.Origin.verification, Limits: f.cfg.Origin.limits, admits: f.keep.admits,
	})
}

// loadKept activates the last good bundle of this origin, judged anew as if it had just come.
func (f *Follower) loadKept(ctx context.Context) {
	record := f.keep.state
	if record.Source != f.source.String() {
		return
	}
	_, archive, err := f.keep.archive(f.cfg.Origin.limits)
	if archive == nil && err == nil {
		return
	}
	var r *Revision
	if err == nil {
		r, err = f.open(ctx, archive, f.source.String())
	}
	var activate, abandon func()
	if err == nil {
		activate, abandon, err = f.gate(ctx, r)
	}
	if err != nil {
		f.log.Error("the policy kept on disk is not used", "reason", refusalOf(err, Vetoed).Reason, "error", err)
		return
	}
	confirmed := record.Confirmed
	if r.ID == record.ID {
		f.seen, f.good = record.Tag, true
	} else if err := f.keep.catchUp(r); err != nil {
		// The process died between bundle and record: as long as the record is behind, an older release would be let in.
		abandon()
		f.log.Error("the policy kept on disk is not used", "reason", NotKept, "error", err)
		return
	}
	activate()
	if now := time.Now(); confirmed.After(now) {
		confirmed = now // the clock was set back
	}
	f.activated(r, confirmed, true)
}

func (f *Follower) active() *Revision {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status.Active
}
