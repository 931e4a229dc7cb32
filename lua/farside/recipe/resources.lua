--- The keys of a recipe about what a container may use of the machine.

local core <const> = require "farside.core"
local fields <const> = require "farside.fields"

local M = {}

---- rlimits ----

-- Every resource limit that the core has a word for, from what it says of a
-- word that it has not.
local function names()
  local _, message = pcall(core.getrlimit, "?")
  local list = {}
  for name in message:match "expected ([%w_, ]+)":gmatch "[%w_]+" do
    list[#list + 1] = name
  end
  return list
end

local function rlimit(value, at, fail, name)
  fields.known("resource", name, core.getrlimit, names, at, fail)
  local number = math.type(value) == "integer" and value >= 0
  local size = type(value) == "string" and value:find "^%d+[KMGT]?$"
  if not number and not size and value ~= "unlimited" then
    fail(at, "number, size such as \"64M\" or \"unlimited\" expected, got '%s'",
         tostring(value))
  end
  return value
end

--- { nofile = 1024, memlock = "64M" }
M.rlimits = fields.map(rlimit)

---- single numbers ----

-- An integer, or its digits, which the command line has, within a range.
local function within(least, most)
  return function(value, at, fail)
    local number <const> = type(value) == "string"
      and value:find "^-?%d+$" and tonumber(value) or value
    if math.type(number) ~= "integer" or number < least or number > most then
      fail(at, "integer from %d to %d expected, got '%s'", least, most,
           tostring(value))
    end
    return number
  end
end

M.nice = within(-20, 19)
M.oom_score_adj = within(-1000, 1000)

---- limits ----

local units <const> = { [""] = 0, K = 10, M = 20, G = 30, T = 40 }

-- Bytes from 268435456 or "256M"; "max" for no limit.
local function bytes(value, at, fail)
  if value == "max" then return value end
  local digits, unit = tostring(value):match "^(%d+)([KMGT]?)$"
  local number = digits and #digits < 15 and math.tointeger(tonumber(digits))
  if not number or type(value) == "boolean" then
    fail(at, "size such as \"256M\" or \"max\" expected, got '%s'",
         tostring(value))
  end
  return number << units[unit]
end

local function or_max(check)
  return function(value, at, fail)
    return value == "max" and value or check(value, at, fail)
  end
end

local function processors(value, at, fail)
  local number <const> = tonumber(value)
  if value ~= "max" and not (number and number > 0 and number < 8192) then
    fail(at, "number of processors such as 0.5 or \"max\" expected, got '%s'",
         tostring(value))
  end
  return value == "max" and value or number
end

local function cpuset(value, at, fail)
  return table.concat(M.affinity(value, at, fail), ",")
end

local rate <const> = fields.record { rbps = bytes, wbps = bytes,
                                     riops = or_max(within(1, 1 << 40)),
                                     wiops = or_max(within(1, 1 << 40)) }

-- "8:0", or the device's file.
local function device(name, at, fail)
  if name:find "^%d+:%d+$" then return name end
  local ok, stat = pcall(core.fstatat, nil, name)
  if not ok or stat.type ~= "block" then
    fail(at, "block device such as \"/dev/sda\" or \"8:0\" expected")
  end
  return ("%d:%d"):format(stat.major, stat.minor)
end

local function io(value, at, fail)
  local rates <const> = fields.map(rate)(value, at, fail)
  local by_number = {}
  for name, limits in pairs(rates) do
    by_number[device(name, at .. "." .. name, fail)] = limits
  end
  return by_number
end

local function huge(value, at, fail, size)
  if not size:find "^%d+[KMG]$" then
    fail(at, "size of a page such as \"2M\" expected, got '%s'", size)
  end
  return bytes(value, at, fail)
end

--- { memory = "256M", pids = 100, cpu = 0.5 }; see farside.cgroup.
M.limits = fields.record {
  memory = bytes, memory_high = bytes, memory_low = bytes, swap = bytes,
  pids = or_max(within(1, 1 << 22)), cpu = processors,
  weight = within(1, 10000), cpuset = cpuset, io = io,
  hugetlb = fields.map(huge),
}

---- processors ----

local most_cpus <const> = 8192

-- "0-3,6" → { 0, 1, 2, 3, 6 }, or nil.
local function cpus(text)
  local list = {}
  for piece in (text .. ","):gmatch "([^,]*)," do
    local first, last = piece:match "^(%d+)%-(%d+)$"
    first = tonumber(first or piece:match "^%d+$")
    last = tonumber(last) or first
    if not first or first > last or last >= most_cpus then return nil end
    for cpu = first, last do list[#list + 1] = cpu end
  end
  return list
end

local cpu <const> = within(0, most_cpus - 1)

--- Processors: "0-3,6" or { 0, 1, 2, 3, 6 }.
function M.affinity(value, at, fail)
  local list
  if type(value) == "string" then
    list = cpus(value)
  elseif type(value) == "table" then
    list = fields.list(cpu)(value, at, fail)
  end
  if not list or #list == 0 then
    fail(at, "processors such as \"0-3,6\" expected, got '%s'",
         type(value) == "string" and value or type(value))
  end
  return list
end

---- time ----

--- Seconds, or "30s", more than none.
function M.timeout(value, at, fail)
  if type(value) == "string" then value = tonumber(value) or value end
  local ok, time = pcall(core.duration, value)
  if not ok or time <= 0 then
    fail(at, "seconds or a time such as \"30s\" expected, got '%s'",
         tostring(value))
  end
  return value
end

return M
