-- Admits requests by token buckets; loaded in front of the scripts whose headers say so.
--
-- key      hash   bucket -> until when its tokens are spent, us: the generic cell rate algorithm
--                 (ITU-T I.371)
-- limits   str    `interval_us burst` for each bucket that a request names
-- names    list   the buckets of all requests, one after the other
-- Returns  wait(n): which limit makes request n wait and for how many ms; nil: it is counted;
--          keep(): write down what was counted

local function rate_limiter(key, limits, names, now_us)
  local intervals, slacks = {}, {}
  for interval, burst in string.gmatch(limits, '(%d+) (%d+)') do
    intervals[#intervals + 1] = tonumber(interval)
    slacks[#slacks + 1] = interval * (burst - 1)
  end
  local spent, counted = {}, {}
  if #names > 0 then
    for n, value in ipairs(redis.call('HMGET', key, unpack(names))) do
      spent[names[n]] = math.max(tonumber(value or 0), now_us)
    end
  end

  local function wait(n)
    local before = (n - 1) * #intervals
    for which, slack in ipairs(slacks) do
      local wait_us = spent[names[before + which]] - slack - now_us
      if wait_us > 0 then return which, math.ceil(wait_us / 1000) end
    end
    for which, interval in ipairs(intervals) do
      local name = names[before + which]
      spent[name] = spent[name] + interval
      counted[name] = spent[name]
    end
  end

  local function keep()
    local written = {}
    for name, until_us in pairs(counted) do
      written[#written + 1], written[#written + 2] = name, string.format('%d', until_us)
    end
    if #written == 0 then return end
    -- A Redis whose memory is full takes no more writes: who asks there is better answered than
    -- counted.
    redis.pcall('HSET', key, unpack(written))
    redis.pcall('EXPIRE', key, 3600)
  end

  return wait, keep
end
