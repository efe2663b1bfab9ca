package redisstore

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// Store implements [membership.Store] and [membership.Stream]. Values and the stream have separate clients, so that a burst of
// values does not delay an announcement. It is safe for concurrent use.
type Store struct {
	cfg      Config
	keys     Keys
	values   redis.UniversalClient
	stream   redis.UniversalClient
	breakers breakers // of values
	clock    atomic.Pointer[clockReading]

	// acknowledged is the position of the last announcement that a server accepted, until the follower finds it in its stream;
	// nil if there is none.
	acknowledged    atomic.Pointer[membership.Position]
	followedEpoch   atomic.Pointer[string] // the epoch followed last; nil before the first
	replicatedEpoch atomic.Pointer[string] // the last epoch in which a replica answered; nil if none did
}

var (
	_ membership.Store  = (*Store)(nil)
	_ membership.Stream = (*Store)(nil)
)

const (
	valueConnections  = 32 // to each server
	streamConnections = 16
)

// Open returns a store for the configured Redis. It fails if the config is invalid, but not if Redis is down. It silences the
// log of go-redis for the whole process, which would go to stderr as plain text: the same failures are returned as errors.
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
	return &Store{
		cfg:      cfg,
		keys:     NewKeys(cfg.Prefix),
		values:   redis.NewUniversalClient(&values),
		stream:   redis.NewUniversalClient(&stream),
		breakers: newBreakers(o.IsClusterMode),
	}, nil
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

// streamNode returns a client of the server that has the stream. Using it instead of the cluster's client sends commands
// without a key to the same server, and keeps go-redis from trying other servers.
func (s *Store) streamNode(ctx context.Context) (*redis.Client, error) {
	switch c := s.stream.(type) {
	case *redis.ClusterClient:
		return c.MasterForKey(ctx, s.keys.log)
	case *redis.Client:
		return c, nil
	}
	return nil, errors.New("redis: unknown kind of client")
}

// refreshCluster makes a cluster's client read again, in the background, which server has which slots. A Sentinel client
// needs no such call: it asks Sentinel for each connection.
func refreshCluster(ctx context.Context, client redis.UniversalClient) {
	if c, ok := client.(*redis.ClusterClient); ok {
		c.ReloadState(ctx)
	}
}
