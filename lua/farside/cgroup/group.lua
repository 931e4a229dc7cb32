--- A control group that is there (cgroups(7), version 2): what is in it is
-- stopped and ended, and what it uses is read.

local core <const> = require "farside.core"
local read <const> = require("farside.file").read

local M = {}

---- files ----

--- Writes a value in one go, as the kernel wants it.
function M.write(dir, name, text)
  local file <close> = core.openat2(dir, name, "wronly")
  core.write(file, text)
end

--- Whether there is a file of this name.
function M.has(dir, name)
  return core.faccessat(dir, name, "")
end

local write <const>, has <const> = M.write, M.has

---- a group ----

--- A control group.
-- @type Cgroup
local Cgroup = {}
Cgroup.__index = Cgroup

--- A group that is there.
-- @tparam string path
-- @tparam fd fd its directory
-- @tparam[opt] boolean others somebody else's, who ends it
-- @treturn Cgroup
function M.hold(path, fd, others)
  return setmetatable({ path = path, fd = fd, others = others }, Cgroup)
end

function Cgroup:fileno() return self.fd:fileno() end

-- What another process can do with it when this one is no more.
function Cgroup:undo() return { "cgroup.remove", self.path } end

-- Waits until cgroup.events says so.
local function await(fd, word, value)
  local file <close> = core.openat2(fd, "cgroup.events", "rdonly")
  while true do
    local text <const> = core.read(file, 4096, 0)
    if text:find(word .. " " .. value, 1, true) then return end
    core.poll { { file, "pri" } }
  end
end

--- Ends all its processes, and waits until they have gone.
function Cgroup:kill()
  write(self.fd, "cgroup.kill", "1")
  await(self.fd, "populated", 0)
end

--- Stops all its processes where they are, or lets them go on; waits until it
-- is so.
-- @tparam boolean frozen
function Cgroup:freeze(frozen)
  write(self.fd, "cgroup.freeze", frozen and "1" or "0")
  await(self.fd, "frozen", frozen and 1 or 0)
end

-- Groups below first, which those inside may have made.
local function remove_below(fd)
  for _, entry in ipairs(core.readdir(fd)) do
    if entry.type == "directory" then
      local below <close> = core.openat2(fd, entry.name,
                                         "rdonly,directory,nofollow")
      remove_below(below)
      core.unlinkat(fd, entry.name, "removedir")
    end
  end
end

local function remove(self)
  self:kill()
  remove_below(self.fd)
  core.unlinkat(nil, self.path, "removedir")
end

--- Ends what is left in it and removes it, unless it is somebody else's.
function Cgroup:close()
  if not self.fd then return end
  local ok, err = true, nil
  if not self.others then ok, err = pcall(remove, self) end
  self.fd = self.fd:close()
  if not ok and err.code ~= "ENOENT" then error(err, 0) end
end

Cgroup.__close = Cgroup.close

function Cgroup:__tostring() return "cgroup " .. self.path end

---- what it uses ----

-- "a 1\nb 2" → { a = 1, b = 2 }
local function numbers(text)
  local found = {}
  for name, value in text:gmatch "(%S+) (%d+)" do
    found[name] = math.tointeger(tonumber(value))
  end
  return found
end

-- A file's number, "max", or nil when the controller is not there.
local function amount(fd, name)
  if not has(fd, name) then return nil end
  local text <const> = read(fd, name):match "%S+"
  return math.tointeger(tonumber(text)) or text
end

local function optional(fd, name, parse)
  return has(fd, name) and parse(read(fd, name)) or nil
end

-- "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" → { some = { avg10 = 0 … } }
local function pressure(text)
  local found = {}
  for kind, rest in text:gmatch "(%l+) ([^\n]*)" do
    found[kind] = {}
    for name, value in rest:gmatch "(%w+)=([%d.]+)" do
      found[kind][name] = tonumber(value)
    end
    found[kind].total = found[kind].total / 1e6
  end
  return found
end

-- Off on some kernels until it is asked for at boot: EOPNOTSUPP.
local function pressures(fd)
  local found = {}
  for _, name in ipairs { "cpu", "memory", "io" } do
    local ok, value = pcall(optional, fd, name .. ".pressure", pressure)
    if ok then found[name] = value end
  end
  return found
end

-- "8:0 rbytes=1 wbytes=2 rios=3 wios=4 …", summed up over the devices.
local function transfers(text)
  local sum = { rbytes = 0, wbytes = 0, rios = 0, wios = 0 }
  for name, value in text:gmatch "(%l+)=(%d+)" do
    if sum[name] then sum[name] = sum[name] + math.tointeger(tonumber(value))
    end
  end
  return sum
end

local function cpu(fd)
  local stat <const> = numbers(read(fd, "cpu.stat"))
  local function seconds(name) return stat[name] and stat[name] / 1e6 end
  return { usage = seconds "usage_usec", user = seconds "user_usec",
           system = seconds "system_usec",
           throttled = seconds "throttled_usec" }
end

--- What it uses and has used. What needs a controller that it has not is nil.
-- @treturn table
--
-- - `cpu`: `usage`, `user`, `system`, `throttled`, in seconds
-- - `memory`: `current`, `peak`, `swap`, in bytes, `limit` (or "max"), `kills`:
--   processes that were killed because it ran out
-- - `pids`: `current`, `peak`, `limit` (or "max"), `refused`: forks that failed
-- - `io`: `rbytes`, `wbytes`, `rios`, `wios`
-- - `pressure`: `cpu`, `memory`, `io`, each with `some` and `full`, and in
--   these `avg10`, `avg60`, `avg300` in percent and `total` in seconds
-- - `processes`: how many there are
function Cgroup:stats()
  local fd <const> = self.fd
  local _, processes = read(fd, "cgroup.procs"):gsub("\n", "")
  return {
    cpu = cpu(fd), processes = processes,
    memory = has(fd, "memory.current") and {
      current = amount(fd, "memory.current"), peak = amount(fd, "memory.peak"),
      swap = amount(fd, "memory.swap.current"),
      limit = amount(fd, "memory.max"),
      kills = numbers(read(fd, "memory.events")).oom_kill,
    } or nil,
    pids = has(fd, "pids.current") and {
      current = amount(fd, "pids.current"), peak = amount(fd, "pids.peak"),
      limit = amount(fd, "pids.max"),
      refused = numbers(read(fd, "pids.events")).max,
    } or nil,
    io = optional(fd, "io.stat", transfers),
    pressure = pressures(fd),
  }
end

--- Why processes in it ended that would have gone on: "memory" when some were
-- killed because it ran out.
-- @treturn string|nil
function Cgroup:why()
  local events <const> = optional(self.fd, "memory.events", numbers)
  return events and events.oom_kill > 0 and "memory" or nil
end

return M
