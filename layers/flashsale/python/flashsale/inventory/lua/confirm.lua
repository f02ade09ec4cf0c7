-- Writes down what the ledger has decided: these items are sold. Repeating it changes nothing, and
-- it mends a Redis that forgot, or that let somebody else hold the item meanwhile.
--
-- KEYS   claims    hash    item -> "held" or "sold", nonce, buyer
--        buyers    hash    buyer -> items held, items sold
--        pending   zset    item -> when its claim's lease is over, ms
-- ARGV   expire_at int     when Redis may forget the sale, Unix seconds
--        then, for each sale: nonce, buyer, item
-- Reply  how many were news

local claims, buyers, pending = KEYS[1], KEYS[2], KEYS[3]
local expire_at = ARGV[1]

local function count(buyer, held_more, sold_more)
  local held, sold = string.match(redis.call('HGET', buyers, buyer) or '0 0', '^(%d+) (%d+)$')
  held, sold = math.max(held + held_more, 0), math.max(sold + sold_more, 0)
  redis.call('HSET', buyers, buyer, held .. ' ' .. sold)
end

local news = 0
for i = 2, #ARGV, 3 do
  local nonce, buyer, item = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local fact = 'sold ' .. nonce .. ' ' .. buyer
  local holder = redis.call('HGET', claims, item)
  if holder ~= fact then
    if holder then
      local was_held = string.sub(holder, 1, 4) == 'held'
      count(string.sub(holder, 39), was_held and -1 or 0, was_held and 0 or -1)
    end
    redis.call('HSET', claims, item, fact)
    redis.call('ZREM', pending, item)
    count(buyer, 0, 1)
    news = news + 1
  end
end
for i = 1, 3 do redis.call('EXPIREAT', KEYS[i], expire_at) end
return news
