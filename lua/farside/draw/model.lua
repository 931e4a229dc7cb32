--- What a drawing of the namespaces shows: processes that share all their
-- namespaces as one group, user namespaces with their maps, network namespaces
-- with their links, and what is kept without a process.

local core <const> = require "farside.core"
local kinds <const> = require "farside.kinds"
local list <const> = require "farside.list"

local M = {}

local most <const> = 6 -- processes of a group that are told one by one

local function content(format, ...)
  local file <close> = io.open(format:format(...))
  return file and file:read "a" or ""
end

---- groups ----

-- The PIDs that a process has, from ours to its innermost.
local function pids_of(pid)
  local line = content("/proc/%d/status", pid):match "\nNSpid:%s*([^\n]*)"
  local numbers = {}
  for number in (line or tostring(pid)):gmatch "%d+" do
    numbers[#numbers + 1] = math.tointeger(tonumber(number))
  end
  return numbers
end

-- What has ended has lost most of its namespaces.
local function key_of(process)
  local ids = {}
  for i, kind in ipairs(kinds) do
    ids[i] = process.namespaces[kind]
    if not ids[i] then return nil end
  end
  return table.concat(ids, " ")
end

local function group_processes(seen)
  local groups, by_key = {}, {}
  for _, process in ipairs(seen) do
    local key = key_of(process)
    local group = by_key[key or false]
    if key and not group then
      group = { namespaces = process.namespaces, processes = {}, count = 0 }
      by_key[key], groups[#groups + 1] = group, group
    end
    if group then
      group.count = group.count + 1
      group.processes[group.count] = process
    end
  end
  return groups
end

-- The first ones, told; those beyond are only counted.
local function tell(group, names)
  for i = most + 1, group.count do group.processes[i] = nil end
  for _, process in ipairs(group.processes) do
    process.pids = pids_of(process.pid)
    process.command = list.command(process.pid) or "?"
    process.user = names[process.uid] or tostring(process.uid)
  end
end

-- In which namespaces a group is elsewhere than the first one.
local function differ(group, first)
  group.differs = {}
  for _, kind in ipairs(kinds) do
    if group.namespaces[kind] ~= first.namespaces[kind] then
      table.insert(group.differs, kind)
    end
  end
end

---- users ----

-- The ranges of a map as /proc tells them, from where we are.
local function map(pid, which)
  local ranges = {}
  local text = pid and content("/proc/%d/%s_map", pid, which) or ""
  for inside, outside, count in text:gmatch "(%d+)%s+(%d+)%s+(%d+)" do
    ranges[#ranges + 1] = { math.tointeger(tonumber(inside)),
                            math.tointeger(tonumber(outside)),
                            math.tointeger(tonumber(count)) }
  end
  return ranges
end

local function read_maps(row, names)
  local pid <const> = row.processes[1]
  row.uid_map, row.gid_map = map(pid, "uid"), map(pid, "gid")
  row.maker = row.creator and (names[row.creator] or tostring(row.creator))
end

---- all of it ----

-- What no process is in; network namespaces are shown among the networks.
local function kept(rows)
  local found = {}
  for _, row in ipairs(rows) do
    if row.nprocs == 0 and row.type ~= "net" then found[#found + 1] = row end
  end
  return found
end

-- In the order in which their first processes were made.
local function sort(rows)
  table.sort(rows, function(a, b)
    local one, other = a.pid or math.huge, b.pid or math.huge
    return one < other or one == other and a.id < b.id
  end)
end

local function of_type(rows, type)
  local found = {}
  for _, row in ipairs(rows) do
    if row.type == type then found[#found + 1] = row end
  end
  return found
end

--- Looks at the machine.
-- @treturn table `rows` (all namespaces, as of ns.list), `by_id`, `groups`
-- (each with `processes`, the first few with `pids`, `command` and `user`;
-- `count`, `namespaces`, `differs`), `users` (with `uid_map`, `gid_map`,
-- `maker`), `nets` (with `links`; nil when they may not be seen), `kept`,
-- `unseen`, `host`
function M.look()
  local rows, seen = list.survey {}
  local names <const> = require("farside.users").names()
  local self <const> = { rows = rows, unseen = rows.unseen, by_id = {},
    groups = group_processes(seen), users = of_type(rows, "user"),
    nets = of_type(rows, "net"), kept = kept(rows),
    host = core.uname().nodename }
  for _, list_of in ipairs { rows, self.users, self.nets, self.kept } do
    sort(list_of)
  end
  for _, row in ipairs(rows) do self.by_id[row.id] = row end
  for _, group in ipairs(self.groups) do
    tell(group, names)
    differ(group, self.groups[1])
  end
  for _, user in ipairs(self.users) do read_maps(user, names) end
  require("farside.draw.links").read(self)
  return self
end

return M
