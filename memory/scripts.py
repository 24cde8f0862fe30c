"""Every change of shared state as one Lua script, so that it is whole and may be repeated after a lost reply.

Only text: who calls them, and with what, is in the modules named after the nouns. Scripts that take a run's
epoch compare it inside Redis: an empty epoch argument is an unfenced writer (a door).
"""

from __future__ import annotations

# In every fenced script: KEYS[1] = epoch key, ARGV[1] = own epoch or ''
_FENCE = """
if ARGV[1] ~= '' then
  local epoch = redis.call('GET', KEYS[1])
  if epoch ~= ARGV[1] then return {'stale', tonumber(epoch or 0)} end
end
"""

# epoch, key, names | epoch, name, expected or '', write id, named ('1': kept for ever), by, at, provenance,
# value -> {'written', version, at}; the same write id again gives the first answer
PUT = (
    _FENCE
    + """
local key, id, recent = KEYS[2], ARGV[4], ''
local first = redis.call('HGET', key, 'w:' .. id)
if ARGV[5] ~= '1' then
  recent = redis.call('HGET', key, 'recent') or ''
  first = recent:match(id .. '=([^;]*);')
end
if first then
  local version, at = first:match('^(%d+) (.*)$')
  return {'written', tonumber(version), at}
end
local version = tonumber(redis.call('HGET', key, 'version') or 0)
if ARGV[3] ~= '' and version ~= tonumber(ARGV[3]) then return {'conflict', version} end
version = version + 1
redis.call('HSET', key, 'version', version, 'by', ARGV[6], 'at', ARGV[7])
redis.call('HSET', key, 'provenance', ARGV[8], 'value', ARGV[9])
redis.call('HDEL', key, 'length')
local mark = version .. ' ' .. ARGV[7]
if ARGV[5] == '1' then
  redis.call('HSET', key, 'w:' .. id, mark)
else
  recent = recent .. id .. '=' .. mark .. ';'
  if #recent > 1024 then recent = recent:sub(-1024):match('^[^;]*;(.*)$') end
  redis.call('HSET', key, 'recent', recent)
end
redis.call('SADD', KEYS[3], ARGV[2])
return {'written', version, ARGV[7]}
"""
)

# epoch, key, names | epoch, name, write id, by, at, item -> {'written', length}
APPEND = (
    _FENCE
    + """
local key = KEYS[2]
local first = redis.call('HGET', key, 'w:' .. ARGV[3])
if first then return {'written', tonumber(first)} end
local value = redis.call('HGET', key, 'value') or '[]'
if value:sub(1, 1) ~= '[' then return {'notlist', 0} end
local length = tonumber(redis.call('HGET', key, 'length') or #cjson.decode(value)) + 1
value = value:sub(1, -2) .. (length > 1 and ',' or '') .. ARGV[6] .. ']'
redis.call('HSET', key, 'value', value, 'length', length, 'w:' .. ARGV[3], length)
redis.call('HSET', key, 'by', ARGV[4], 'at', ARGV[5])
redis.call('HINCRBY', key, 'version', 1)
redis.call('SADD', KEYS[3], ARGV[2])
return {'written', length}
"""
)

# epoch, stream, ids | epoch, id, bound, JSON -> {'written', 1 when it was new}
EMIT = (
    _FENCE
    + """
local place = redis.call('INCR', KEYS[3] .. ':count')
if redis.call('ZADD', KEYS[3], 'NX', place, ARGV[2]) == 0 then return {'written', 0} end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'event', ARGV[4])
redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -(2 * tonumber(ARGV[3])) - 1)
return {'written', 1}
"""
)

# epoch | epoch, then each command as its length and its words -> {'written', number of commands}
COMMIT = (
    _FENCE
    + """
local at, done = 2, 0
while at <= #ARGV do
  local size = tonumber(ARGV[at])
  redis.call(unpack(ARGV, at + 1, at + size))
  at, done = at + size + 1, done + 1
end
return {'written', done}
"""
)

