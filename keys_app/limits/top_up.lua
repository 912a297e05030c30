-- Holds more for an open call at all its budgets, or at none. ARGV: prefix, call, amount
local keep = base()
if not keep then return 'reload' end
local hold, amount = keep .. ':c:' .. ARGV[2], tonumber(ARGV[3])
local fields, budgets = redis.call('HGETALL', hold), {}
for i = 1, #fields, 2 do
  if string.sub(fields[i], 1, 2) == 'b:' then
    local held, limit = string.match(fields[i + 1], '^(%d+)|(%d*)$')
    local counter = keep .. ':b:' .. string.sub(fields[i], 3)
    if limit ~= '' then
      if number(counter, 's') + number(counter, 'h') + amount > tonumber(limit) then return 'refused' end
    end
    budgets[#budgets + 1] = {fields[i], counter, whole(tonumber(held) + amount) .. '|' .. limit}
  end
end
for _, budget in ipairs(budgets) do
  redis.call('HINCRBY', budget[2], 'h', ARGV[3])
  redis.call('HSET', hold, budget[1], budget[3])
end
return 'held'
