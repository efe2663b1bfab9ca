package cache

import (
	"cmp"
	"context"
	cryptorand "crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/fleetkey"
	"golang.org/x/sync/singleflight"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/freshness"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// Config configures a [Cache]. Origin is required; a duration or size of 0 means the default.
type Config struct {
	Origin     membership.Origin
	Store      membership.Store  // shared by sidecars, closed with the cache; if it and Stream are nil, nothing is shared
	Stream     membership.Stream // carries announcements of changes between sidecars
	Vocabulary pdp.Vocabulary    // of the active policy
	FleetKey   *fleetkey.Keys    // signs the tokens of announcements; nil: they are not signed
	// Announced is the operator's promise that every change of the origin is announced ([Cache.Announce], here or at
	// another sidecar with the same stream), so that the stream confirms facts. Without the promise announcements still
	// invalidate records, but facts are fresh by age alone, unless the origin is a [membership.Watcher].
	Announced bool

	// Slots limits the questions that all who share Store ask the origin about records at a time, whatever becomes of it within
	// half of FetchTimeout; 0: nothing does.
	Slots int

	// Leads reports whether this sidecar fetches what others have announced as changed, for all that share Store; nil: it does not.
	Leads func() bool

	MaxAgeChange time.Duration // of unconfirmed facts, for a question about a change; 0 means 5 s
	MaxAgeUse    time.Duration // of unconfirmed facts, for a read-only question; 0 means 60 s
	Lease        time.Duration // without a heartbeat for longer than this, nothing is confirmed; 0 means 1 s
	TTL          time.Duration // the maximum age of a record, even if confirmed; 0 means 10 min
	NegativeTTL  time.Duration // how long to remember that a record is absent; 0 means 30 s
	FetchTimeout time.Duration // limits fetching one record, including retries; 0 means 2 s
	Memory       int           // bytes of the in-process tier; 0 means 48 MiB
	Logger       *slog.Logger  // nil: slog.Default()
}

// Cache serves facts from three tiers: memory, the store that sidecars share, and the origin. A fact is as fresh as the
// question requires; otherwise the result is an error. Cache is safe for concurrent use.
type Cache struct {
	cfg    Config
	origin membership.Origin
	store  membership.Store  // nil: nothing is shared
	stream membership.Stream // nil: nothing is shared
	log    *slog.Logger

	validator  atomic.Pointer[record.Validator]
	tracker    *freshness.Tracker
	memory     *memory
	orgIndex   orgIndex
	histories  histories
	quarantine *quarantine
	flights    singleflight.Group
	lastCheck  atomic.Pointer[originCheck] // nil before the first check
	goodUntil  atomic.Pointer[time.Time]   // how long the last check that succeeded counts, at most
	failedAt   atomic.Pointer[time.Time]   // when a question to the origin failed last; nil if none has since the last check
	provenAt   atomic.Pointer[time.Time]   // when the origin was last seen to be proven to answer; nil if it was not
	counters   counters
	instance   string // names this process in tokens if nothing is shared

	orgFetches chan struct{} // a semaphore, see maxOrgFetches

	writes chan write
	// refetches are changes whose records are to be fetched for all.
	refetches chan refetch
	announced announced
	slots     *slots
	ctx       context.Context
	cancel    context.CancelFunc
	work      sync.WaitGroup
}

var _ facts.Source = (*Cache)(nil)

// Open returns a cache and starts its background work. The cache owns origin and store, and closes them. Open does not
// fail if they are unreachable.
func Open(cfg Config) (*Cache, error) {
	if (cfg.Store == nil) != (cfg.Stream == nil) {
		return nil, errors.New("a store needs a stream, and a stream a store")
	}
	cfg.MaxAgeChange = cmp.Or(cfg.MaxAgeChange, 5*time.Second)
	cfg.MaxAgeUse = cmp.Or(cfg.MaxAgeUse, time.Minute)
	cfg.Lease = cmp.Or(cfg.Lease, time.Second)
	cfg.TTL = cmp.Or(cfg.TTL, 10*time.Minute)
	cfg.NegativeTTL = cmp.Or(cfg.NegativeTTL, 30*time.Second)
	cfg.FetchTimeout = cmp.Or(cfg.FetchTimeout, 2*time.Second)
	cfg.Memory = cmp.Or(cfg.Memory, 48<<20)
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	c := &Cache{cfg: cfg, origin: cfg.Origin, store: cfg.Store, stream: cfg.Stream, log: cfg.Logger, quarantine: newQuarantine(cfg.TTL, cfg.Logger),
		instance: cryptorand.Text(), orgFetches: make(chan struct{}, maxOrgFetches), writes: make(chan write, 1024),
		refetches: make(chan refetch, maxRefetches), slots: newSlots()}
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
		Confirmer: confirmer, Lease: cfg.Lease, Retention: cfg.TTL + cfg.TTL/5, LocalEpoch: localEpoch, Logger: cfg.Logger,
	})
	c.memory = newMemory(cfg.Memory, c.forget)
	c.SetVocabulary(cfg.Vocabulary)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	if listens {
		c.work.Go(func() { listener.Watch(c.ctx, beginning{c.tracker.ChangeHandler(), c}) })
	}
	if c.store != nil {
		c.work.Go(func() { c.stream.Follow(c.ctx, refetching{c.tracker.StreamHandler(), c}) })
		for range refetchers {
			c.work.Go(c.refetchAll)
		}
		for range writers {
			c.work.Go(c.writeAll)
		}
	}
	if c.store != nil && c.cfg.Slots > 0 {
		for range slotsOfOne {
			c.work.Go(c.serveSlots)
		}
	}
	return c, nil
}

// Close stops the background work, and closes the origin and the store.
func (c *Cache) Close() error {
	c.cancel()
	c.work.Wait()
	err := c.origin.Close()
	if c.store != nil {
		err = errors.Join(err, c.store.Close())
	}
	return err
}

// SetVocabulary makes the cache validate records against the vocabulary of another policy. Records in memory are fetched
// and validated again, and the quarantine is emptied. Existing views keep their vocabulary.
func (c *Cache) SetVocabulary(v pdp.Vocabulary) {
	validator := record.NewValidator(v)
	c.quarantine.reset(validator)
	c.validator.Store(validator)
}

// forget is called with each entry that is evicted from memory.
func (c *Cache) forget(e *entry) {
	if e.tree != nil {
		c.orgIndex.remove(e.tree)
	}
}
