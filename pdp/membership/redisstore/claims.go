package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wardkeeper/wardkeeper/pdp/guard"
)

var _ guard.Claims = (*Store)(nil)

// claimScript takes locks, or none of them. A lock has three keys: of the exclusive claim (its id and state), of those who
// share the record (their ids by when they expire), and whether it may be shared anew. All keys are in one hash slot, because
// a user's records belong to no single organization. Arguments: the claim's id, its TTL in milliseconds, and for each lock
// whether it is exclusive, and its state. It returns how many milliseconds the claims in the way have left, and how many
// replicas there are.
var claimScript = redis.NewScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local id, ttl, wait, last = ARGV[1], tonumber(ARGV[2]), 0, {}
for i = 1, #KEYS / 3 do
  local held, shared, wanted = KEYS[3 * i - 2], KEYS[3 * i - 1], KEYS[3 * i]
  local exclusive, state = ARGV[2 * i + 1] == '1', ARGV[2 * i + 2]
  local owner = redis.call('GETRANGE', held, 0, -1)
  if owner ~= '' and string.sub(owner, string.find(owner, ' ') + 1) == state then
    wait = math.max(wait, redis.call('PTTL', held), 1)
  end
  if exclusive then
    local newest = redis.call('ZREVRANGE', shared, 0, 0, 'WITHSCORES')
    if newest[2] and tonumber(newest[2]) > now then
      last[i] = tonumber(newest[2]) - now
      wait = math.max(wait, last[i])
    end
  else
    wait = math.max(wait, redis.call('PTTL', wanted))
  end
end
for i = 1, #KEYS / 3 do
  local held, shared, wanted = KEYS[3 * i - 2], KEYS[3 * i - 1], KEYS[3 * i]
  if wait > 0 then
    if last[i] then redis.call('SET', wanted, '1', 'PX', last[i] + ttl, 'NX') end
  elseif ARGV[2 * i + 1] == '1' then
    redis.call('SET', held, id .. ' ' .. ARGV[2 * i + 2], 'PX', ttl)
    redis.call('UNLINK', wanted)
  else
    redis.call('ZREMRANGEBYSCORE', shared, '-inf', now)
    redis.call('ZADD', shared, now + ttl, id)
    if redis.call('PTTL', shared) < ttl then redis.call('PEXPIRE', shared, ttl) end
  end
end
local replicas = 0
for lag in string.gmatch(redis.call('INFO', 'replication'), 'state=online[^\r\n]*lag=(-?%d+)') do
  if tonumber(lag) >= 0 and tonumber(lag) <= 2 then replicas = replicas + 1 end
end
return {wait, replicas}
`)

// releaseScript gives the locks of a claim back. Keys as for claimScript. Argument: the claim's id.
var releaseScript = redis.NewScript(`
for i = 1, #KEYS / 3 do
  local owner = redis.call('GETRANGE', KEYS[3 * i - 2], 0, -1)
  if string.sub(owner, 1, #ARGV[1] + 1) == ARGV[1] .. ' ' then redis.call('UNLINK', KEYS[3 * i - 2]) end
  redis.call('ZREM', KEYS[3 * i - 1], ARGV[1])
end
return 1
`)

// Claim implements [guard.Claims]. If the server has a replica that keeps up, one must confirm the claim, as it must an
// announcement. A failover can still lose it, where the new master is another replica.
func (s *Store) Claim(ctx context.Context, id string, locks []guard.Lock, ttl time.Duration) (wait time.Duration, err error) {
	arguments := []any{id, ttl.Milliseconds()}
	for _, l := range locks {
		exclusive := "0"
		if l.Exclusive {
			exclusive = "1"
		}
		arguments = append(arguments, exclusive, l.State)
	}
	err = s.onClaims(ctx, func(ctx context.Context, conn *redis.Conn) error {
		answer, err := claimScript.Run(ctx, conn, s.claimKeys(locks), arguments...).Int64Slice()
		switch {
		case err != nil:
			return err
		case len(answer) != 2:
			return errors.New("the script answered something else")
		}
		wait = time.Duration(answer[0]) * time.Millisecond
		if wait > 0 || answer[1] == 0 {
			return nil
		}
		confirmed, err := conn.Wait(ctx, 1, replicaTimeout).Result()
		if err == nil && confirmed == 0 {
			err = errClaimNotReplicated
		}
		return err
	})
	return wait, err
}

var errClaimNotReplicated = errors.New("the claim is written, but no replica has confirmed it")

// Release implements [guard.Claims].
func (s *Store) Release(ctx context.Context, id string, locks []guard.Lock) error {
	return s.onClaims(ctx, func(ctx context.Context, conn *redis.Conn) error {
		return releaseScript.Run(ctx, conn, s.claimKeys(locks), id).Err()
	})
}

// onClaims calls f with a connection to the server that has the claims. It limits the time as for an announcement.
func (s *Store) onClaims(ctx context.Context, f func(context.Context, *redis.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, max(s.cfg.Lease, 4*replicaTimeout))
	defer cancel()
	node, err := s.nodeOf(ctx, s.keys.claims)
	if err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	conn := node.Conn()
	defer conn.Close()
	if err = f(ctx, conn); err != nil {
		refreshCluster(ctx, s.stream)
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

func (s *Store) claimKeys(locks []guard.Lock) []string {
	keys := make([]string, 0, 3*len(locks))
	for _, l := range locks {
		keys = append(keys, s.keys.claims+"held:"+l.Name, s.keys.claims+"shared:"+l.Name, s.keys.claims+"wanted:"+l.Name)
	}
	return keys
}