# key, index, taken | name, value, by, at, provenance, write id or '' -> version; a write id that was taken changes
# nothing
ASSERT = """
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or 0)
if ARGV[6] ~= '' then
  local place = redis.call('INCR', KEYS[3] .. ':count')
  if redis.call('ZADD', KEYS[3], 'NX', place, ARGV[6]) == 0 then return version end
  redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -20001)
end
version = version + 1
redis.call('HSET', KEYS[1], 'version', version, 'by', ARGV[3], 'at', ARGV[4])
redis.call('HSET', KEYS[1], 'provenance', ARGV[5], 'value', ARGV[2])
redis.call('SADD', KEYS[2], ARGV[1])
return version
"""

# request, names, queue, queued, runs, workspace runs, workspace claims, run claims | run, request, by, at ->
# 1 when new Claims made before there was a run move into it.
ENQUEUE = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'version', 1, 'by', ARGV[3], 'at', ARGV[4])
redis.call('HSET', KEYS[1], 'provenance', 'null', 'value', ARGV[2])
redis.call('SADD', KEYS[2], 'request')
local time = redis.call('TIME')
local score = time[1] * 1000000 + time[2]
redis.call('ZADD', KEYS[5], score, ARGV[1])
redis.call('ZADD', KEYS[6], score, ARGV[1])
for _, name in ipairs(redis.call('SMEMBERS', KEYS[7])) do
  if redis.call('EXISTS', KEYS[7] .. '/' .. name) == 1 then
    redis.call('RENAME', KEYS[7] .. '/' .. name, KEYS[8] .. '/' .. name)
    redis.call('SADD', KEYS[8], name)
  end
end
redis.call('DEL', KEYS[7])
redis.call('HSET', KEYS[4], ARGV[1], redis.call('XADD', KEYS[3], '*', 'run', ARGV[1]))
return 1
"""

# queue, queued, request | run -> 1 when it was added, 0 when it waits there already, -1 when there is no such
# run
REQUEUE = """
if redis.call('EXISTS', KEYS[3]) == 0 then return -1 end
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], redis.call('XADD', KEYS[1], '*', 'run', ARGV[1]))
return 1
"""

# lease, epoch, queue, queued | owner, milliseconds, run, entry, group -> {epoch, deliveries}, nil when it is leased
# An entry of a leased run goes back as if it had not been handed out, to be claimed when the lease runs out.
ACQUIRE = """
local entry, group, pending = ARGV[4], ARGV[5], nil
if entry ~= '' then pending = redis.call('XPENDING', KEYS[3], group, entry, entry, 1)[1] end
local held, epoch = redis.call('GET', KEYS[1]), nil
if held then
  local owner
  epoch, owner = held:match('^(%d+):(.*)$')
  if owner ~= ARGV[1] then  -- else: our own call, repeated after a lost reply
    if pending then
      local idle = math.max(0, tonumber(ARGV[2]) - redis.call('PTTL', KEYS[1]))
      local before = math.max(0, pending[4] - 1)
      redis.call('XCLAIM', KEYS[3], group, pending[2], 0, entry, 'IDLE', idle, 'RETRYCOUNT', before, 'JUSTID')
    end
    return nil
  end
else
  epoch = redis.call('INCR', KEYS[2])
  redis.call('SET', KEYS[1], epoch .. ':' .. ARGV[1], 'PX', ARGV[2])
