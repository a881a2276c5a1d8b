"""The steps of `memory.py` as scripts that Redis runs at one go, by its own clock.

Each key has the name of the place in braces, so that a cluster has all of them on one node. All of them expire. Beside
what the memory counts there is a line of those who wait, over all processes (`queue`, `seen`), and those under way have
to be renewed (`leases`): a process that died holds nothing.
"""

from __future__ import annotations

from typing import Final

KEYS: Final = ("requests", "minute", "day", "held", "leases", "queue", "seen", "until")

_COMMON = """
local requests, minute, day, held, leases, queue, seen, till = unpack(KEYS)
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local PARTS = 60
local function part(at, span) return math.floor(at / span * PARTS) end
local function add(key, at, amount, span)
  redis.call('HINCRBY', key, at, amount)
  redis.call('PEXPIRE', key, math.ceil(span * 3000) + 60000)
end
local function take_back(key, at, amount)
  if amount > 0 and redis.call('HEXISTS', key, at) == 1 then redis.call('HINCRBY', key, at, -amount) end
end
local function pause(seconds)
  local before = tonumber(redis.call('GET', till) or 0)
  if seconds > 0 and now + seconds > before then
    redis.call('SET', till, string.format('%.6f', now + seconds), 'PX', math.ceil(seconds * 1000))
  end
end
"""

TAKE: Final = (
    _COMMON
    + """
local id, tokens, span, day_span = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local most = {tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])}
local concurrency, travel, lease, glance = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local known, patience = ARGV[12] == '1', tonumber(ARGV[13])
if redis.call('HEXISTS', held, id) == 1 then return {} end
if known and redis.call('EXISTS', requests) == 0 then pause(span) end
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', seen, '-inf', now)) do
  redis.call('ZREM', seen, gone)
  redis.call('ZREM', queue, gone)
end
if not redis.call('ZSCORE', queue, id) then
  local last = redis.call('ZRANGE', queue, -1, -1, 'WITHSCORES')
  redis.call('ZADD', queue, (tonumber(last[2]) or 0) + 1, id)
end
redis.call('ZADD', seen, now + patience, id)
redis.call('PEXPIRE', queue, math.ceil(patience * 2000))
redis.call('PEXPIRE', seen, math.ceil(patience * 2000))
if redis.call('ZRANGE', queue, 0, 0)[1] ~= id then return {tostring(glance), 'turn'} end
local wait = tonumber(redis.call('GET', till) or 0) - now
if wait > 0 then return {tostring(wait), 'host'} end
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now)) do
  redis.call('ZREM', leases, gone)
  redis.call('HDEL', held, gone)
end
if concurrency > 0 and redis.call('ZCARD', leases) >= concurrency then return {tostring(glance), 'concurrency'} end
local names = {'requests_per_minute', 'tokens_per_minute', 'tokens_per_day'}
local spans, amounts = {span, span, day_span}, {1, tokens, tokens}
for i, key in ipairs({requests, minute, day}) do
  local width, total, parts = spans[i] / PARTS, 0, {}
  local all = redis.call('HGETALL', key)
  for j = 1, #all, 2 do
    local at, amount = tonumber(all[j]), tonumber(all[j + 1])
    if (at + 1) * width + spans[i] <= now then redis.call('HDEL', key, all[j])
    else total = total + amount; parts[#parts + 1] = {at, amount} end
  end
  local over = total + math.min(amounts[i], most[i]) - most[i]
  if most[i] > 0 and over > 0 then
    table.sort(parts, function(a, b) return a[1] < b[1] end)
    for _, one in ipairs(parts) do
      over = over - one[2]
      if over <= 0 then return {tostring((one[1] + 1) * width + spans[i] - now), names[i]} end
    end
    return {tostring(spans[i]), names[i]}
  end
end
local at, at_day = part(now + travel, span), part(now + travel, day_span)
add(requests, at, 1, span)
add(minute, at, tokens, span)
add(day, at_day, tokens, day_span)
redis.call('HSET', held, id, at .. ' ' .. at_day .. ' ' .. ARGV[2])
redis.call('PEXPIRE', held, math.ceil(lease * 2000))
redis.call('ZADD', leases, now + lease, id)
redis.call('PEXPIRE', leases, math.ceil(lease * 2000))
redis.call('ZREM', queue, id)
redis.call('ZREM', seen, id)
return {}
"""
)
"""Takes id, tokens, spans of the windows, their limits, concurrency, and seconds: travel, lease, glance; whether this
process has counted something here within the last minute, which is gone when the Redis has been emptied; and seconds
after which one that waits and does not ask again is forgotten. Returns seconds and a limit, or nothing when it may be
sent."""

END: Final = (
    _COMMON
    + """
local id, sent, age, came = ARGV[1], ARGV[2] == '1', tonumber(ARGV[3]), tonumber(ARGV[4])
local asked, span, day_span = ARGV[5] == '1', tonumber(ARGV[6]), tonumber(ARGV[7])
pause(tonumber(ARGV[8]))
redis.call('ZREM', queue, id)
redis.call('ZREM', seen, id)
redis.call('ZREM', leases, id)
local known = redis.call('HGET', held, id)
if not known then return end
redis.call('HDEL', held, id)
local at, at_day, tokens = string.match(known, '(%d+) (%d+) (%d+)')
at, at_day, tokens = tonumber(at), tonumber(at_day), tonumber(tokens)
local had = at
if age >= 0 then had = math.min(at, part(now - age, span)) end
if not sent or (had < at and redis.call('HEXISTS', requests, at) == 1) then
  take_back(requests, at, 1)
  add(requests, had, sent and 1 or 0, span)
end
if not sent then came = 0 elseif came < 0 then came = tokens end
if asked then
  take_back(minute, at, tokens)
  add(minute, had, math.max(came, tokens), span)
elseif came ~= tokens then
  take_back(minute, at, tokens)
  add(minute, part(now, span), came, span)
end
if came ~= tokens then
  take_back(day, at_day, tokens)
  add(day, part(now, day_span), came, day_span)
end
"""
)
"""Takes id, the fields of an `Outcome` (-1 for None) with the spans of the windows before its pause."""

PAUSE: Final = f"{_COMMON}\npause(tonumber(ARGV[1]))"

RENEW: Final = (
    _COMMON
    + """
for i = 2, #ARGV do redis.call('ZADD', leases, now + tonumber(ARGV[1]), ARGV[i]) end
redis.call('PEXPIRE', leases, math.ceil(tonumber(ARGV[1]) * 2000))
redis.call('PEXPIRE', held, math.ceil(tonumber(ARGV[1]) * 2000))
"""
)
"""Takes the seconds of a lease and the ids that have one."""
