-- Reads counters. ARGV: prefix, now, number of budgets, their names, names of rates
-- Answers reload | ok, (spent held calls)* (requests tokens open reset)*
local keep = base()
if not keep then return {'reload'} end
local now, count, answer = tonumber(ARGV[2]), tonumber(ARGV[3]), {'ok'}
for i = 4, #ARGV do
  if i < 4 + count then
    local counter = redis.call('HMGET', keep .. ':b:' .. ARGV[i], 's', 'h', 'n')
    for field = 1, 3 do answer[#answer + 1] = counter[field] or '0' end
  else
    local key = keep .. ':w:' .. ARGV[i]
    local head, tail, requests, tokens = slide(key, now)
    answer[#answer + 1] = whole(requests)
    answer[#answer + 1] = whole(tokens)
    answer[#answer + 1] = redis.call('SCARD', keep .. ':p:' .. ARGV[i])
    answer[#answer + 1] = whole(reset(key, head, tail, now))
  end
end
return answer
