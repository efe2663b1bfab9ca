package redisstore

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/sony/gobreaker/v2"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// Store implements [membership.Store], [membership.Stream] and [guard.Claims]. Values and the stream have separate clients, so that a burst of
// values does not delay an announcement. It is safe for concurrent use.
type Store struct {
	cfg     Config
	keys    Keys
	values  redis.UniversalClient
	stream  redis.UniversalClient
	breaker *gobreaker.TwoStepCircuitBreaker[any] // of values
	clock   atomic.Pointer[clockReading]

	// acknowledged is the position of the last announcement that a server accepted. It is kept until the follower finds it
	// in its stream; nil if there is none.
	acknowledged    atomic.Pointer[membership.Position]
	followedEpoch   atomic.Pointer[string] // the last epoch followed; nil before the first
	replicatedEpoch atomic.Pointer[string] // the last epoch in which a replica answered; nil if none did

	warnSigned sync.Once // without a fleet key

	// With a fleet key.
	appending chan struct{} // held while an entry is written
	newest    atomic.Pointer[place]
	announced announced
}

var (
	_ membership.Store  = (*Store)(nil)
	_ membership.Stream = (*Store)(nil)
)

var _ membership.Pooled = (*Store)(nil)

// Pool implements [membership.Pooled]. It describes the connections for values, of all servers of a cluster together; the limit
// is that of each server.
func (s *Store) Pool() membership.Pool {
	p := s.values.PoolStats()
	return membership.Pool{Name: "shared", Used: int(p.TotalConns) - int(p.IdleConns), Idle: int(p.IdleConns), Limit: valueConnections, Waits: uint64(p.WaitCount)}
}

const (
	valueConnections  = 32 // per server
	streamConnections = 16
)

// Open returns a store for the configured Redis. It fails if the config is invalid, but not if Redis is down. It
// silences the log of go-redis for the whole process. That log would go to stderr as plain text, and the same failures
// are returned as errors.
func Open(cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	o, dial, err := cfg.options()
	if err != nil {
		return nil, err
	}
	redis.SetLogger(&logging.VoidLogger{})
	values, stream := *o, *o
	values.DialTimeout, values.ReadTimeout, values.WriteTimeout = cfg.Timeout, cfg.Timeout, cfg.Timeout
	values.PoolTimeout, values.PoolSize, values.MaxActiveConns = cfg.Timeout, valueConnections, valueConnections
	stream.DialTimeout, stream.ReadTimeout, stream.WriteTimeout = cfg.Lease/2, cfg.Lease, cfg.Lease
	stream.PoolTimeout, stream.PoolSize, stream.MaxActiveConns = cfg.Lease/2, streamConnections, streamConnections
	values.Dialer, stream.Dialer = dial(values.DialTimeout), dial(stream.DialTimeout)
	s := &Store{
		cfg:       cfg,
		keys:      NewKeys(cfg.Prefix, cfg.FleetKey != nil),
		values:    redis.NewUniversalClient(&values),
		stream:    redis.NewUniversalClient(&stream),
		breaker:   newBreaker(),
		appending: make(chan struct{}, 1),
	}
	s.newest.Store(&place{})
	return s, nil
}

// clockReading is the time of the server's clock at a local time.
type clockReading struct{ server, local time.Time }

// Now implements [membership.Stream].
func (s *Store) Now() time.Time {
	r := s.clock.Load()
	if r == nil {
		return time.Time{}
	}
	return r.server.Add(membership.Elapsed(time.Now(), r.local))
}

// Close implements [membership.Store].
func (s *Store) Close() error {
	return errors.Join(s.values.Close(), s.stream.Close())
}

// streamNode returns a client of the server that has the stream. Unlike the cluster's client, it also sends commands
// without a key to that server, and go-redis does not try other servers.
func (s *Store) streamNode(ctx context.Context) (*redis.Client, error) {
	return s.nodeOf(ctx, s.keys.log)
}

// nodeOf returns a client of the server that has a key.
func (s *Store) nodeOf(ctx context.Context, key string) (*redis.Client, error) {
	switch c := s.stream.(type) {
	case *redis.ClusterClient:
		return c.MasterForKey(ctx, key)
	case *redis.Client:
		return c, nil
	}
	return nil, errors.New("redis: unknown kind of client")
}

// refreshCluster makes a cluster's client reload, in the background, the map of slots to servers. A Sentinel client does
// not need this, because it asks Sentinel for each connection.
func refreshCluster(ctx context.Context, client redis.UniversalClient) {
	if c, ok := client.(*redis.ClusterClient); ok {
		c.ReloadState(ctx)
	}
}
