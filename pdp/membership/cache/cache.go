package cache

import (
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"golang.org/x/sync/singleflight"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/freshness"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// Config is what a cached source is made of. Origin is required; a duration or size of 0 means the default.
type Config struct {
	Origin     membership.Origin
	Store      membership.Store  // shared by sidecars, closed with the cache; nil together with Stream for this process alone
	Stream     membership.Stream // by which sidecars tell each other of changes
	Vocabulary pdp.Vocabulary    // of the active policy
	// Announced is the operator's promise that every change of the origin is announced ([Cache.Announce], here or at another
	// sidecar with the same Redis), so that a live stream vouches for facts. Without it announcements end the use of what they
	// concern all the same, and facts live by their age, unless the origin is a [membership.Watcher].
	Announced bool

	MaxAgeChange time.Duration // of facts that are not vouched for, in a question about changing something; 0 means 5 s
	MaxAgeUse    time.Duration // and about using something; 0 means 60 s
	Lease        time.Duration // how long nothing may be heard before nothing is vouched for; 0 means 1 s
	TTL          time.Duration // the longest life of a fact, however well vouched for; 0 means 10 min
	NegativeTTL  time.Duration // and of the fact that there is no such record; 0 means 30 s
	FetchTimeout time.Duration // of everything that one fact takes; 0 means 2 s
	Memory       int           // bytes of the in-process tier; 0 means 256 MiB
	Logger       *slog.Logger  // nil: slog.Default()
}

// Cache is a source over an origin: an in-process tier, over one that sidecars share, over the origin itself. What it
// gives is as new as the question needs, or an error (README, "Freshness").
type Cache struct {
	cfg    Config
	origin membership.Origin
	store  membership.Store  // nil: this process alone
	stream membership.Stream // nil: this process alone
	log    *slog.Logger

	validator  atomic.Pointer[record.Validator]
	tracker    *freshness.Tracker
	memory     *memory
	orgIndex   orgIndex
	histories  histories
	quarantine *quarantine
	flights    singleflight.Group
	check      atomic.Pointer[lastCheck] // nil before the first
	counters   counters
	instance   string // names this process in tokens, where nothing is shared

	finding chan struct{} // has room for each of the finders

	puts   chan put
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
}

var _ facts.Source = (*Cache)(nil)

// Open makes a cached source, which closes its origin. It does not fail where origin or Redis cannot be reached now.
func Open(cfg Config) (*Cache, error) {
	if (cfg.Store == nil) != (cfg.Stream == nil) {
		return nil, errors.New("a store needs a stream, and a stream a store")
	}
	cfg.MaxAgeChange = orDuration(cfg.MaxAgeChange, 5*time.Second)
	cfg.MaxAgeUse = orDuration(cfg.MaxAgeUse, time.Minute)
	cfg.Lease = orDuration(cfg.Lease, time.Second)
	cfg.TTL = orDuration(cfg.TTL, 10*time.Minute)
	cfg.NegativeTTL = orDuration(cfg.NegativeTTL, 30*time.Second)
	cfg.FetchTimeout = orDuration(cfg.FetchTimeout, 2*time.Second)
	if cfg.Memory == 0 {
		cfg.Memory = 256 << 20
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	c := &Cache{cfg: cfg, origin: cfg.Origin, store: cfg.Store, stream: cfg.Stream, log: cfg.Logger, quarantine: newQuarantine(cfg.TTL, cfg.Logger),
		instance: cryptorand.Text(), finding: make(chan struct{}, finders), puts: make(chan put, 1024)}
	listener, listens := cfg.Origin.(membership.Watcher)
	confirmer := freshness.ConfirmedByNone
	switch {
	case listens:
		confirmer = freshness.ConfirmedByOrigin
	case cfg.Announced && c.stream != nil:
		confirmer = freshness.ConfirmedByStream
	}
	c.orgIndex.of = map[string]string{}
	localEpoch := ""
	if c.store == nil {
		localEpoch = c.instance
	}
	c.tracker = freshness.NewTracker(freshness.Config{
		Confirmer: confirmer, Lease: cfg.Lease, Retention: cfg.TTL + cfg.TTL/5, RootOf: c.orgIndex.find, LocalEpoch: localEpoch, Logger: cfg.Logger,
	})
	c.memory = newMemory(cfg.Memory, c.forget)
	c.Adopt(cfg.Vocabulary)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	if listens {
		c.work.Go(func() { listener.Watch(c.ctx, c.tracker.ChangeHandler()) })
	}
	if c.store != nil {
		c.work.Go(func() { c.stream.Follow(c.ctx, c.tracker.StreamHandler()) })
		for range putters {
			c.work.Go(c.putAll)
		}
	}
	return c, nil
}

func orDuration(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// Close ends what goes on in the background, and closes origin and Redis.
func (c *Cache) Close() error {
	c.cancel()
	c.work.Wait()
	err := c.origin.Close()
	if c.store != nil {
		err = errors.Join(err, c.store.Close())
	}
	return err
}

// Adopt judges records by the tables of another policy from now on. What is kept in this process is fetched and judged anew,
// and what is quarantined as well: it is named again when it is asked for again. Views of before go on by their tables.
func (c *Cache) Adopt(v pdp.Vocabulary) {
	j := record.NewValidator(v)
	c.quarantine.adopt(j)
	c.validator.Store(j)
}

// forget is told of an entry that the in-process tier keeps no more.
func (c *Cache) forget(e *entry) {
	if e.tree != nil {
		c.orgIndex.remove(e.tree)
	}
}

// requirement is how new the facts of one view have to be.
type requirement struct {
	validator *record.Validator // by the tables that were in force when the view was asked for
	budget    time.Duration
	since     uint64 // when the view was asked for, in the order of the feed
	fresh     bool   // nothing fetched before will do
	sure      bool   // nothing suspect will do, even if nothing better can be had
	// atLeast are the places in the stream of announcements that the facts have to know of.
	atLeast []membership.Position
}

// usable says what an entry may be used for.
func (c *Cache) usable(e *entry, n requirement) freshness.Verdict {
	if e == nil || e.validator != n.validator {
		return freshness.Stale
	}
	budget, asked := n.budget, e.Order > n.since
	if asked {
		// It was fetched for this very question, or since: that is as new as anything can be, unless the machine was suspended.
		budget += 2 * c.cfg.FetchTimeout
	}
	switch v, _ := c.tracker.Check(&e.Provenance, budget); {
	case v == freshness.Stale || c.tracker.BelowMinVersion(&e.Provenance, n.atLeast):
		return freshness.Stale
	case asked:
		return freshness.Fresh
	case n.fresh, n.sure && v == freshness.Unconfirmed:
		return freshness.Stale
	default:
		return v
	}
}

// tries bounds how often a fact is fetched for one question, where it changes all the time.
const tries = 4

// errNotSettled is for a record that changes faster than it can be read.
var errNotSettled = errors.New("it changes faster than it can be read")

// lookup gives what is known of a record, as new as it is needed. known finds it in the in-process tier, load elsewhere.
func (c *Cache) lookup(ctx context.Context, n requirement, known func() *entry, flight membership.Key,
	load func(context.Context, requirement) (*entry, error),
) (*entry, error) {
	e := known()
	v := c.usable(e, n)
	if v == freshness.Fresh {
		c.counters.memory.Add(1)
		return e, nil
	}
	waiting := ctx
	if v == freshness.Unconfirmed {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, c.fallbackTimeout(ctx))
		defer cancel()
	}
	var last *entry
	for range tries {
		got, err := c.fly(waiting, n, flight, load)
		switch c.usable(got, n) {
		case freshness.Fresh:
			return got, nil
		case freshness.Unconfirmed:
			if err != nil {
				return got, nil
			}
		}
		switch {
		case err != nil && c.usable(e, n) != freshness.Stale: // the origin cannot be reached: within its budget it will do
			c.counters.fallbacks.Add(1)
			return e, nil
		case err != nil:
			return nil, cannotBeHad(ctx, err)
		case c.tracker.BelowMinVersion(&got.Provenance, n.atLeast):
			return nil, cannotBeHad(ctx, fmt.Errorf("%s: %w", flight, errLagging))
		}
		last = got
	}
	if c.fetchedFor(last, n) {
		return last, nil
	}
	return nil, cannotBeHad(ctx, fmt.Errorf("%s: %w", flight, errNotSettled))
}

// fetchedFor says whether a record was fetched for this very question. Such a one is used though changes of it have been
// announced meanwhile, time and again: whoever announces must not keep a question from being answered.
func (c *Cache) fetchedFor(e *entry, n requirement) bool {
	return e != nil && e.validator == n.validator && e.Order > n.since && e.Age(time.Now()) <= 2*c.cfg.FetchTimeout
}

// fallbackTimeout is how long one fact is waited for where another will do: a question needs several, and an answer in time.
func (c *Cache) fallbackTimeout(ctx context.Context) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		return time.Until(end) / 4
	}
	return c.cfg.FetchTimeout / 4
}

