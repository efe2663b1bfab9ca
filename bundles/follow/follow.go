package follow

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp/outage"
)

// Gate checks a revision before it becomes active, and changes nothing. An error refuses the revision; a [*bundles.Refusal]
// says why. Gates are called one at a time, and must return when ctx ends.
type Gate func(ctx context.Context, r *bundles.Revision) (Candidate, error)

// Candidate is a revision that has passed the gate.
type Candidate interface {
	// Commit makes the revision the one that decides. It is called at most once, after the revision was saved to disk,
	// and not at all if it cannot be saved.
	Commit()
}

// Config configures a [Follower].
type Config struct {
	Source     *BundleSource
	Entrypoint string // as in [bundles.Config]
	Schema     []byte // as in [bundles.Config]
	Gate       Gate
	Logger     *slog.Logger // nil: slog.Default()
	// StartTimeout is how long [Start] waits for a first bundle from the network; 0 means 10 s.
	StartTimeout time.Duration

	open   func(context.Context, bundles.Config) (*bundles.Revision, error) // nil: [bundles.Open]; tests replace it
	random func(n int64) int64                                              // from 0 to n-1; nil: [rand.Int64N]; tests replace it
}

// Follower keeps a policy up to date with its source. Each bundle is verified, compiled, checked by the gate and saved to
// disk before it becomes active. If any of that fails, nothing changes. It is safe for concurrent use.
type Follower struct {
	cfg    Config
	source source
	log    *slog.Logger

	// These fields belong to the one goroutine that makes attempts.
	store          *stateStore
	seen           seen          // the state of the source that was checked last
	seenActive     bool          // whether seen is the active revision
	keys           string        // the fingerprint of the keys that seen was checked under
	failures       int           // in a row
	savedFault     string        // why the bundle on disk is not used, as last logged
	memoryReleased time.Time     // when memory was last released
	loggedStale    bool          // whether the policy was stale when that was last logged
	unavailable    outage.Outage // of the source
	unsaved        outage.Outage // of the disk
	compiling      compiling

	mu        sync.Mutex // guards status
	status    Status
	confirmed atomic.Pointer[time.Time] // when the source last had the active revision; nil if none is active

	stop context.CancelFunc
	done chan struct{}
	wake chan struct{} // ends the pause before the next attempt
}

// Start begins to follow a source. A path must have a good policy at once, unless one was saved on disk. A server may be
// down: then the last good bundle serves, and without one nothing is decided until a good one arrives.
func Start(ctx context.Context, cfg Config) (*Follower, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.open == nil {
		cfg.open = bundles.Open
	}
	if cfg.random == nil {
		cfg.random = rand.Int64N
	}
	if cfg.StartTimeout <= 0 {
		cfg.StartTimeout = 10 * time.Second
	}
	store, err := openStateStore(cfg.Source.stateDir)
	if err != nil {
		return nil, err
	}
	f := &Follower{cfg: cfg, source: cfg.Source.source, log: cfg.Logger, store: store, done: make(chan struct{}), wake: make(chan struct{}, 1)}
	f.status.Refused = map[bundles.Reason]uint64{}
	if err := f.begin(ctx); err != nil {
		store.close()
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	f.stop = stop
	go f.run(running)
	return f, nil
}

// begin activates the first revision: from disk if the source is a server, which may be slow, or if what the source has now must be
// approved against what was in force, and otherwise from the source.
func (f *Follower) begin(ctx context.Context) error {
	if f.source.remote() {
		f.loadSaved(ctx)
		if f.active() == nil {
			waiting, cancel := context.WithTimeout(ctx, f.cfg.StartTimeout)
			defer cancel()
			_ = f.attempt(waiting) // attempt logs the error, and run tries again
		}
		return ctx.Err()
	}
	if f.cfg.Source.approval {
		f.loadSaved(ctx)
	}
	err := f.attempt(ctx)
	if err == nil {
		return nil
	}
	if f.active() == nil {
		f.loadSaved(ctx)
	}
	if f.active() == nil {
		return err
	}
	return nil
}

// run makes attempts until the follower is closed.
func (f *Follower) run(ctx context.Context) {
	defer close(f.done)
	for first := f.source.remote() && f.status.Attempt.At.IsZero(); ; first = false {
		if !f.wait(ctx, f.pause(first)) {
			return
		}
		if _ = f.attempt(ctx); f.active() == nil && ctx.Err() == nil { // attempt logs its error
			f.loadSaved(ctx) // the cause may have been repaired
		}
		f.logStale()
	}
}

// wait waits before the next attempt. It returns false when the follower is closed. The pause ends when the policy becomes stale.
// That is looked for every second, since no timer notices a clock that is set or a machine that was suspended.
func (f *Follower) wait(ctx context.Context, pause time.Duration) bool {
	over := time.NewTimer(pause)
	defer over.Stop()
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-over.C:
			return true
		case <-f.wake:
			return true
		case <-look.C:
			if !f.loggedStale && f.Stale() {
				f.logStale()
				return true
			}
		}
	}
}

// maxFirstPause is the longest pause before a server is asked for the first time, if a policy from disk decides meanwhile.
const maxFirstPause = 10 * time.Second

// maxUselessPause is the longest pause while nothing is decided, because there is no policy or it is stale. Half of it is added by
// chance.
const maxUselessPause = 2 * time.Second

// pause returns how long to wait before the next attempt; first says that there was none, since the policy came from disk.
// A policy that is stale then is not waited with.
func (f *Follower) pause(first bool) time.Duration {
	between := f.source.pause(f.failures, f.status.Attempt.Outcome == Activated)
	if first {
		between = interval{0, min(between.min, maxFirstPause)}
	}
	switch {
	case first && f.Stale():
		return 0
	case f.source.remote() && (f.active() == nil || f.Stale()):
		between.min = min(between.min, maxUselessPause)
		between.max = min(between.max, maxUselessPause+maxUselessPause/2)
	}
	return between.min + time.Duration(f.cfg.random(int64(between.max-between.min)+1))
}

// Renew asks the source now, over a new connection. If a request is in flight, another follows it.
func (f *Follower) Renew() {
	if s, ok := f.source.(interface{ renew() }); ok {
		s.renew()
	}
	select {
	case f.wake <- struct{}{}:
	default: // one is already pending
	}
}

// Close stops following, and waits until it has stopped. The active revision can still be used.
func (f *Follower) Close() {
	f.stop()
	<-f.done
	f.store.close()
}

func (f *Follower) active() *bundles.Revision {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status.Active
}
