-- Tells how a sale stands. Changes nothing.
--
-- KEYS   sale      hash    the sale's times, and whether it is loaded
--        claims    hash    item -> "held" or "sold", nonce, buyer
--        pending   zset    item -> when its claim's lease is over, ms
-- ARGV   none
-- Reply  Redis's clock in ms, 1 if the sale is loaded, items sold

local sale, claims, pending = KEYS[1], KEYS[2], KEYS[3]

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
-- Every claim is either sold or pending.
local sold = redis.call('HLEN', claims) - redis.call('ZCARD', pending)
return {now, redis.call('HEXISTS', sale, 'loaded'), sold}
