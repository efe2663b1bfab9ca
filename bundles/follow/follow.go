package follow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// Gate checks a revision before it becomes active. It changes nothing. An error refuses the revision; a
// [*bundles.Refusal] says why. Gates are called one at a time, and must return when ctx ends.
type Gate func(ctx context.Context, r *bundles.Revision) (Candidate, error)

// Candidate is a revision that has passed the gate.
type Candidate interface {
	// Commit makes the revision the one that decides. It is called at most once, after the revision was saved to disk,
	// and not at all if it cannot be saved.
	Commit()
}

// Config is what a follower is made of.
type Config struct {
	Origin     *Origin
	Entrypoint string
	Schema     []byte       // as in [bundles.Config]
	Gate       Gate         // one at a time is asked
	Logger     *slog.Logger // nil: slog.Default()
	// StartTimeout is how long the start waits for a first bundle from the network; 0 means 10 s.
	StartTimeout time.Duration

	open func(context.Context, bundles.Config) (*bundles.Revision, error) // [bundles.Open]; tests take their time
}

// Follower keeps a policy up to date with its origin. What it finds is verified, compiled, put to the gate and kept on
// disk before it becomes active; whatever fails on the way changes nothing. It is safe for concurrent use.
type Follower struct {
	cfg    Config
	source source
	log    *slog.Logger

	// What follows belongs to the one goroutine that attempts.
	keep     *keeper
	seen     seen      // the state of the source that was judged last
	good     bool      // whether that is the active revision
	keys     string    // the fingerprint of what it was verified by
	failures int       // in a row
	keptTold string    // why the bundle on disk is not used, as it was last told
	gaveBack time.Time // when memory was last given back
	stale    bool      // as it was last told
	late     compiling

	mu        sync.Mutex // guards the rest
	status    Status
	confirmed atomic.Pointer[time.Time] // when the source last had the active revision; nil where none is active

	stop  context.CancelFunc
	done  chan struct{}
	renew chan struct{} // ends the pause before the next attempt
}

// Start begins to follow an origin. A path must have a good policy at once, or else one must have been kept on disk. A
// server may be down: then the last good bundle serves, and where there is none either, nothing is decided until one comes.
func Start(ctx context.Context, cfg Config) (*Follower, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.open == nil {
		cfg.open = bundles.Open
	}
	if cfg.StartTimeout <= 0 {
		cfg.StartTimeout = 10 * time.Second
	}
	keep, err := openKeeper(cfg.Origin.stateDir)
	if err != nil {
		return nil, err
	}
	f := &Follower{cfg: cfg, source: cfg.Origin.source, log: cfg.Logger, keep: keep, done: make(chan struct{}), renew: make(chan struct{}, 1)}
	f.status.Refused = map[bundles.Reason]uint64{}
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
			waiting, cancel := context.WithTimeout(ctx, f.cfg.StartTimeout)
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
			case <-f.renew:
			}
		}
		if _ = f.attempt(ctx); f.active() == nil && ctx.Err() == nil { // its error is logged
			f.loadKept(ctx) // what spoke against it may have been mended
		}
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

// Renew has the source asked now, or again where that is going on, over a new connection.
func (f *Follower) Renew() {
	if s, ok := f.source.(interface{ renew() }); ok {
		s.renew()
	}
	select {
	case f.renew <- struct{}{}:
	default: // it is asked for already
	}
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
	if keys := f.cfg.Origin.verifying().Fingerprint(); keys != f.keys { // what was said of a bundle was said by other keys
		f.seen, f.good, f.keys = seen{}, false, keys
	}
	found, err := f.source.fetch(ctx, f.seen)
	if err == nil && found.nothing() {
		f.unchanged(found.tag, began)
		return nil
	}
	if !found.nothing() {
		defer f.giveBack()
	}
	if err == nil {
		err = f.take(ctx, found, began)
	}
	switch {
	case err == nil:
	case errors.Is(ctx.Err(), context.Canceled):
		return err // told to stop, not failed
	case ctx.Err() != nil && !found.nothing(): // no word on the bundle
		err = unreached(errors.New("it could not be judged in the time that the start waits"))
	}
	if err != nil {
		f.refused(found, bundles.AsRefusal(err, bundles.Unavailable), began)
		return err
	}
	f.seen, f.good, f.failures = seen{found.tag, true}, true, 0
	return nil
}

// giveBack gives memory back to the system: a bundle takes many times its size to judge, and the next one may be days
// away. Where one comes upon the other, the collector's own pace will do.
func (f *Follower) giveBack() {
	if time.Since(f.gaveBack) > 10*time.Second {
		debug.FreeOSMemory()
		f.gaveBack = time.Now()
	}
}

