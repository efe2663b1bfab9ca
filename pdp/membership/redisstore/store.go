package redisstore

import (
	"context"
	"crypto/rand"
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
	keys     redisKeys
	facts    redis.UniversalClient
	stream   redis.UniversalClient
	breakers breakers
	clock    atomic.Pointer[reckoning]

	// acknowledged is the place of the last announcement that a server took, until it is found in the stream that is followed;
	// nil where there is none.
	acknowledged atomic.Pointer[membership.Position]
	followed     atomic.Pointer[string] // the epoch that was followed last; nil where none was
	replicated   atomic.Pointer[string] // the last epoch in which the server had a replica that answered; nil where none had
}

var (
	_ membership.Store  = (*Store)(nil)
	_ membership.Stream = (*Store)(nil)
)

const (
	factConnections   = 32 // to each server
	streamConnections = 16
)

// Open fails where the config has a fault, not where Redis is down. It silences the log of go-redis, which is one
// for the whole process and goes to stderr as plain text: what it tells comes as errors too.
func Open(cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	o, dial, err := cfg.options()
	if err != nil {
		return nil, err
	}
	redis.SetLogger(&logging.VoidLogger{})
	facts, stream := *o, *o
	facts.DialTimeout, facts.ReadTimeout, facts.WriteTimeout = cfg.Timeout, cfg.Timeout, cfg.Timeout
	facts.PoolTimeout, facts.PoolSize, facts.MaxActiveConns = cfg.Timeout, factConnections, factConnections
	stream.DialTimeout, stream.ReadTimeout, stream.WriteTimeout = cfg.Lease/2, cfg.Lease, cfg.Lease
	stream.PoolTimeout, stream.PoolSize, stream.MaxActiveConns = cfg.Lease/2, streamConnections, streamConnections
	facts.Dialer, stream.Dialer = dial(facts.DialTimeout), dial(stream.DialTimeout)
	return &Store{
		cfg:      cfg,
		keys:     NewRedisKeys(cfg.Prefix),
		facts:    redis.NewUniversalClient(&facts),
		stream:   redis.NewUniversalClient(&stream),
		breakers: newBreakers(o.IsClusterMode),
	}, nil
}

// reckoning is the time of the server's clock at a local moment.
type reckoning struct{ shown, at time.Time }

func (t *Store) Now() time.Time {
	r := t.clock.Load()
	if r == nil {
		return time.Time{}
	}
	return r.shown.Add(membership.Elapsed(time.Now(), r.at))
}

func (t *Store) Close() error {
	return errors.Join(t.facts.Close(), t.stream.Close())
}

// streamNode is the server that has the stream. Asking it by itself, and not the Cluster, keeps commands without a key
// on the same server, and go-redis from asking others meanwhile.
func (t *Store) streamNode(ctx context.Context) (*redis.Client, error) {
	switch c := t.stream.(type) {
	case *redis.ClusterClient:
		return c.MasterForKey(ctx, t.keys.log)
	case *redis.Client:
		return c, nil
	}
	return nil, errors.New("redis: a client of an unknown kind")
}

// look makes a Cluster's client find out anew which server has what. It does not wait for that. Sentinel's client asks
// for each connection.
func look(ctx context.Context, client redis.UniversalClient) {
	if c, ok := client.(*redis.ClusterClient); ok {
		c.ReloadState(ctx)
	}
}

// newEpoch names a new epoch of the stream.
func newEpoch() string { return rand.Text() }
