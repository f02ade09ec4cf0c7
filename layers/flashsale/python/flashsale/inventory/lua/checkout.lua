-- Says for each checkout whether the item can still be had and the buyer may still buy.
-- A checkout reserves nothing: only facts refuse it, never somebody's unconfirmed claim.
--
-- KEYS   sale      hash    the sale's times, and whether it is loaded
--        claims    hash    item -> "held" or "sold", nonce, buyer
--        buyers    hash    buyer -> items held, items sold
-- ARGV   limit     int     most items one buyer may buy
--        then, for each checkout: buyer, item
-- Reply  Redis's clock in ms, then a word for each: available, limit_exceeded, sold_out;
--        or one word alone: not_loaded, not_open, sale_ended

local sale, claims, buyers = KEYS[1], KEYS[2], KEYS[3]
local limit = tonumber(ARGV[1])

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local times = redis.call('HMGET', sale, 'loaded', 'starts_at', 'ends_at')
if not times[1] then return {now, 'not_loaded'} end
if now < times[2] * 1000 then return {now, 'not_open'} end
if now >= times[3] * 1000 then return {now, 'sale_ended'} end

local reply = {now}
for i = 2, #ARGV, 2 do
  local buyer, item = ARGV[i], ARGV[i + 1]
  local counts = redis.call('HGET', buyers, buyer)
  local sold = counts and tonumber(string.match(counts, '%d+$')) or 0
  local holder = redis.call('HGET', claims, item)
  if sold >= limit then
    reply[#reply + 1] = 'limit_exceeded'
  elseif holder and string.sub(holder, 1, 4) == 'sold' then
    reply[#reply + 1] = 'sold_out'
  else
    reply[#reply + 1] = 'available'
  end
end
return reply
