-- Shared by the scripts: where things are kept, and the sliding minute of one rate limit.
--   <base>:b:<budget>/<period>  hash  s spent, h held, n calls in flight, w of h for costs that come later
--                                     (nanodollars as integers)
--   <base>:w:<rate>             hash  hd, tl first and next entry; rq, tk sums; f l r k <entry>
--   <base>:p:<rate>             set   calls open now
--   <base>:c:<call>             hash  at; b:<budget> = amount|limit; r:<rate> = entry|tokens|which
--                                     (a cost that comes later: its cause stands for the call, and w is set)
--   <base>:open                 zset  calls by the time of their reservation
-- All keys share one hash tag, so that a cluster keeps them in one slot.
local WINDOW, MERGE = 60000, 100

local function base()
  local epoch = redis.call('HGET', KEYS[1], 'id')
  return epoch and (ARGV[1] .. ':' .. epoch)
end

-- Tostring would write large numbers with an exponent.
local function whole(number) return string.format('%.0f', number) end

local function number(key, field) return tonumber(redis.call('HGET', key, field) or '0') end

-- Forgets what is older than a minute; answers first entry, next entry, requests, tokens.
local function slide(key, now)
  local window = redis.call('HMGET', key, 'hd', 'tl', 'rq', 'tk')
  local head, tail = tonumber(window[1] or '0'), tonumber(window[2] or '0')
  local requests, tokens = tonumber(window[3] or '0'), tonumber(window[4] or '0')
  local first = head
  while head < tail do
    local entry = redis.call('HMGET', key, 'l' .. head, 'r' .. head, 'k' .. head)
    if tonumber(entry[1]) + WINDOW > now then break end
    requests, tokens = requests - tonumber(entry[2]), tokens - tonumber(entry[3])
    redis.call('HDEL', key, 'f' .. head, 'l' .. head, 'r' .. head, 'k' .. head)
    head = head + 1
  end
  if head ~= first then
    redis.call('HSET', key, 'hd', head, 'rq', whole(requests), 'tk', whole(tokens))
  end
  return head, tail, requests, tokens
end

-- How long until nothing of the minute counts any more.
local function reset(key, head, tail, now)
  if head == tail then return 0 end
  return number(key, 'l' .. (tail - 1)) + WINDOW - now
end

-- How long until so many requests and tokens have stopped counting.
local function wait(key, head, tail, requests, tokens, now)
  for entry = head, tail - 1 do
    requests = requests - number(key, 'r' .. entry)
    tokens = tokens - number(key, 'k' .. entry)
    if requests <= 0 and tokens <= 0 then
      return math.max(1, number(key, 'l' .. entry) + WINDOW - now)
    end
  end
  return WINDOW
end

-- Ends what a call holds of budgets, and counts its cost at those it is charged to: all of them, with '*'.
-- With `later`, what those hold stays held under that name. Answers the fields of the hold, none if unknown.
local function release(keep, call, charged, cost, later)
  local hold = keep .. ':c:' .. call
  local fields, at, kept = redis.call('HGETALL', hold), nil, {}
  local waited = redis.call('HEXISTS', hold, 'w') == 1
  redis.call('DEL', hold)
  redis.call('ZREM', keep .. ':open', call)
  for i = 1, #fields, 2 do
    local kind, name, value = string.sub(fields[i], 1, 2), string.sub(fields[i], 3), fields[i + 1]
    local counter = keep .. ':b:' .. name
    if fields[i] == 'at' then at = value end
    -- A counter that expired with its period must not come back with a remainder.
    if kind == 'b:' and redis.call('EXISTS', counter) == 1 then
      local counts, held = charged['*'] or charged[name], string.match(value, '^(%d+)|')
      if counts then redis.call('HINCRBY', counter, 's', cost) end
      if counts and later then
        kept[#kept + 1] = fields[i]
        kept[#kept + 1] = value
        redis.call('HINCRBY', counter, 'w', held)
      else
        if held ~= '0' then  -- '-0' is no integer
          redis.call('HINCRBY', counter, 'h', '-' .. held)
          if waited then redis.call('HINCRBY', counter, 'w', '-' .. held) end
        end
        redis.call('HINCRBY', counter, 'n', -1)
      end
    end
  end
  if #kept > 0 then
    redis.call('HSET', keep .. ':c:' .. later, 'at', at, 'w', 1, unpack(kept))
    redis.call('ZADD', keep .. ':open', at, later)
  end
  return fields
end