func cannotBeHad(ctx context.Context, err error) error {
	var e *pdp.Error
	if errors.As(err, &e) || ctx.Err() != nil {
		return err
	}
	return &pdp.Error{Kind: pdp.Unavailable, Message: "Membership facts are unavailable.", Err: err}
}

// flightResult is what a flight brings: an entry, an error, or both where the entry is only a fallback.
type flightResult struct {
	entry *entry
	err   error
}

// fly loads a record once for all who ask for it at the same time. It does not end with who asked first.
func (c *Cache) fly(ctx context.Context, n requirement, key membership.Key, load func(context.Context, requirement) (*entry, error)) (*entry, error) {
	name := n.validator.Name + string(key.Kind) + key.ID
	if n.fresh || len(n.atLeast) > 0 {
		name = "!" + name
	}
	done := c.flights.DoChan(name, func() (any, error) {
		ctx, cancel := context.WithTimeout(c.ctx, c.cfg.FetchTimeout)
		defer cancel()
		e, err := c.loaded(ctx, n, load)
		return flightResult{e, err}, nil
	})
	select {
	case r := <-done:
		l := r.Val.(flightResult)
		return l.entry, l.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// loaded makes an error of a panic: it would end the process.
func (c *Cache) loaded(ctx context.Context, n requirement, load func(context.Context, requirement) (*entry, error)) (e *entry, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			c.log.Error("loading a record panicked", "cause", cause)
			e, err = nil, &pdp.Error{Kind: pdp.Internal, Message: "The question could not be decided.", Err: fmt.Errorf("panic: %v", cause)}
		}
	}()
	return load(ctx, n)
}

