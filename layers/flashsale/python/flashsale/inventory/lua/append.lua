-- Keeps attempts that PostgreSQL could not take, until it can.
--
-- KEYS   attempts   stream  code, buyer, item, outcome, at_ms
-- ARGV   stream_max int     most attempts that may wait in the stream
--        attempts_expire_at int  when Redis may forget the attempts, Unix seconds
--        then, for each attempt: code (32 hex digits), buyer, item, outcome, at_ms (Unix ms)
-- Reply  1, or 0 if there is no room for all of them: then none is kept, and nothing is trimmed

local attempts = KEYS[1]
local stream_max, attempts_expire_at = tonumber(ARGV[1]), ARGV[2]

if redis.call('XLEN', attempts) + (#ARGV - 2) / 5 > stream_max then return 0 end
for i = 3, #ARGV, 5 do
  redis.call('XADD', attempts, '*', 'code', ARGV[i], 'buyer', ARGV[i + 1], 'item', ARGV[i + 2],
    'outcome', ARGV[i + 3], 'at_ms', ARGV[i + 4])
end
redis.call('EXPIREAT', attempts, attempts_expire_at)
return 1
