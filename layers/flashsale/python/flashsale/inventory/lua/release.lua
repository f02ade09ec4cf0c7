-- Gives back claims whose codes will never sell: the ledger has said so, for good.
--
-- KEYS   claims    hash    item -> "held" or "sold", nonce, buyer
--        buyers    hash    buyer -> items held, items sold
--        pending   zset    item -> when its claim's lease is over, ms
-- ARGV   for each claim: nonce, item
-- Reply  how many were given back; a claim that is sold, or another code's, stays

local claims, buyers, pending = KEYS[1], KEYS[2], KEYS[3]

local released = 0
for i = 1, #ARGV, 2 do
  local nonce, item = ARGV[i], ARGV[i + 1]
  local holder = redis.call('HGET', claims, item)
  if holder and string.sub(holder, 1, 37) == 'held ' .. nonce then
    local buyer = string.sub(holder, 39)
    local held, sold = string.match(redis.call('HGET', buyers, buyer) or '1 0', '^(%d+) (%d+)$')
    redis.call('HDEL', claims, item)
    redis.call('ZREM', pending, item)
    redis.call('HSET', buyers, buyer, math.max(held - 1, 0) .. ' ' .. sold)
    released = released + 1
  end
end
return released
