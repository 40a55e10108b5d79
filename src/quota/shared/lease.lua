-- One store's quota, shared by the gateway's replicas. Everything that a replica tells is absolute, so that
-- what is told twice, or too late, changes nothing.
--
-- KEYS: 1 the window, 2 its replicas, 3 those of the window before that have not come yet, 4 its callers,
-- 5 its callers by replica.
-- ARGV: 1 replica, 2 number of the question, 3 quota and 4 length that are expected, 5 kept free 6 of so many,
-- 7 the window that the replica is in, 8 what answers told of it (0 nothing, 1 all, 2 when it ends at the
-- latest), 9 soonest and 10 latest end, 11 quota, 12 length, 13 left, 14 spent, 15 settled, 16 on its way,
-- 17 held, 18 wanted beyond what is spent, 19 spent by everyone as far as the replica knows, 20 whether it had to
-- go on alone since it was answered last, 21 how many of those that are wanted are waited for, 22 for how many
-- callers it is told what they may spend by all replicas together: for each of these its name, how many of its
-- requests wait, and that bound; then for each caller its name, asked, spent, and what it is thought to wish.
-- Times are milliseconds since the epoch by this server's clock; a window's number is the second in which it
-- began, or a later one.
local window, here, before, callers, by = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local replica = ARGV[1]
local told = {}
for place = 2, 22 do told[place] = tonumber(ARGV[place]) end

local first = 23 + 3 * told[22]

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local FIELDS = {'number', 'ends', 'soonest', 'begins', 'told', 'left', 'quota', 'length', 'granted', 'spent',
    'settled', 'carried', 'since', 'base', 'gone', 'born', 'asked', 'settling', 'expected', 'lasting'}
local found = redis.call('HMGET', window, unpack(FIELDS))
local w = {}
for place, name in ipairs(FIELDS) do w[name] = tonumber(found[place] or 0) or 0 end

local function roll(ends)
    -- What may still be on its way of the window before counts in this one, until its replica says otherwise.
    w.carried = math.max(w.granted - w.settled, 0)
    w.begins = w.told == 1 and w.soonest or 0
    w.number = math.max(w.number + 1, math.floor(now / 1000))
    w.ends, w.soonest, w.told, w.left, w.since = ends, 0, 0, 0, now
    w.granted, w.spent, w.settled, w.base, w.gone = 0, 0, 0, 0, 0
    redis.call('DEL', before, callers, by)
    if redis.call('EXISTS', here) == 1 then redis.call('RENAME', here, before) end
end

if w.number == 0 or told[7] > w.number then
    -- This server is new, has lost everything, or has got an old state back. What the replica knows goes on: it
    -- stays in its window, and so does everyone else. What they have spent is known when they come.
    for _, name in ipairs(FIELDS) do w[name] = 0 end
    w.quota, w.length, w.born = told[3], told[4], now
    redis.call('DEL', here)
    local is_in_window = told[10] > now
    roll(is_in_window and math.min(told[10], now + told[12]) or now + w.length)
    if is_in_window then
        if told[7] > 0 then w.number, w.settling = told[7], now + 750 end
        w.base = math.max(told[19], 0)
    end
elseif now >= w.ends or w.ends > now + 2 * w.length then
    roll(now + w.length)
end
if w.expected ~= told[3] or w.lasting ~= told[4] then
    w.expected, w.lasting = told[3], told[4]
    if w.told ~= 1 then w.quota, w.length = told[3], told[4] end
end
-- After an outage, or a loss, the replicas come back one by one. Until all have, it is not known what they spent;
-- where no answer tells what is left, nobody is granted anything.
if told[20] == 1 and now - w.asked > 1000 then w.settling = now + 750 end
w.asked = now

