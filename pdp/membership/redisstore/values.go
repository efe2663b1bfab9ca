package redisstore

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// Get implements [membership.Store]. With a fleet key it returns only what a sidecar of the fleet has stored under this key,
// and drops anything else. Without one it returns the stored bytes unchecked. It returns nil if there are none. The caller
// must drop a value that it cannot unpack: its header may claim a greater version than any real one, and Put would then keep
// it.
func (s *Store) Get(caller context.Context, key membership.Key) ([]byte, error) {
	name := s.keys.Name(key)
	// GetRange reads at most one byte more than a valid value has, so that a longer value is not transferred. It then
	// cannot be unpacked.
	limit := record.MaxPacked(key.Kind)
	if s.cfg.FleetKey != nil {
		limit += sealSize
	}
	var value []byte
	err := s.onValues(caller, func(ctx context.Context) (err error) {
		value, err = s.values.GetRange(ctx, name, 0, int64(limit)).Bytes()
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case len(value) == 0:
		return nil, nil
	case s.cfg.FleetKey != nil:
		if value, err = s.unseal(name, value); err != nil { // it is counted and logged
			return nil, s.Drop(caller, key)
		}
	}
	return value, nil
}

// Put implements [membership.Store]. It returns [record.ErrFormat] for a value that is too long or a ttl below a millisecond.
func (s *Store) Put(caller context.Context, key membership.Key, value []byte, ttl time.Duration) error {
	if len(value) > record.MaxPacked(key.Kind) || ttl < time.Millisecond {
		return record.ErrFormat
	}
	name := s.keys.Name(key)
	if s.cfg.FleetKey != nil {
		if value = s.seal(name, value); value == nil {
			return record.ErrFormat
		}
	}
	return s.onValues(caller, func(ctx context.Context) error {
		_, err := putScript.Run(ctx, s.values, []string{name}, value, ttl.Milliseconds()).Int()
		return err
	})
}

// Drop implements [membership.Store].
func (s *Store) Drop(caller context.Context, keys ...membership.Key) error {
	return s.onValues(caller, func(ctx context.Context) error {
		_, err := s.values.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for _, key := range keys { // one command each, because a cluster has them in different slots
				pipe.Unlink(ctx, s.keys.Name(key))
			}
			return nil
		})
		return err
	})
}

// onValues calls f, unless the breaker is open, and tells the breaker what came of it.
func (s *Store) onValues(caller context.Context, f func(context.Context) error) error {
	done, err := s.allow()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(caller, s.cfg.Timeout)
	defer cancel()
	err = f(ctx)
	done(s.outcome(caller, err))
	if err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// outcome returns the error of a call to report to the breaker. A value of the wrong type concerns only its key, and a
// caller that gave up proves nothing about the server. After any other error a cluster's client reloads the map of slots
// to servers, because it does not do so itself when a server is gone.
func (s *Store) outcome(caller context.Context, err error) error {
	switch {
	case redis.HasErrorPrefix(err, "WRONGTYPE"):
		return nil
	case err != nil && caller.Err() != nil:
		return context.Canceled
	case err != nil:
		refreshCluster(caller, s.values)
	}
	return err
}
