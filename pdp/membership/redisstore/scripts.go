package redisstore

import "github.com/redis/go-redis/v9"

// putScript stores a value unless a newer one is there: one with a greater version in the same history, or with the same
// version and fetched later. If a version is unknown or belongs to another history, the time of the fetch decides. The script
// reads all three at their offsets in the header, see [record.Pack].
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

// The scripts of slots have the keys slots and requests, whose members are ordered by time. Arguments: the name of a slot, how long it is
// kept in milliseconds. A time that nobody can have set is of before the server's clock was set back.
const slotsNow = `
local time = redis.call('TIME')
local now, most = time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + most + 60000, '+inf')
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - most)
local function keep()
  redis.call('ZADD', KEYS[1], now + most, ARGV[1])
  redis.call('PEXPIRE', KEYS[1], most + 60000)
end
`

// takeSlotScript takes a slot, and whoever does needs no request any more, or else adds one. Arguments also: the number of slots, the request, the most requests.
var takeSlotScript = redis.NewScript(slotsNow + `
if ARGV[1] ~= '' and redis.call('ZCARD', KEYS[1]) < tonumber(ARGV[3]) then
  keep()
  redis.call('ZREM', KEYS[2], ARGV[4])
  return 1
end
if ARGV[4] ~= '' and redis.call('ZCARD', KEYS[2]) < tonumber(ARGV[5]) then
  redis.call('ZADD', KEYS[2], 'NX', now, ARGV[4])
  redis.call('PEXPIRE', KEYS[2], most)
end
return 0
`)

// nextRequestScript returns the oldest request, "" if there is none, and nothing if the slot is not known. Argument also: whether to return
// the slot in the second case.
var nextRequestScript = redis.NewScript(slotsNow + `
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return false end
local oldest = redis.call('ZPOPMIN', KEYS[2])[1]
if not oldest and ARGV[3] == '1' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  keep()
end
return oldest or ''
`)

// The scripts of the stream begin with scriptEpoch and end with scriptState, which returns what parseStreamState reads. The
// run_id identifies the server's process, and the replication id distinguishes two terms of one process as a master. Replicas
// count if they answered within two seconds. The id and number of the newest entry reveal data restored from an older state.
const (
	scriptEpoch = `
local appended = ''
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then
  epoch = ARGV[1]
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'sequence', '0')
end
`
	scriptReply = `
local server, replication = redis.call('INFO', 'server'), redis.call('INFO', 'replication')
local connected, replicas = 0, 0
for lag in string.gmatch(replication, 'state=online[^\r\n]*lag=(-?%d+)') do
  connected = connected + 1
  if tonumber(lag) >= 0 and tonumber(lag) <= 2 then replicas = replicas + 1 end
end
local time = redis.call('TIME')
local reply = {
  epoch, redis.call('HGET', KEYS[1], 'sequence') or '', string.match(server, 'run_id:(%w+)') or '',
  string.match(replication, 'master_replid:(%w+)') or '', time[1], time[2], tostring(replicas),
  tostring(connected), string.match(replication, 'role:(%w+)') or '',
  redis.call('HGET', KEYS[1], 'newest') or '', redis.call('HGET', KEYS[1], 'newest_id') or '', appended
}
`
	scriptState = scriptReply + `
return reply
`
	// scriptVacant says whether nobody holds a lease. It lasts until a time of the server's clock; a time that no sidecar can
	// have set is of before that clock was set back.
	scriptVacant = `
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function vacant(lease)
  local expires = tonumber(redis.call('HGET', lease, 'expires') or '0')
  return now >= expires or expires > now + 60000
end
`
	// announceScript appends an entry. Keys: state, log. Arguments: an epoch for a new stream, the changes, the stream's length.
	announceScript = scriptEpoch + `
local n = redis.call('HINCRBY', KEYS[1], 'sequence', 1)
local id = redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'n', n, 'e', epoch, 'c', ARGV[2])
redis.call('HSET', KEYS[1], 'newest', n, 'newest_id', id)
` + scriptState
	// announceSignedScript appends a signed entry, unless the stream is not where the signature says. Keys and arguments as
	// for announceScript, and the epoch and position of the entry before, and the signature.
	announceSignedScript = scriptEpoch + `
if epoch == ARGV[4] and redis.call('HGET', KEYS[1], 'sequence') == ARGV[5] then
  local n = redis.call('HINCRBY', KEYS[1], 'sequence', 1)
  local id = redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'n', n, 'e', epoch, 'c', ARGV[2], 's', ARGV[6])
  redis.call('HSET', KEYS[1], 'newest', n, 'newest_id', id)
  appended = '1'
end
` + scriptState
	// heartbeatScript reads the state, and who leads. It also writes, so that it fails on a server that cannot. Keys: state,
	// leader, standby. Argument: an epoch for a new stream.
	heartbeatScript = scriptEpoch + `
redis.call('HSET', KEYS[1], 'beat', redis.call('TIME')[1])
` + scriptReply + scriptVacant + `
reply[13] = vacant(KEYS[2]) and '1' or ''
for i, name in ipairs({'term', 'round', 'watermark', 'signature'}) do reply[13 + i] = redis.call('HGET', KEYS[2], name) or '' end
reply[18] = vacant(KEYS[3]) and '1' or ''
return reply
`
	// campaignScript begins a term unless somebody holds the lease. Keys: state, that of the lease. Arguments: an epoch for a new stream, the
	// term's id, how long the lease lasts in milliseconds.
	campaignScript = scriptEpoch + scriptReply + scriptVacant + `
reply[13] = ''
if vacant(KEYS[2]) then
  reply[13] = tostring(redis.call('HINCRBY', KEYS[2], 'term', 1))
  redis.call('HSET', KEYS[2], 'leader', ARGV[2], 'expires', now + ARGV[3], 'watermark', '', 'signature', '')
end
return reply
`
	// renewal of a lease, for the scripts of who holds it. Key: that of the lease. Arguments: the term's id, how long the lease lasts in
	// milliseconds. Whoever was deposed changes nothing.
	renewal = `
if redis.call('HGET', KEYS[1], 'leader') ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'expires', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2])
`
	startRoundScript = renewal + `
return redis.call('HINCRBY', KEYS[1], 'round', 1)
`
	// attestScript publishes a watermark. Arguments also: the watermark, its signature.
	attestScript = renewal + `
redis.call('HSET', KEYS[1], 'watermark', ARGV[3], 'signature', ARGV[4])
return 1
`
	// resignScript ends a term. Key: that of the lease. Argument: the term's id. The watermark stays, because it is true.
	resignScript = `
if redis.call('HGET', KEYS[1], 'leader') == ARGV[1] then redis.call('HSET', KEYS[1], 'leader', '', 'expires', 0) end
return 1
`
	// newEpochScript replaces an epoch. Key: state. Arguments: the old epoch, the new one.
	newEpochScript = `
if redis.call('HGET', KEYS[1], 'epoch') == ARGV[1] then redis.call('HSET', KEYS[1], 'epoch', ARGV[2]) end
return 1
`
)