-- What answers told, as in one process: an answer is of the window whose end it fits.
local soonest, latest, length = told[9], told[10], told[12]
if told[8] == 1 and latest > now then
    local is_early = w.begins > 0 and latest + length / 10 < w.begins + length
    local is_stale = w.told == 1 and length == w.length and latest < w.soonest
    if not is_early and not is_stale then
        if soonest > w.ends + math.max(length / 10, 1) then roll(latest) end
        if w.told == 1 then
            w.ends, w.left = math.min(w.ends, latest), math.min(w.left, told[13])
            w.soonest = length == w.length and math.max(w.soonest, soonest) or soonest
            -- Where two contradict each other, the later end counts.
            w.ends = math.max(w.ends, w.soonest)
        else
            w.ends, w.left, w.soonest = latest, told[13], soonest
        end
        w.told, w.quota, w.length = 1, told[11], length
    end
elseif told[8] == 2 and w.told == 0 and latest > w.ends and latest <= now + 2 * w.length then
    w.told, w.ends = 2, latest
end

-- A replica in another window has of this one what is on its way.
local is_same = told[7] == 0 or told[7] == w.number
local spent, settled, held = told[14], told[15], math.max(told[17], told[14])
if not is_same then spent, settled, held = told[16], 0, told[16] end

local function numbers(text)
    local all = {}
    for number in string.gmatch(text or '', '%-?%d+') do all[#all + 1] = tonumber(number) end
    return all
end

local last = numbers(redis.call('HGET', here, replica) or '')
local is_known = last[1] ~= nil
local is_late = is_known and told[2] <= last[1]
if is_known and told[7] == 0 and not is_late then
    -- It has begun anew, and what it spent before is spent.
    w.granted, w.spent, w.settled = w.granted - last[2], w.spent - last[3], w.settled - last[4]
    w.gone = w.gone + last[3]
    last = {last[1], 0, 0, 0}
end
if not is_known then
    -- What it spent was known to others, before the server forgot it.
    w.base = math.max(w.base - spent, 0)
    local old = numbers(redis.call('HGET', before, replica) or '')
    if old[1] then
        w.carried = math.max(w.carried - (old[2] - old[4]), 0)
        redis.call('HDEL', before, replica)
    end
    last = {0, 0, 0, 0}
end
if now - w.since > w.length / 8 then w.carried = 0 end

local rest_of = w.quota - math.min(told[5], math.floor(told[5] * w.quota / math.max(told[6], 1)))
local room, rest, replicas, pledged = 0, 0, 0, 0
if not is_late then
    w.granted = w.granted - last[2] + held
    w.spent = w.spent - last[3] + spent
    w.settled = w.settled - last[4] + settled
    room = rest_of - w.granted - w.carried - w.base - w.gone
    if w.told == 1 then room = math.min(room, w.left - (w.granted - w.settled) - w.carried) end
    if w.told ~= 1 and now < w.settling then room = 0 end
    room = math.max(math.floor(room), 0)
    rest = room + w.granted - w.spent
    replicas = redis.call('HLEN', here) + redis.call('HLEN', before) + (is_known and 0 or 1)
    for place = first, is_same and #ARGV or 0, 4 do
        local name, asked, used = ARGV[place], tonumber(ARGV[place + 1]), tonumber(ARGV[place + 2])
        local wish = tonumber(ARGV[place + 3])
        local old = numbers(redis.call('HGET', by, replica .. '/' .. name) or '')
        local sum = numbers(redis.call('HGET', callers, name) or '')
        asked = math.max(asked, old[1] or 0)
        redis.call('HSET', by, replica .. '/' .. name, string.format('%.0f %.0f', asked, used))
        redis.call('HSET', callers, name, string.format('%.0f %.0f %.0f',
            (sum[1] or 0) + asked - (old[1] or 0), math.max((sum[2] or 0) + used - (old[2] or 0), 0),
            math.max(sum[3] or 0, wish)))
    end
    -- Those whose caller has spent by other replicas what it may are not waiting for anything.
    local waiting, wanted, served = told[21], told[18] - (held - spent), {}
    for place = 23, is_same and first - 1 or 0, 3 do
        local sum = numbers(redis.call('HGET', callers, ARGV[place]) or '')
        local open = math.max(tonumber(ARGV[place + 2]) - (sum[2] or 0), 0)
        local too_many = math.max(tonumber(ARGV[place + 1]) - open, 0)
        waiting, wanted = waiting - too_many, wanted - too_many
        served[ARGV[place]] = tonumber(ARGV[place + 1]) - too_many
    end
    -- A lease is at most a fiftieth, and what everyone can have of the rest. What is held in advance leaves most of
    -- the quota to those that come later; where little is left it is nothing.
    local most = math.max(math.floor(rest_of / 50), 1)
    local fair = math.max(math.floor(rest / replicas), 1)
    local part = math.max(math.floor(rest_of / math.max(50, 8 * replicas)), 1)
    local ahead = (replicas == 1 or rest >= 4 * replicas) and part or 0
    local lease = math.min(math.max(waiting, ahead), wanted, most, fair, room)
    if lease > 0 then
        held = held + lease
        w.granted = w.granted + lease
        -- Those that are served spend it at once. Until that is told it counts here; who is served is known where
        -- there is enough for all.
        for place = 23, is_same and lease >= waiting and first - 1 or 0, 3 do
            local name = ARGV[place]
            local soon = math.min(served[name], lease)
            local part = numbers(redis.call('HGET', by, replica .. '/' .. name) or '')
            local sum = numbers(redis.call('HGET', callers, name) or '')
            if soon > 0 and part[1] and sum[1] then
                lease, pledged = lease - soon, pledged + soon
                redis.call('HSET', by, replica .. '/' .. name, string.format('%.0f %.0f', part[1], part[2] + soon))
                redis.call('HSET', callers, name,
                    string.format('%.0f %.0f %.0f', sum[1], sum[2] + soon, sum[3]))
            end
        end
    end
    w.spent = w.spent + pledged
    local text = string.format('%.0f %.0f %.0f %.0f', told[2], held, spent + pledged, settled)
    redis.call('HSET', here, replica, text)
end

local state = {}
for _, name in ipairs(FIELDS) do
    state[#state + 1] = name
    state[#state + 1] = string.format('%.0f', w[name])
end
redis.call('HSET', window, unpack(state))
local keep = string.format('%.0f', 10 * math.max(w.length, told[4]))
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, keep) end

-- What everyone else has asked and spent, and what is thought to be wished: of all callers, or where these are
-- many, of those that were named.
local answer, names = {}, {}
local is_whole = redis.call('HLEN', callers) <= 256
if is_whole then
    names = redis.call('HKEYS', callers)
else
    for place = first, #ARGV, 4 do names[#names + 1] = ARGV[place] end
end
if #names > 0 then
    local own = {}
    for place, name in ipairs(names) do own[place] = replica .. '/' .. name end
    local sums, mine = redis.call('HMGET', callers, unpack(names)), redis.call('HMGET', by, unpack(own))
    for place, name in ipairs(names) do
        local sum, part = numbers(sums[place] or ''), numbers(mine[place] or '')
        answer[#answer + 1] = name
        answer[#answer + 1] = string.format('%.0f', math.max((sum[1] or 0) - (part[1] or 0), 0))
        answer[#answer + 1] = string.format('%.0f', math.max((sum[2] or 0) - (part[2] or 0), 0))
        answer[#answer + 1] = string.format('%.0f', sum[3] or 0)
    end
end
-- Of what is pledged the replica itself knows.
local all = w.spent - pledged
local left = w.told == 1 and w.left - (all - w.settled) - w.carried or w.quota - all - w.carried - w.base - w.gone
local others = w.told == 1 and w.quota - w.left - w.granted - w.carried - w.base - w.gone or 0
return {
    {
        w.number, now, is_same and 1 or 0, is_late and 1 or 0, w.ends, w.soonest, w.told, w.left, w.quota,
        w.length, held, math.max(rest, 0), math.max(left, 0), math.max(others, 0),
        math.max(w.granted - all - (held - spent), 0), replicas, all + w.base + w.gone, is_whole and 1 or 0,
        w.born,
    },
    answer,
}