// take makes what was found active, or says why not.
func (f *Follower) take(ctx context.Context, found fetched, began time.Time) error {
	r, err := f.open(ctx, found)
	if err != nil {
		return err
	}
	if active := f.active(); active != nil && active.ID == r.ID {
		// Signed or packed anew: nothing is to be decided otherwise.
		if err := f.keep.keep(r, found, r.Source); err != nil {
			return &bundles.Refusal{Reason: bundles.NotSaved, Temporary: true, Err: err}
		}
		f.confirm(began)
		return nil
	}
	candidate, err := f.gate(ctx, r)
	if err != nil {
		refusal := bundles.AsRefusal(err, bundles.Vetoed)
		refusal.Verified = r.Verified
		return refusal
	}
	if err := f.keep.keep(r, found, r.Source); err != nil {
		return &bundles.Refusal{Reason: bundles.NotSaved, Temporary: true, Err: err}
	}
	candidate.Commit()
	f.activated(r, began, false)
	return nil
}

// gate asks the gate. One that panics has not let anything through.
func (f *Follower) gate(ctx context.Context, r *bundles.Revision) (candidate Candidate, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = bundles.Refusef(bundles.Vetoed, "policies %s: it cannot be tried: %v", r.Source, cause)
		}
	}()
	judging, cancel := context.WithTimeout(ctx, f.cfg.Origin.judging)
	defer cancel()
	if candidate, err = f.cfg.Gate(judging, r); err != nil {
		refusal := bundles.AsRefusal(err, bundles.Vetoed)
		if judging.Err() != nil { // a machine under load may need longer than this time
			refusal.Temporary, refusal.Err = true, fmt.Errorf("policies %s: it cannot be tried within %s: %w", r.Source, f.cfg.Origin.judging, err)
		}
		return nil, refusal
	}
	return candidate, nil
}

// maxLate is how many bundles may be compiled beyond the time that judging may take.
const maxLate = 4

// open verifies and compiles a bundle, for as long as judging may take. A compiler cannot be told to stop: one that is
// given up ends by itself, and what it gives is thrown away. Until then the same bundle is not given to another one.
func (f *Follower) open(ctx context.Context, found fetched) (r *bundles.Revision, err error) {
	kept := keeper{state: f.keep.state}
	cfg := bundles.Config{
		Archive: found.archive, Raw: found.raw, Source: f.source.String(), Entrypoint: f.cfg.Entrypoint, Schema: f.cfg.Schema,
		Verification: f.cfg.Origin.verifying(), Limits: f.cfg.Origin.limits, CheckRelease: kept.admits,
	}
	sum := found.digest()
	late := &bundles.Refusal{Reason: bundles.Compile, Temporary: true, Err: fmt.Errorf("policies %s: it does not compile within %s", cfg.Source, f.cfg.Origin.judging)}
	if !f.late.begin(sum) {
		return nil, late
	}
	done := make(chan func(), 1)
	go func() {
		opened, fault := f.cfg.open(ctx, cfg)
		f.late.end(sum)
		done <- func() { r, err = opened, fault }
	}()
	select {
	case take := <-done:
		take()
		return r, err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(f.cfg.Origin.judging):
		return nil, late
	}
}

// compiling are the bundles that are being compiled, by their digests.
type compiling struct {
	mu  sync.Mutex
	all map[string]bool
}

// begin says no where this bundle is being compiled already, or too many are.
func (c *compiling) begin(sum string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all[sum] || len(c.all) >= maxLate {
		return false
	}
	if c.all == nil {
		c.all = map[string]bool{}
	}
	c.all[sum] = true
	return true
}

func (c *compiling) end(sum string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.all, sum)
}

// loadKept activates the last good bundle of this origin, judged anew as if it had just come.
func (f *Follower) loadKept(ctx context.Context) {
	record := f.keep.state
	if record.Source != f.source.String() {
		return
	}
	raw, err := f.keep.archive(f.cfg.Origin.limits)
	if raw == nil && err == nil {
		return
	}
	var r *bundles.Revision
	if err == nil {
		r, err = f.open(ctx, fetched{raw: raw})
	}
	var candidate Candidate
	if err == nil {
		candidate, err = f.gate(ctx, r)
	}
	if err == nil && r.ID != record.ID {
		// The process died between bundle and record: as long as the record is behind, an older release would be let in.
		if err = f.keep.catchUp(r); err != nil {
			err = bundles.Refuse(bundles.NotSaved, err)
		}
	}
	if err != nil {
		f.keptFault(bundles.AsRefusal(err, bundles.Vetoed))
		return
	}
	confirmed := record.Confirmed
	if r.ID == record.ID {
		f.seen, f.good, f.keys = seen{record.Tag, true}, true, f.cfg.Origin.verifying().Fingerprint()
	}
	candidate.Commit()
	if now := time.Now(); confirmed.After(now) {
		confirmed = now // the clock was set back
	}
	f.activated(r, confirmed, true)
}

// keptFault tells why the bundle on disk is not used: once, as long as it stays the same.
func (f *Follower) keptFault(r *bundles.Refusal) {
	if text := r.Error(); text != f.keptTold {
		f.keptTold = text
		f.log.Error("the policy kept on disk is not used", "reason", r.Reason, "error", r.Err)
	}
}

func (f *Follower) active() *bundles.Revision {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status.Active
}
