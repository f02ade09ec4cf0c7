-- Writes down what the ledger has decided: these items are sold. Repeating it changes nothing, and
-- it mends a Redis that forgot, or that let somebody else hold the item meanwhile.
--
-- KEYS   claims    hash    item -> "held" or "sold", nonce, buyer
--        buyers    hash    buyer -> items held, items sold
--        pending   zset    item -> when its claim's lease is over, ms
-- ARGV   expire_at int     when Redis may forget the sale, Unix seconds
--        then, for each sale: nonce, buyer, item
-- Reply  how many were news
--
-- All is read first and written last, in a command for each key.

local claims, buyers, pending = KEYS[1], KEYS[2], KEYS[3]
local expire_at = ARGV[1]

local names, items = {}, {}
for i = 2, #ARGV, 3 do
  names[#names + 1], items[#items + 1] = ARGV[i + 1], ARGV[i + 2]
end
local holders, counts = {}, {}
for n, holder in ipairs(redis.call('HMGET', claims, unpack(items))) do
  holders[items[n]] = holder
end
for n, counted in ipairs(redis.call('HMGET', buyers, unpack(names))) do
  counts[names[n]] = counted or '0 0'
end
local changed = {}

local function count(buyer, held_more, sold_more)
  local counted = counts[buyer] or redis.call('HGET', buyers, buyer) or '0 0'
  local held, sold = string.match(counted, '^(%d+) (%d+)$')
  held, sold = math.max(held + held_more, 0), math.max(sold + sold_more, 0)
  counts[buyer] = held .. ' ' .. sold
  changed[buyer] = true
end

local facts, settled = {}, {}
for i = 2, #ARGV, 3 do
  local nonce, buyer, item = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local fact = 'sold ' .. nonce .. ' ' .. buyer
  local holder = holders[item]
  if holder ~= fact then
    if holder then
      local was_held = string.sub(holder, 1, 4) == 'held'
      count(string.sub(holder, 39), was_held and -1 or 0, was_held and 0 or -1)
    end
    count(buyer, 0, 1)
    holders[item] = fact
    facts[#facts + 1], facts[#facts + 2] = item, fact
    settled[#settled + 1] = item
  end
end
if #settled > 0 then
  local counted = {}
  for buyer in pairs(changed) do
    counted[#counted + 1], counted[#counted + 2] = buyer, counts[buyer]
  end
  redis.call('HSET', claims, unpack(facts))
  redis.call('HSET', buyers, unpack(counted))
  redis.call('ZREM', pending, unpack(settled))
end
for i = 1, 3 do redis.call('EXPIREAT', KEYS[i], expire_at) end
return #settled
