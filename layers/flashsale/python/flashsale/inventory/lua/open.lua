-- Declares a sale loaded: from now on its claims are complete, and scripts may answer from them.
--
-- KEYS   sale      hash    the sale's times, and whether it is loaded
-- ARGV   id        str     the sale's public name
--        starts_at int     Unix seconds
--        ends_at   int     Unix seconds
--        total     int     items in the sale
--        run_id    str     the run of Redis that this knowledge is in
--        expire_at int     when Redis may forget the sale, Unix seconds
-- Reply  1 if this call opened it, 0 if it was open

local sale = KEYS[1]
local id, starts_at, ends_at, total, run_id, expire_at = unpack(ARGV)

local was_loaded = redis.call('HEXISTS', sale, 'loaded')
redis.call('HSET', sale,
  'id', id, 'starts_at', starts_at, 'ends_at', ends_at, 'total', total, 'run_id', run_id,
  'loaded', '1')
redis.call('EXPIREAT', sale, expire_at)
return 1 - was_loaded
