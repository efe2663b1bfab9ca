package redisstore

import (
	"github.com/redis/go-redis/v9"
)

// putScript keeps a value unless there is a newer one: of a higher version in the same history, or of the same version and
// fetched later. Where a version is not known, or of another history, the time of the fetch decides. It reads all three from
// their places in the header.
var putScript = redis.NewScript(`
local function number(s, at)
  local n = 0
  for i = at, at + 7 do n = n * 256 + string.byte(s, i) end
  return n
end
local function history(s)
  return string.sub(s, 21, 21 + string.byte(s, 21))
end
local old = redis.call('GETRANGE', KEYS[1], 0, 99)
local new = ARGV[1]
if #old > 20 and #new > 20 and string.sub(old, 1, 4) == string.sub(new, 1, 4) then
  local was, is = number(old, 5), number(new, 5)
  if was == 0 or is == 0 or was == is or history(old) ~= history(new) then
    was, is = number(old, 13), number(new, 13)
  end
  if was > is then return 0 end
end
redis.call('SET', KEYS[1], new, 'PX', ARGV[2])
return 1
`)

// What the scripts of the stream begin and end with. The process that holds the stream is told by its run_id, and its
// line of replication, for a process can be demoted and promoted again. Of the replicas that are connected, some answered
// lately. The newest entry is named by its id and number, so that a state of before is known from one of now.
const (
	scriptEpoch = `
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then
  epoch = ARGV[1]
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'sequence', '0')
end
`
	scriptPlace = `
local server, replication = redis.call('INFO', 'server'), redis.call('INFO', 'replication')
local connected, replicas = 0, 0
for lag in string.gmatch(replication, 'state=online[^\r\n]*lag=(-?%d+)') do
  connected = connected + 1
  if tonumber(lag) >= 0 and tonumber(lag) <= 2 then replicas = replicas + 1 end
end
local time = redis.call('TIME')
return {
  epoch, redis.call('HGET', KEYS[1], 'sequence') or '', string.match(server, 'run_id:(%w+)') or '',
  string.match(replication, 'master_replid:(%w+)') or '', time[1], time[2], tostring(replicas),
  tostring(connected), string.match(replication, 'role:(%w+)') or '',
  redis.call('HGET', KEYS[1], 'newest') or '', redis.call('HGET', KEYS[1], 'newest_id') or ''
}
`
	// announceScript takes the state and the log; an epoch for when there is none, the changes, the log's length.
	announceScript = scriptEpoch + `
local n = redis.call('HINCRBY', KEYS[1], 'sequence', 1)
local id = redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'n', n, 'e', epoch, 'c', ARGV[2])
redis.call('HSET', KEYS[1], 'newest', n, 'newest_id', id)
` + scriptPlace
	// beatScript takes the state, and an epoch. It writes, so that a server that cannot is not taken for a live one.
	beatScript = scriptEpoch + `
redis.call('HSET', KEYS[1], 'beat', redis.call('TIME')[1])
` + scriptPlace
	// rotateScript takes the state; the epoch that is over, and the next.
	rotateScript = `
if redis.call('HGET', KEYS[1], 'epoch') == ARGV[1] then redis.call('HSET', KEYS[1], 'epoch', ARGV[2]) end
return 1
`
)
