-- Takes items for the buyers who hold codes, until the ledger has written them down.
--
-- With   rates.lua
-- KEYS   sale      hash    the sale's times, and whether it is loaded
--        claims    hash    item -> "held" or "sold", nonce, buyer
--        buyers    hash    buyer -> items held, items sold
--        pending   zset    item -> when its claim's lease is over, ms
--        rates     hash    as in rates.lua
-- ARGV   limit     int     most items one buyer may buy
--        lease_ms  int     how long a claim waits for the ledger
--        expire_at int     when Redis may forget the sale, Unix seconds
--        rate_limits str   as in rates.lua
--        then, for each claim: nonce (32 hex digits, the idempotency key), buyer, item,
--        expires_at (of the code, Unix seconds), and the name of a bucket for each of the rate
--        limits
-- Reply  Redis's clock in ms, then a word for each:
--          claimed         held for this code, now or already
--          sold            this code bought it before
--          sold_out, limit_exceeded            facts, final
--          code_expired, sale_ended            this code holds no claim and comes too late
--          check           somebody's unconfirmed claim stands in the way: ask the ledger
--          overdue         the same, and its lease is over: reconcile, then try again
--          rate_limited    with which limit and ms to wait, spaces between: nothing was done
--        or one word alone: not_loaded, not_open
--
-- All is read first and written last, in a command for each key: an error leaves nothing behind.
-- `holders` and `counts` are what the keys will hold, so a claim sees those before it in the batch.

local sale, claims, buyers, pending, rates = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local limit, lease_ms, expire_at = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local rate_limits = ARGV[4]
local size = 4 + select(2, string.gsub(rate_limits, '%d+ %d+', ''))

local clock = redis.call('TIME')
local now_us = clock[1] * 1000000 + clock[2]
local now = math.floor(now_us / 1000)
local times = redis.call('HMGET', sale, 'loaded', 'starts_at', 'ends_at')
if not times[1] then return {now, 'not_loaded'} end
if now < times[2] * 1000 then return {now, 'not_open'} end
local ends = times[3] * 1000

local names, items, buckets = {}, {}, {}
for i = 5, #ARGV, size do
  names[#names + 1], items[#items + 1] = ARGV[i + 1], ARGV[i + 2]
  for n = i + 4, i + size - 1 do buckets[#buckets + 1] = ARGV[n] end
end
local wait, keep_rates = rate_limiter(rates, rate_limits, buckets, now_us)
local holders, counts = {}, {}
for n, holder in ipairs(redis.call('HMGET', claims, unpack(items))) do
  holders[items[n]] = holder
end
for n, count in ipairs(redis.call('HMGET', buyers, unpack(names))) do
  counts[names[n]] = count or '0 0'
end
local held_now, counted, leased, ends_of = {}, {}, {}, {}

local function lease(item)
  ends_of[item] = now + lease_ms
  leased[#leased + 1], leased[#leased + 2] = ends_of[item], item
end

local function claim(nonce, buyer, item, expires)
  local holder = holders[item]
  local state = holder and string.sub(holder, 1, 4)
  if holder and string.sub(holder, 6, 37) == nonce then
    if state == 'sold' then return 'sold' end
    lease(item)
    return 'claimed'
  end
  if now >= ends then return 'sale_ended' end
  if now >= expires then return 'code_expired' end
  if state == 'sold' then return 'sold_out' end
  local held, sold = string.match(counts[buyer], '^(%d+) (%d+)$')
  held, sold = tonumber(held), tonumber(sold)
  if sold >= limit then return 'limit_exceeded' end
  if state then
    local lease_end = ends_of[item] or tonumber(redis.call('ZSCORE', pending, item) or 0)
    return lease_end < now and 'overdue' or 'check'
  end
  if held + sold >= limit then return 'check' end

  holders[item] = 'held ' .. nonce .. ' ' .. buyer
  held_now[#held_now + 1], held_now[#held_now + 2] = item, holders[item]
  counts[buyer] = (held + 1) .. ' ' .. sold
  counted[#counted + 1], counted[#counted + 2] = buyer, counts[buyer]
  lease(item)
  return 'claimed'
end

local reply = {now}
for i = 5, #ARGV, size do
  local which, wait_ms = wait(#reply)
  reply[#reply + 1] = which and 'rate_limited ' .. which .. ' ' .. wait_ms
    or claim(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3] * 1000)
end
if #held_now > 0 then
  redis.call('HSET', claims, unpack(held_now))
  redis.call('HSET', buyers, unpack(counted))
end
if #leased > 0 then redis.call('ZADD', pending, unpack(leased)) end
for i = 2, 4 do redis.call('EXPIREAT', KEYS[i], expire_at) end
keep_rates()
return reply
