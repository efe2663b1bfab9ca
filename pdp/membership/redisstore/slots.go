package redisstore

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// maxRequests limits the records that are requested at a time. Whoever needs another one waits and requests it later.
const maxRequests = 10_000

// TakeSlot implements [membership.Store]. Like reservations, slots and requests are not sealed: whoever writes to Redis can make sidecars
// fetch what nobody needs, and wait as long as the readers allow.
func (s *Store) TakeSlot(caller context.Context, name string, slots int, most time.Duration, request membership.Key) (taken bool, err error) {
	text := ""
	if request != (membership.Key{}) {
		text = string(request.Kind) + request.ID
	}
	err = s.onValues(caller, func(ctx context.Context) error {
		n, err := takeSlotScript.Run(ctx, s.values, []string{s.keys.slots, s.keys.requests}, name, most.Milliseconds(), slots, text, maxRequests).Int()
		taken = n == 1
		return err
	})
	return taken, err
}

// NextRequest implements [membership.Store].
func (s *Store) NextRequest(caller context.Context, name string, most time.Duration, last bool) (request membership.Key, err error) {
	lost := false
	err = s.onValues(caller, func(ctx context.Context) error {
		text, err := nextRequestScript.Run(ctx, s.values, []string{s.keys.slots, s.keys.requests}, name, most.Milliseconds(), last).Text()
		switch {
		case errors.Is(err, redis.Nil):
			lost = true
			return nil
		case text != "":
			request = membership.Key{Kind: membership.Kind(text[0]), ID: text[1:]}
		}
		return err
	})
	if lost {
		return membership.Key{}, membership.ErrNoSlot
	}
	return request, err
}
