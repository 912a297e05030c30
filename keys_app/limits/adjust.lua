-- Counts a later cost, once for each cause, and ends what is held for it.
-- ARGV: prefix, cause, amount, budgets
local keep = base()
if not keep then return 'reload' end
release(keep, ARGV[2], {}, '0')
local cause = keep .. ':a:' .. ARGV[2]
if not redis.call('SET', cause, 1, 'NX', 'EX', 8 * 86400) then return 'known' end
for i = 4, #ARGV do redis.call('HINCRBY', keep .. ':b:' .. ARGV[i], 's', ARGV[3]) end
return 'counted'
