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

local amount <const> = fields.expected(
  "number, size such as \"64M\" or \"unlimited\"", function(value)
    local number <const> = math.type(value) == "integer" and value >= 0
    local size <const> = type(value) == "string" and value:find "^%d+[KMGT]?$"
    return (number or size or value == "unlimited") and value or nil
  end)

local function rlimit(value, at, fail, name)
  if not pcall(core.getrlimit, name) then
    fail(at, "%s", fields.unknown("resource", name, names()))
  end
  return amount(value, at, fail)
end

--- { nofile = 1024, memlock = "64M" }
M.rlimits = fields.map(rlimit)

---- single numbers ----

local within <const> = fields.within

M.nice = within(-20, 19)
M.oom_score_adj = within(-1000, 1000)

---- limits ----

local function or_max(check) return fields.or_word("max", check) end

local bytes <const> = or_max(fields.bytes "size such as \"256M\" or \"max\"")

local processors <const> = or_max(fields.expected(
  "number of processors such as 0.5 or \"max\"", function(value)
    local number <const> = tonumber(value)
    return number and number > 0 and number < 8192 and number or nil
  end))

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

local page <const> = fields.form("^%d+[KMG]$", "size of a page such as \"2M\"")

local function huge(value, at, fail, size)
  page(size, at, fail)
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

local described <const> = fields.expected("processors such as \"0-3,6\"",
  function(value) return type(value) == "string" and cpus(value) or nil end)

--- Processors: "0-3,6" or { 0, 1, 2, 3, 6 }.
function M.affinity(value, at, fail)
  local listed <const> = type(value) == "table" and next(value) ~= nil
  return (listed and fields.list(cpu) or described)(value, at, fail)
end

---- time ----

--- Seconds, or "30s", more than none.
M.timeout = fields.expected("seconds or a time such as \"30s\"", function(value)
  if type(value) == "string" then value = tonumber(value) or value end
  local ok, time = pcall(core.duration, value)
  return ok and time > 0 and value or nil
end)

return M
