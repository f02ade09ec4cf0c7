-- Forgets attempts that PostgreSQL has: only now, and only these.
--
-- KEYS   attempts   stream  code, buyer, item, outcome, at_ms
-- ARGV   group      str     the consumer group that read them
--        then the entries' ids
-- Reply  how many were removed

local attempts = KEYS[1]
local group = ARGV[1]

local removed = 0
for i = 2, #ARGV do
  redis.call('XACK', attempts, group, ARGV[i])
  removed = removed + redis.call('XDEL', attempts, ARGV[i])
end
return removed