end
if redis.call('HGET', KEYS[4], ARGV[3]) == entry then redis.call('HDEL', KEYS[4], ARGV[3]) end
return {tonumber(epoch), pending and pending[4] or 0}
"""

# lease, epoch, queue | owner, milliseconds, own epoch, entry, group, consumer -> 1, or 0 when the lease was
# lost. A lease that ran out and that nobody took is made anew: the way through an outage. One whose entry is done
# is not: a heartbeat that comes late must not hold a run that a door wakes meanwhile.
KEEP = """
if redis.call('GET', KEYS[2]) ~= ARGV[3] then return 0 end
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[3] .. ':' .. ARGV[1] then return 0 end
if #redis.call('XCLAIM', KEYS[3], ARGV[5], ARGV[6], 0, ARGV[4], 'JUSTID') == 0 then return 0 end
redis.call('SET', KEYS[1], ARGV[3] .. ':' .. ARGV[1], 'PX', ARGV[2])
return 1
"""

# lease | owner, own epoch -> 1 when it was ours
RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[2] .. ':' .. ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""

# lease, epoch, queue, state, queued | owner, own epoch, entry, group, run -> 1, or 0 when another runner has it
DONE = """
if redis.call('GET', KEYS[2]) ~= ARGV[2] then return 0 end
redis.call('XACK', KEYS[3], ARGV[4], ARGV[3])
redis.call('XDEL', KEYS[3], ARGV[3])
if redis.call('GET', KEYS[1]) == ARGV[2] .. ':' .. ARGV[1] then redis.call('DEL', KEYS[1]) end
local state = redis.call('HGET', KEYS[4], 'value')
state = state and cjson.decode(state)
if type(state) == 'table' and state.state == 'queued' and redis.call('HEXISTS', KEYS[5], ARGV[5]) == 0 then
  redis.call('HSET', KEYS[5], ARGV[5], redis.call('XADD', KEYS[3], '*', 'run', ARGV[5]))
end
return 1
"""

# state, names, queue, queued, lease | run, expected version, value, by, at -> {'written' or 'conflict', version}
# A door wakes a run: its state and its place in the queue in one step. While a runner still holds the run's lease
# there is no new entry: the runner's DONE makes it.
WAKE = """
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or 0)
if version ~= tonumber(ARGV[2]) then return {'conflict', version} end
redis.call('HSET', KEYS[1], 'version', version + 1, 'by', ARGV[4], 'at', ARGV[5])
redis.call('HSET', KEYS[1], 'provenance', 'null', 'value', ARGV[3])
redis.call('SADD', KEYS[2], 'state')
if redis.call('EXISTS', KEYS[5]) == 0 and redis.call('HEXISTS', KEYS[4], ARGV[1]) == 0 then
  redis.call('HSET', KEYS[4], ARGV[1], redis.call('XADD', KEYS[3], '*', 'run', ARGV[1]))
end
return {'written', version + 1}
"""

# lease, epoch, queue | owner, own epoch, entry, group, consumer, idle milliseconds -> 1, or 0 when another
# has the run
GIVE_BACK = """
if redis.call('GET', KEYS[2]) ~= ARGV[2] then return 0 end
redis.call('XCLAIM', KEYS[3], ARGV[4], ARGV[5], 0, ARGV[3], 'IDLE', ARGV[6], 'JUSTID')
if redis.call('GET', KEYS[1]) == ARGV[2] .. ':' .. ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
"""

# queue | group, consumer -> 1 when the consumer held nothing and is forgotten
LEAVE = """
for _, row in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2])) do return 0 end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return 1
"""

# queue, queued, runs, workspace runs, threads, epoch | run, group: makes every lease stale and forgets the
# run's places
FORGET = """
redis.call('DEL', KEYS[6])
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
  if entry[2][2] == ARGV[1] then
    redis.pcall('XACK', KEYS[1], ARGV[2], entry[1])
    redis.call('XDEL', KEYS[1], entry[1])
  end
end
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
redis.call('SREM', KEYS[5], ARGV[1])
return 1
"""

# checkpoints, pending writes | member -> {record, writes}, read at one moment
CHECKPOINT = """
return {redis.call('HGET', KEYS[1], ARGV[1]), redis.call('HVALS', KEYS[2])}
"""
