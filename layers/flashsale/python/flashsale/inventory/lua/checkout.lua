-- Says for each checkout whether the item can still be had and the buyer may still buy, and, in
-- stream mode, keeps the attempt. A checkout reserves nothing: only facts refuse it, never
-- somebody's unconfirmed claim.
--
-- With   rates.lua
-- KEYS   sale       hash    the sale's times, and whether it is loaded
--        claims     hash    item -> "held" or "sold", nonce, buyer
--        buyers     hash    buyer -> items held, items sold
--        attempts   stream  code, buyer, item, outcome, at_ms
--        rates      hash    as in rates.lua
-- ARGV   limit      int     most items one buyer may buy
--        stream_max int     most attempts that may wait in the stream; 0: they go elsewhere
--        attempts_expire_at int  when Redis may forget the attempts, Unix seconds
--        rate_limits str    as in rates.lua
--        then, for each checkout: code (32 hex digits), buyer, item, at_ms (Unix ms), and the
--        name of a bucket for each of the rate limits
-- Reply  Redis's clock in ms, then a word for each: available, limit_exceeded, sold_out, or
--        "rate_limited", which limit, ms to wait, with spaces between;
--        or one word alone: not_loaded, not_open, sale_ended, stream_full
--
-- Checks come before writes: a full stream refuses the whole batch, and nothing is trimmed. All is
-- read in two commands; BATCH_MAX keeps `unpack` far below the 8,000 values that Lua's stack holds.

local sale, claims, buyers, attempts, rates = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local limit, stream_max = tonumber(ARGV[1]), tonumber(ARGV[2])
local attempts_expire_at, rate_limits = ARGV[3], ARGV[4]
local size = 4 + select(2, string.gsub(rate_limits, '%d+ %d+', ''))

local clock = redis.call('TIME')
local now_us = clock[1] * 1000000 + clock[2]
local now = math.floor(now_us / 1000)
local times = redis.call('HMGET', sale, 'loaded', 'starts_at', 'ends_at')
if not times[1] then return {now, 'not_loaded'} end
if now < times[2] * 1000 then return {now, 'not_open'} end
if now >= times[3] * 1000 then return {now, 'sale_ended'} end
if stream_max > 0 and redis.call('XLEN', attempts) + (#ARGV - 4) / size > stream_max then
  return {now, 'stream_full'}
end

local names, items, buckets = {}, {}, {}
for i = 5, #ARGV, size do
  names[#names + 1], items[#items + 1] = ARGV[i + 1], ARGV[i + 2]
  for n = i + 4, i + size - 1 do buckets[#buckets + 1] = ARGV[n] end
end
local wait, keep_rates = rate_limiter(rates, rate_limits, buckets, now_us)
local counts = redis.call('HMGET', buyers, unpack(names))
local holders = redis.call('HMGET', claims, unpack(items))

local reply = {now}
for n = 1, #items do
  local sold = counts[n] and tonumber(string.match(counts[n], '%d+$')) or 0
  local outcome = 'available'
  local which, wait_ms = wait(n)
  if which then
    outcome = 'rate_limited ' .. which .. ' ' .. wait_ms
  elseif sold >= limit then
    outcome = 'limit_exceeded'
  elseif holders[n] and string.sub(holders[n], 1, 4) == 'sold' then
    outcome = 'sold_out'
  end
  if stream_max > 0 and not which then
    local first = 5 + (n - 1) * size
    redis.call('XADD', attempts, '*', 'code', ARGV[first], 'buyer', names[n],
      'item', items[n], 'outcome', outcome, 'at_ms', ARGV[first + 3])
  end
  reply[n + 1] = outcome
end
if stream_max > 0 then redis.call('EXPIREAT', attempts, attempts_expire_at) end
keep_rates()
return reply
