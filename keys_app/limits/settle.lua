-- Ends a call's hold and counts its cost. A call that is not held changes nothing.
-- ARGV: prefix, call, cost, tokens, output tokens, '*' or the budgets it counts for
local keep = base()
if not keep then return 'reload' end
local call, cost, tokens, output = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local used = {both = tokens, input = math.max(0, tokens - output), output = output}
local hold = keep .. ':c:' .. call
local fields = redis.call('HGETALL', hold)
if #fields == 0 then return 'unknown' end
redis.call('DEL', hold)
redis.call('ZREM', keep .. ':open', call)

local charged = {}
for i = 6, #ARGV do charged[ARGV[i]] = true end

for i = 1, #fields, 2 do
  local kind, name, value = string.sub(fields[i], 1, 2), string.sub(fields[i], 3), fields[i + 1]
  if kind == 'b:' then
    local counter = keep .. ':b:' .. name
    -- A counter that expired with its period must not come back with a remainder.
    if redis.call('EXISTS', counter) == 1 then
      local held = string.match(value, '^(%d+)|')
      if held ~= '0' then redis.call('HINCRBY', counter, 'h', '-' .. held) end  -- '-0' is no integer
      redis.call('HINCRBY', counter, 'n', -1)
      if charged['*'] or charged[name] then redis.call('HINCRBY', counter, 's', cost) end
    end
  elseif kind == 'r:' then
    local window = keep .. ':w:' .. name
    local entry, counted, counts = string.match(value, '^(%d+)|(%d+)|(%a+)$')
    redis.call('SREM', keep .. ':p:' .. name, call)
    if redis.call('HEXISTS', window, 'k' .. entry) == 1 then
      local difference = whole(used[counts] - tonumber(counted))
      redis.call('HINCRBY', window, 'k' .. entry, difference)
      redis.call('HINCRBY', window, 'tk', difference)
    end
  end
end
return 'settled'
