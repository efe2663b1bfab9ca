package factsource

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/fleetkey"
	"github.com/wardkeeper/wardkeeper/pdp/guard"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/cache"
	"github.com/wardkeeper/wardkeeper/pdp/membership/httporigin"
	"github.com/wardkeeper/wardkeeper/pdp/membership/pgorigin"
	"github.com/wardkeeper/wardkeeper/pdp/membership/redisstore"
	"github.com/wardkeeper/wardkeeper/pdp/membership/relay"
)

// Config configures a cache and the Redis behind it.
type Config struct {
	cache.Config
	Redis *redisstore.Config // the Redis that sidecars share; nil for none
}

// Configure opens the application or the database that the settings name and configures the cache in front of it. It returns
// nil if the settings name a file or no directory. keys authenticate what sidecars share; nil: nothing does.
func Configure(s *config.Settings, keys *fleetkey.Keys, logger *slog.Logger) (cfg *Config, err error) {
	if s.Directory == "" || config.KindOf(s.Directory) == config.FileDirectory {
		return nil, nil
	}
	m := s.Membership
	cfg = &Config{Config: cache.Config{
		Announced: m.Announced == config.AnnouncedAll, MaxAgeChange: s.MaxAgeChange, MaxAgeUse: s.MaxAgeUse, Lease: s.Lease,
		TTL: m.TTL, NegativeTTL: m.NegativeTTL, FetchTimeout: m.FetchTimeout, Memory: int(m.Memory), Logger: logger,
		FleetKey: keys,
	}}
	if s.Redis != "" {
		redis := m.Redis
		redis.URL, redis.Lease, redis.Logger, redis.FleetKey = s.Redis, s.Lease, logger, keys
		cfg.Redis = &redis
	}
	cfg.Origin, err = OpenOrigin(s, logger)
	return cfg, err
}

// Sources are what Open opens.
type Sources struct {
	Facts  *cache.Cache
	Claims guard.Claims // those of the Redis that sidecars share; nil without one
	// Listening says who listens to the database; nil if nobody does, or each sidecar for itself.
	Listening func() relay.Status
}

// Open opens the cache. Sidecars that share a Redis let one of them listen to the database.
func Open(cfg Config) (s Sources, err error) {
	if cfg.Redis != nil {
		shared, err := redisstore.Open(*cfg.Redis)
		if err != nil {
			return s, fmt.Errorf("redis: %w", err)
		}
		cfg.Store, cfg.Stream, s.Claims = shared, shared, shared
		if origin, ok := cfg.Origin.(*pgorigin.Origin); ok {
			var facts atomic.Pointer[cache.Cache] // of this sidecar, once it is open
			r := relay.New(relay.Config{
				Watcher: origin, Stream: shared, Election: shared, Lease: cmp.Or(cfg.Lease, time.Second), Logger: cfg.Logger,
				Announcing: func(changes []pdp.Change) {
					if c := facts.Load(); c != nil {
						c.Announcing(changes)
					}
				},
			})
			defer func() { facts.Store(s.Facts) }()
			cfg.Origin, cfg.Stream, s.Listening = relayed{origin, r}, r, r.Status
			cfg.Leads = func() bool { return r.Status().Leading }
			cfg.Slots = fleetSlots
		}
	}
	s.Facts, err = cache.Open(cfg.Config)
	return s, err
}

// relayed is a database that is listened to through a relay.
type relayed struct {
	*pgorigin.Origin
	relay *relay.Relay
}

// Watch implements [membership.Watcher].
func (o relayed) Watch(ctx context.Context, h membership.ChangeHandler) { o.relay.Watch(ctx, h) }

// sharedIdle is how long a sidecar that shares a Redis keeps a connection to the database that it does not need. Facts come from
// Redis, and any of a thousand sidecars may be the one that fetches what has changed. If they fetch f records a second together,
// they keep some f times this long.
const sharedIdle = 250 * time.Millisecond

// fleetSlots is how many questions about records all sidecars that share a Redis ask a database at a time. Each has a connection, and the
// one that listens for all has another; some more are opened for lists and checks.
const fleetSlots = 12

// OpenOrigin opens the system of record that the settings name.
func OpenOrigin(s *config.Settings, logger *slog.Logger) (membership.Origin, error) {
	if config.KindOf(s.Directory) == config.HTTPDirectory {
		c := s.Membership.HTTP
		c.URL, c.Logger = s.Directory, logger
		if c.Retries == 0 {
			c.Retries = -1 // httporigin.Open takes 0 for the default
		}
		return httporigin.Open(c)
	}
	c := s.Membership.Postgres
	c.URL, c.Logger, c.Heartbeat, c.Silence = s.Directory, logger, s.Lease/5, s.Lease
	if s.Redis != "" { // two listen for all
		c.Idle, c.Heartbeat = sharedIdle, s.Lease/10
	}
	c.Announced = s.IsSet("membership.postgres.listen") // naming the channel promises that it carries every change
	origin, err := pgorigin.Open(context.Background(), c)
	if err != nil {
		return nil, err
	}
	if c.Listen == "" { // without a channel it must not look like a Watcher
		return struct {
			membership.Origin
			membership.Pooled
			membership.Snapshots
		}{origin, origin, origin}, nil
	}
	return origin, nil
}
