-- Shared by the scripts: where things are kept, and the sliding minute of one rate limit.
--   <base>:b:<budget>/<period>  hash  s spent, h held, n calls in flight (nanodollars as integers)
--   <base>:w:<rate>             hash  hd, tl first and next entry; rq, tk sums; f l r k <entry>
--   <base>:p:<rate>             set   calls open now
--   <base>:c:<call>             hash  at; b:<budget> = amount|limit; r:<rate> = entry|tokens|which
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
