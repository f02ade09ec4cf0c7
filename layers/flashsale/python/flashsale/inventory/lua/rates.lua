-- Admits requests by token buckets; loaded in front of the scripts whose headers say so.
--
-- key      hash   bucket -> until when its tokens are spent, us: the generic cell rate algorithm
--                 (ITU-T I.371)
-- limits   str    `interval_us burst` for each bucket that a request names
-- names    list   the buckets of all requests, one after the other
-- Returns  wait(n): which limit makes request n wait and for how many ms; nil: it is counted;
--          keep(): write down what was counted

local function rate_limiter(key, limits, names, now_us)
  local intervals, slacks, spent, counted = {}, {}, {}, {}
  for interval, burst in string.gmatch(limits, '(%d+) (%d+)') do
    intervals[#intervals + 1] = tonumber(interval)
    slacks[#slacks + 1] = interval * (burst - 1)
  end
  local size = #intervals
  if size > 0 then
    for n, value in ipairs(redis.call('HMGET', key, unpack(names))) do
      value = value and tonumber(value) or now_us
      spent[names[n]] = value < now_us and now_us or value
    end
  end

  local function wait(n)
    local before = (n - 1) * size
    for which = 1, size do
      local wait_us = spent[names[before + which]] - slacks[which] - now_us
      if wait_us > 0 then return which, math.ceil(wait_us / 1000) end
    end
    for which = 1, size do
      local name = names[before + which]
      local until_us = spent[name] + intervals[which]
      spent[name], counted[name] = until_us, until_us
    end
  end

  local function keep()
    local written, last = {}, 0
    for name, until_us in pairs(counted) do
      written[last + 1], written[last + 2] = name, string.format('%d', until_us)
      last = last + 2
    end
    if last == 0 then return end
    -- A Redis whose memory is full takes no more writes: who asks there is better answered than
    -- counted.
    redis.pcall('HSET', key, unpack(written))
    redis.pcall('EXPIRE', key, 3600)
  end

  return wait, keep
end
