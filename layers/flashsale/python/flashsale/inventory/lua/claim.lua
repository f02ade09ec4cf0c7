-- Takes items for the buyers who hold codes, until the ledger has written them down.
--
-- KEYS   sale      hash    the sale's times, and whether it is loaded
--        claims    hash    item -> "held" or "sold", nonce, buyer
--        buyers    hash    buyer -> items held, items sold
--        pending   zset    item -> when its claim's lease is over, ms
-- ARGV   limit     int     most items one buyer may buy
--        lease_ms  int     how long a claim waits for the ledger
--        expire_at int     when Redis may forget the sale, Unix seconds
--        then, for each claim: nonce (32 hex digits, the idempotency key), buyer, item,
--        expires_at (of the code, Unix seconds)
-- Reply  Redis's clock in ms, then a word for each:
--          claimed         held for this code, now or already
--          sold            this code bought it before
--          sold_out, limit_exceeded            facts, final
--          code_expired, sale_ended            this code holds no claim and comes too late
--          check           somebody's unconfirmed claim stands in the way: ask the ledger
--          overdue         the same, and its lease is over: reconcile, then try again
--        or one word alone: not_loaded, not_open
--
-- Checks come before writes, claim by claim, so a refusal leaves no trace.

local sale, claims, buyers, pending = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local limit, lease_ms, expire_at = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local times = redis.call('HMGET', sale, 'loaded', 'starts_at', 'ends_at')
if not times[1] then return {now, 'not_loaded'} end
if now < times[2] * 1000 then return {now, 'not_open'} end
local ends = times[3] * 1000

local function claim(nonce, buyer, item, expires)
  local holder = redis.call('HGET', claims, item)
  local state = holder and string.sub(holder, 1, 4)
  if holder and string.sub(holder, 6, 37) == nonce then
    if state == 'sold' then return 'sold' end
    redis.call('ZADD', pending, now + lease_ms, item)
    return 'claimed'
  end
  if now >= ends then return 'sale_ended' end
  if now >= expires then return 'code_expired' end
  if state == 'sold' then return 'sold_out' end
  local held, sold = string.match(redis.call('HGET', buyers, buyer) or '0 0', '^(%d+) (%d+)$')
  held, sold = tonumber(held), tonumber(sold)
  if sold >= limit then return 'limit_exceeded' end
  if state then
    local lease_end = tonumber(redis.call('ZSCORE', pending, item) or 0)
    return lease_end < now and 'overdue' or 'check'
  end
  if held + sold >= limit then return 'check' end

  redis.call('HSET', claims, item, 'held ' .. nonce .. ' ' .. buyer)
  redis.call('HSET', buyers, buyer, (held + 1) .. ' ' .. sold)
  redis.call('ZADD', pending, now + lease_ms, item)
  return 'claimed'
end

local reply = {now}
for i = 4, #ARGV, 4 do
  reply[#reply + 1] = claim(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3] * 1000)
end
for i = 2, 4 do redis.call('EXPIREAT', KEYS[i], expire_at) end
return reply
