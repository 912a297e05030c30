-- Admits a call at all levels or at none.
-- ARGV: prefix, call, now, amount, least or '', number of budgets, number of rates,
--       then (name, hard limit or '', end of period or '')
--       and (name, requests, tokens, parallel or '', tokens of this call, which: both, input, output).
-- Answers reload | budget i spent held calls asked later | requests i left reset wait |
--         tokens i left reset wait | parallel i | ok 'held (spent held known)* (requests tokens open reset)*'
-- The last in one text: the client's reading of two dozen answers costs more than all the rest. A budget's
-- figures are of before this call; `known` is what of `held` the call held already.
local keep = base()
if not keep then return {'reload'} end
local call, now = ARGV[2], tonumber(ARGV[3])
local wanted, least = tonumber(ARGV[4]), tonumber(ARGV[5])
local amount, refusal = wanted, nil
local hold = keep .. ':c:' .. call
local budgets, rates, at = {}, {}, 8

for i = 1, tonumber(ARGV[6]) do
  local name, limit = ARGV[at], ARGV[at + 1]
  local budget = {name = name, limit = limit, ends = ARGV[at + 2], key = keep .. ':b:' .. name}
  local known = redis.call('HGET', hold, 'b:' .. name)
  budget.known = known and tonumber(string.match(known, '^(%d+)|'))
  local held_before = budget.known or 0
  local counter = redis.call('HMGET', budget.key, 's', 'h', 'n', 'w')
  local spent, held = counter[1] or '0', counter[2] or '0'
  budget.spent, budget.held = spent, held
  if limit ~= '' and wanted > held_before then
    local room = tonumber(limit) - tonumber(spent) - tonumber(held) + held_before
    if wanted > room then
      local asked = whole(wanted - held_before)
      refusal = refusal or {'budget', i, spent, held, counter[3] or '0', asked, counter[4] or '0'}
      amount = math.min(amount, math.max(room, held_before))
    end
  end
  budgets[i] = budget
  at = at + 3
end
-- Where not all of it is left, what is left will do, as long as it is worth a call.
if refusal and not (least and amount >= least) then return refusal end

for i = 1, tonumber(ARGV[7]) do
  local rate = {name = ARGV[at], parallel = tonumber(ARGV[at + 3]), asked = ARGV[at + 4], counts = ARGV[at + 5]}
  local tokens = tonumber(rate.asked)
  rate.key, rate.calls = keep .. ':w:' .. rate.name, keep .. ':p:' .. rate.name
  rate.held = redis.call('HEXISTS', hold, 'r:' .. rate.name) == 1
  local head, tail, requests, used = slide(rate.key, now)
  rate.head, rate.tail, rate.requests, rate.tokens = head, tail, requests, used
  if not rate.held then
    local limit = tonumber(ARGV[at + 1])
    if limit and requests >= limit then
      local pause = wait(rate.key, head, tail, requests - limit + 1, 0, now)
      return {'requests', i, 0, reset(rate.key, head, tail, now), pause}
    end
    limit = tonumber(ARGV[at + 2])
    -- A call larger than the whole limit may pass alone: it could never pass otherwise.
    if limit and used > 0 and used + tokens > limit then
      local pause = wait(rate.key, head, tail, 0, math.min(used, used + tokens - limit), now)
      return {'tokens', i, math.max(0, limit - used), reset(rate.key, head, tail, now), pause}
    end
  end
  rate.open = rate.parallel and redis.call('SCARD', rate.calls) or 0
  if rate.parallel and not rate.held and rate.open >= rate.parallel then
    return {'parallel', i}
  end
  rates[i] = rate
  at = at + 6
end

-- Admitted: from here on nothing is refused.
redis.call('HSETNX', hold, 'at', now)
redis.call('ZADD', keep .. ':open', 'NX', now, call)
for _, budget in ipairs(budgets) do
  local asked = amount - (budget.known or 0)
  if not budget.known then redis.call('HINCRBY', budget.key, 'n', 1) end
  if not budget.known or asked > 0 then
    redis.call('HINCRBY', budget.key, 'h', whole(asked))
    redis.call('HSET', hold, 'b:' .. budget.name, whole(amount) .. '|' .. budget.limit)
  end
  if budget.ends == '' then
    redis.call('PERSIST', budget.key)
  else
    local left = math.max(0, tonumber(budget.ends) - now)
    redis.call('PEXPIRE', budget.key, whole(left + 8 * 86400000))
  end
end

local told = {whole(amount)}
for _, budget in ipairs(budgets) do
  told[#told + 1] = budget.spent
  told[#told + 1] = budget.held
  told[#told + 1] = whole(budget.known or 0)
end
for _, rate in ipairs(rates) do
  if not rate.held then
    local entry = rate.tail - 1
    if rate.head == rate.tail or now - number(rate.key, 'f' .. entry) >= MERGE then
      entry = rate.tail
      rate.tail = rate.tail + 1
      redis.call('HSET', rate.key, 'hd', rate.head, 'tl', rate.tail, 'f' .. entry, now, 'l' .. entry, now)
    elseif number(rate.key, 'l' .. entry) < now then
      redis.call('HSET', rate.key, 'l' .. entry, now)
    end
    redis.call('HINCRBY', rate.key, 'r' .. entry, 1)
    redis.call('HINCRBY', rate.key, 'k' .. entry, rate.asked)
    redis.call('HINCRBY', rate.key, 'rq', 1)
    redis.call('HINCRBY', rate.key, 'tk', rate.asked)
    redis.call('PEXPIRE', rate.key, 2 * WINDOW)
    redis.call('SADD', rate.calls, call)
    redis.call('HSET', hold, 'r:' .. rate.name, entry .. '|' .. rate.asked .. '|' .. rate.counts)
    rate.requests, rate.tokens, rate.open = rate.requests + 1, rate.tokens + tonumber(rate.asked), rate.open + 1
  end
  told[#told + 1] = whole(rate.requests)
  told[#told + 1] = whole(rate.tokens)
  told[#told + 1] = whole(rate.open)
  told[#told + 1] = whole(reset(rate.key, rate.head, rate.tail, now))
end
return {'ok', table.concat(told, ' ')}