// life is how old a fact may become: a little more or less than others, so that not all are fetched again at once.
func (c *Cache) life(absent bool) time.Duration {
	ttl := c.cfg.TTL
	if absent {
		ttl = c.cfg.NegativeTTL
	}
	return time.Duration(float64(ttl) * (0.9 + 0.2*rand.Float64()))
}

var _ pdp.Checker = (*Cache)(nil)

// checkedFor is how long an answer about the origin holds: whoever asks whether a sidecar is ready needs no token, and must not
// be able to keep the origin busy.
const checkedFor = time.Second

// lastCheck is what the origin answered when it was last asked how it is.
type lastCheck struct {
	at  time.Time
	err error
}

// CheckFacts implements [pdp.Checker]: it fails where the origin cannot be reached, or has no locations. A record that is
// quarantined is another's trouble.
func (c *Cache) CheckFacts(ctx context.Context) error {
	if last := c.check.Load(); last != nil && membership.Elapsed(time.Now(), last.at) < checkedFor {
		return last.err
	}
	done := c.flights.DoChan("?", func() (any, error) {
		ctx, cancel := context.WithTimeout(c.ctx, c.cfg.FetchTimeout)
		defer cancel()
		last := &lastCheck{err: c.checkOrigin(ctx)}
		last.at = time.Now()
		c.check.Store(last)
		return nil, last.err
	})
	select {
	case r := <-done:
		return r.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Cache) checkOrigin(ctx context.Context) (err error) {
	defer func() { // a panic in a flight would end the process
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	if err := c.origin.Check(ctx); err != nil {
		return err
	}
	some, err := c.origin.Locations(ctx, "", 1)
	if err == nil && len(some) == 0 {
		err = pdp.ErrNoLocations
	}
	return err
}

// CheckShared fails where the shared tier cannot be reached.
func (c *Cache) CheckShared(ctx context.Context) error {
	if c.store == nil {
		return nil
	}
	_, err := c.store.Get(ctx, membership.Key{Kind: membership.UserRecord, ID: "nobody"})
	return err
}
