package redisstore

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// Reservations are not sealed: whoever writes to Redis can make sidecars wait for a fetch that nobody makes, as long as the
// readers allow.

// Reserve implements [membership.Store].
func (s *Store) Reserve(caller context.Context, key membership.Key, most time.Duration) (reserved bool, err error) {
	err = s.onValues(caller, func(ctx context.Context) error {
		err := s.values.SetArgs(ctx, s.keys.Reservation(key), "1", redis.SetArgs{Mode: "NX", TTL: most}).Err()
		if reserved = err == nil; errors.Is(err, redis.Nil) { // it exists
			return nil
		}
		return err
	})
	return reserved, err
}

// Reserved implements [membership.Store].
func (s *Store) Reserved(caller context.Context, key membership.Key) (reserved bool, err error) {
	err = s.onValues(caller, func(ctx context.Context) error {
		first, err := s.values.GetRange(ctx, s.keys.Reservation(key), 0, 0).Result()
		reserved = first != ""
		return err
	})
	return reserved, err
}

// Unreserve implements [membership.Store].
func (s *Store) Unreserve(caller context.Context, key membership.Key) error {
	return s.onValues(caller, func(ctx context.Context) error {
		return s.values.Unlink(ctx, s.keys.Reservation(key)).Err()
	})
}
