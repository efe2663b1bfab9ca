package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// Get gives what is there, which may be anything: what cannot be unpacked is to be dropped, since put could take it for
// something newer.
func (t *Store) Get(caller context.Context, key membership.Key) ([]byte, error) {
	name := t.keys.Of(key)
	done, err := t.breakers.allow(t.breakers.of(name))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(caller, t.cfg.Timeout)
	defer cancel()
	// One byte more than a fact can have, so that it cannot be unpacked: Redis does not send what nobody would read.
	most := record.MaxPacked(key.Kind)
	value, err := t.facts.GetRange(ctx, name, 0, int64(most)).Bytes()
	done(t.outcome(caller, err))
	switch {
	case err != nil:
		return nil, fmt.Errorf("redis: %w", err)
	case len(value) == 0:
		return nil, nil
	}
	return value, nil
}

func (t *Store) Put(caller context.Context, key membership.Key, value []byte, ttl time.Duration) error {
	if len(value) > record.MaxPacked(key.Kind) || ttl < time.Millisecond {
		return record.ErrFormat
	}
	name := t.keys.Of(key)
	done, err := t.breakers.allow(t.breakers.of(name))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(caller, t.cfg.Timeout)
	defer cancel()
	_, err = putScript.Run(ctx, t.facts, []string{name}, value, ttl.Milliseconds()).Int()
	done(t.outcome(caller, err))
	if err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// Drop tries each key: where one cannot be dropped, the others are all the same.
func (t *Store) Drop(caller context.Context, keys ...membership.Key) error {
	ctx, cancel := context.WithTimeout(caller, t.cfg.Timeout)
	defer cancel()
	groups := make(map[int][]string)
	for _, key := range keys {
		name := t.keys.Of(key)
		groups[t.breakers.of(name)] = append(groups[t.breakers.of(name)], name)
	}
	var faults []error
	pipe := t.facts.Pipeline()
	sent := make(map[int][]*redis.IntCmd, len(groups))
	told := make(map[int]func(error), len(groups))
	for at, names := range groups {
		done, err := t.breakers.allow(at)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		told[at] = done
		for _, name := range names {
			sent[at] = append(sent[at], pipe.Unlink(ctx, name))
		}
	}
	if len(sent) > 0 {
		_, _ = pipe.Exec(ctx) // each command has its own error
	}
	for at, commands := range sent {
		var err error
		for _, c := range commands {
			err = errors.Join(err, c.Err())
		}
		told[at](t.outcome(caller, err))
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// outcome is what a breaker is told: neither what only this key is to blame for, nor what the caller is. After a failure
// a Cluster's client looks again for who has what, which it does not by itself for a server that is gone.
func (t *Store) outcome(caller context.Context, err error) error {
	switch {
	case redis.HasErrorPrefix(err, "WRONGTYPE"):
		return nil
	case err != nil && caller.Err() != nil:
		return context.Canceled
	case err != nil:
		look(caller, t.facts)
	}
	return err
}
