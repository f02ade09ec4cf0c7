-- Lists claims that have waited for the ledger longer than their lease. Changes nothing.
--
-- KEYS   claims    hash    item -> "held" or "sold", nonce, buyer
--        pending   zset    item -> when its claim's lease is over, ms
-- ARGV   most      int     how many to list
-- Reply  item, nonce, buyer, again and again, the longest overdue first

local claims, pending = KEYS[1], KEYS[2]
local most = tonumber(ARGV[1])

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local reply = {}
local items = redis.call('ZRANGEBYSCORE', pending, '-inf', now, 'LIMIT', 0, most)
for _, item in ipairs(items) do
  local holder = redis.call('HGET', claims, item)
  if holder and string.sub(holder, 1, 4) == 'held' then
    reply[#reply + 1] = item
    reply[#reply + 1] = string.sub(holder, 6, 37)
    reply[#reply + 1] = string.sub(holder, 39)
  end
end
return reply
