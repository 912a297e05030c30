-- Ends a call's hold and counts its cost. A call that is not held changes nothing.
-- ARGV: prefix, call, cost, tokens, output tokens, cause of a later cost or '', '*' or the budgets it counts for
local keep = base()
if not keep then return 'reload' end
local call, cost, tokens, output, later = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local used = {both = tokens, input = math.max(0, tokens - output), output = output}
local charged = {}
for i = 7, #ARGV do charged[ARGV[i]] = true end
-- Told before its call ended: nothing is to come any more.
if later == '' or redis.call('EXISTS', keep .. ':a:' .. later) == 1 then later = nil end

local fields = release(keep, call, charged, cost, later)
if #fields == 0 then return 'unknown' end
for i = 1, #fields, 2 do
  if string.sub(fields[i], 1, 2) == 'r:' then
    local name, value = string.sub(fields[i], 3), fields[i + 1]
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
