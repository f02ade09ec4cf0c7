-- Says for each checkout whether the item can still be had and the buyer may still buy, and, in
-- stream mode, keeps the attempt. A checkout reserves nothing: only facts refuse it, never
-- somebody's unconfirmed claim.
--
-- KEYS   sale       hash    the sale's times, and whether it is loaded
--        claims     hash    item -> "held" or "sold", nonce, buyer
--        buyers     hash    buyer -> items held, items sold
--        attempts   stream  code, buyer, item, outcome, at_ms
-- ARGV   limit      int     most items one buyer may buy
--        stream_max int     most attempts that may wait in the stream; 0: they go elsewhere
--        attempts_expire_at int  when Redis may forget the attempts, Unix seconds
--        then, for each checkout: code (32 hex digits), buyer, item, at_ms (Unix ms)
-- Reply  Redis's clock in ms, then a word for each: available, limit_exceeded, sold_out;
--        or one word alone: not_loaded, not_open, sale_ended, stream_full
--
-- Checks come before writes: a full stream refuses the whole batch, and nothing is trimmed. All is
-- read in two commands; BATCH_MAX keeps `unpack` far below the 8,000 values that Lua's stack holds.

local sale, claims, buyers, attempts = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local limit, stream_max = tonumber(ARGV[1]), tonumber(ARGV[2])
local attempts_expire_at = ARGV[3]

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local times = redis.call('HMGET', sale, 'loaded', 'starts_at', 'ends_at')
if not times[1] then return {now, 'not_loaded'} end
if now < times[2] * 1000 then return {now, 'not_open'} end
if now >= times[3] * 1000 then return {now, 'sale_ended'} end
if stream_max > 0 and redis.call('XLEN', attempts) + (#ARGV - 3) / 4 > stream_max then
  return {now, 'stream_full'}
end

local names, items = {}, {}
for i = 4, #ARGV, 4 do
  names[#names + 1], items[#items + 1] = ARGV[i + 1], ARGV[i + 2]
end
local counts = redis.call('HMGET', buyers, unpack(names))
local holders = redis.call('HMGET', claims, unpack(items))

local reply = {now}
for n = 1, #items do
  local sold = counts[n] and tonumber(string.match(counts[n], '%d+$')) or 0
  local outcome = 'available'
  if sold >= limit then
    outcome = 'limit_exceeded'
  elseif holders[n] and string.sub(holders[n], 1, 4) == 'sold' then
    outcome = 'sold_out'
  end
  if stream_max > 0 then
    redis.call('XADD', attempts, '*', 'code', ARGV[4 * n], 'buyer', names[n],
      'item', items[n], 'outcome', outcome, 'at_ms', ARGV[4 * n + 3])
  end
  reply[n + 1] = outcome
end
if stream_max > 0 then redis.call('EXPIREAT', attempts, attempts_expire_at) end
return reply
