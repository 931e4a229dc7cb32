--- Control groups (cgroups(7), version 2): what a container may use as a whole,
-- what it has used, and a hold on all its processes at once.
--
-- A new group is made below the caller's own. The kernel gives controllers to
-- the groups below one only when that one has no processes itself, unless it is
-- the root of all. So a caller who is alone in a group that was handed over to
-- it (systemd: Delegate=yes) moves into a leaf of it, `farside.starter`, as
-- other managers of such groups do; where it is not alone, or the group is
-- another's, nothing is moved and the error says what to do.
--
-- Who makes a group holds a lock on it, which ends with the process however
-- that ends; a group without one is a leftover, and the next who makes groups
-- in the same place takes it away.

local core <const> = require "farside.core"
local groups <const> = require "farside.cgroup.group"
local read <const> = require("farside.file").read

local M = {}

M.cgroup = M

local starter <const> = "farside.starter"
local prefix <const> = "farside-"

local advice <const> = "have a cgroup handed over: systemd-run --user --scope "
  .. "-p Delegate=yes -- farside … (as root without --user)"

local write <const> = groups.write
local has <const>, hold <const> = groups.has, groups.hold

local function set(text)
  local words = {}
  for word in text:gmatch "%S+" do words[word] = true end
  return words
end

local function fail(errno, path, detail, hint)
  local err = require("farside.error").remake {
    call = "cgroup.make", path = path, errno = core.errno[errno],
    code = errno, reason = detail, where = core.where(), hint = hint,
  }
  error(err, 0)
end

---- where we are ----

--- The directory of a process's cgroup.
-- @tparam string text of /proc/PID/cgroup
-- @tparam {table,...} mounts as of mountinfo
-- @treturn string|nil nil where version 2 is not mounted, or elsewhere
-- @raise nothing
function M.locate(text, mounts)
  local path <const> = ("\n" .. text):match "\n0::([^\n]*)"
  for i = path and #mounts or 0, 1, -1 do
    local root <const>, target <const> = mounts[i].root, mounts[i].target
    if mounts[i].fstype == "cgroup2" and not path:find "^/%.%./" then
      local top <const> = root == "/" and "" or root
      if (path .. "/"):sub(1, #top + 1) == top .. "/" then
        local below <const> = path:sub(#top + 1)
        return below == "/" and target or target .. below
      end
    end
  end
end

--- The directory of the caller's own cgroup.
-- @function cgroup.own
-- @treturn string
-- @raise ENOENT where there is none of version 2
function M.own()
  local mounts <const> = require("farside.mountinfo").mountinfo()
  local path <const> = M.locate(read(nil, "/proc/self/cgroup"), mounts)
  if path then return path end
  fail("ENOENT", nil, "no cgroup of version 2 shows this process",
    "limits need cgroup v2, mounted where this process finds itself; with "
    .. "systemd boot with systemd.unified_cgroup_hierarchy=1")
end

local function marked(path)
  for _, name in ipairs { "user.delegate", "trusted.delegate" } do
    local ok, value = pcall(core.getxattr, path, name)
    if ok and value == "1" then return true end
  end
end

local units <const> = { service = true, scope = true, slice = true }

-- Whether systemd keeps this group for itself: the unit that it is in or below
-- decides, which has a mark when it is handed over.
local function systemds(path)
  if not has(nil, "/run/systemd/system") then return false end
  while path ~= "" do
    if units[path:match "%.(%l+)$"] then return not marked(path) end
    path = path:match "^(.*)/[^/]*$"
  end
  return true
end

---- making room for groups below ----

-- The group below which new ones are made, when we are in `own`.
local function base_of(own)
  return own:match("^(.+)/" .. starter:gsub("%.", "%%.") .. "$") or own
end

-- Where nobody else is, we may go into a leaf.
local function make_way(base, path)
  local others = 0
  for pid in read(base, "cgroup.procs"):gmatch "%d+" do
    if math.tointeger(pid) ~= core.getpid() then others = others + 1 end
  end
  if others > 0 then
    fail("EBUSY", path, ("%d other processes are in it, which a cgroup with "
      .. "limits below cannot have"):format(others), advice)
  end
  if not has(base, starter) then core.mkdirat(base, starter) end
  write(base, starter .. "/cgroup.procs", "0")
end

local function controllers_missing(base, path, missing)
  local here <const> = read(base, "cgroup.controllers"):gsub("%s+$", "")
  local list <const> = table.concat(missing, ", ")
  local v1 = false
  for _, name in ipairs(missing) do
    local tree = ("\n" .. read(nil, "/proc/cgroups"))
      :match("\n" .. (name == "io" and "blkio" or name) .. "\t(%d+)")
    v1 = v1 or tree and tree ~= "0"
  end
  fail("EOPNOTSUPP", path, ("no controller %s here (%s)"):format(list,
    here == "" and "it has none" or "it has " .. here),
    v1 and ("cgroup v1 holds %s: boot with systemd.unified_cgroup_hierarchy=1, "
      .. "or without the mounts of v1"):format(list) or advice)
end

-- Turns controllers on for the groups below.
local function enable(base, path, wanted)
  local there <const> = set(read(base, "cgroup.controllers"))
  local on <const> = set(read(base, "cgroup.subtree_control"))
  local missing, off = {}, {}
  for _, name in ipairs(wanted) do
    if not there[name] then missing[#missing + 1] = name end
    if not on[name] then off[#off + 1] = "+" .. name end
  end
  if #missing > 0 then controllers_missing(base, path, missing) end
  if #off == 0 then return end
  local root <const> = not has(base, "cgroup.events")
  if not root and systemds(path) then
    fail("EPERM", path, "it is systemd's", advice)
  end
  if not root and read(base, "cgroup.procs") ~= "" then make_way(base, path) end
  write(base, "cgroup.subtree_control", table.concat(off, " "))
end

---- making one ----

-- Limits as the kernel's files. An order: what takes most effect comes first.
local files <const> = {
  { "memory", "memory.max", "memory" },
  { "memory_high", "memory.high", "memory" },
  { "memory_low", "memory.low", "memory" },
  { "swap", "memory.swap.max", "memory" },
  { "pids", "pids.max", "pids" },
  { "cpu", "cpu.max", "cpu", function(value)
    if value == "max" then return "max" end
    return ("%d 100000"):format(math.max(1000, math.ceil(value * 100000)))
  end },
  { "weight", "cpu.weight", "cpu" },
  { "cpuset", "cpuset.cpus", "cpuset" },
}

-- The lines of one limit, which may be a table: io by device, hugetlb by size.
local function lines(limits)
  local list = {}
  local function add(name, controller, value)
    list[#list + 1] = { name, controller, tostring(value) }
  end
  for _, file in ipairs(files) do
    local value <const> = limits[file[1]]
    if value then add(file[2], file[3], file[4] and file[4](value) or value) end
  end
  for device, rates in pairs(limits.io or {}) do
    local parts = { device }
    for name, rate in pairs(rates) do
      parts[#parts + 1] = name .. "=" .. rate
    end
    add("io.max", "io", table.concat(parts, " "))
  end
  for size, value in pairs(limits.hugetlb or {}) do
    add(("hugetlb.%sB.max"):format(size), "hugetlb", value)
  end
  return list
end

local function set_limit(group, line)
  local ok, err = pcall(write, group.fd, line[1], line[3])
  if ok then return end
  core.raise(err.errno, "cgroup.make", group.path,
             ("%s to %s"):format(line[1], line[3]))
end

local pruned <const> = {} -- base → true: once in a process is enough

--- Removes groups whose makers have ended without doing so.
-- @function cgroup.prune
-- @tparam string path the group that they are in
-- @treturn int how many
-- @raise ENOENT; EACCES. See cgroups(7).
function M.prune(path)
  local count = 0
  local base <close> = core.openat2(nil, path, "rdonly,directory")
  for _, entry in ipairs(core.readdir(base)) do
    if entry.name:sub(1, #prefix) == prefix then
      local ok, fd = pcall(core.openat2, base, entry.name,
                           "rdonly,directory,nofollow")
      if ok and core.flock(fd, "exclusive,nonblock") then
        hold(path .. "/" .. entry.name, fd):close()
        count = count + 1
      elseif ok then
        fd:close()
      end
    end
  end
  return count
end

local made = 0

-- Has our lock on a directory; nil when who saw it without one removes it.
local function lock(base, name)
  local fd <const> = core.openat2(base, name, "rdonly,directory",
                                  { optional = true })
  local ok, locked = pcall(function()
    if not fd or not core.flock(fd, "exclusive,nonblock") then return false end
    local there <close> = core.openat2(base, name, "path", { optional = true })
    return there ~= nil
  end)
  if ok and locked then return fd end
  if fd then fd:close() end
  if not ok then error(locked, 0) end
end

-- A new directory with our lock.
local function make_directory(base, path)
  while true do
    made = made + 1
    local name <const> = ("%s%d-%d"):format(prefix, core.getpid(), made)
    local ok, err = pcall(core.mkdirat, base, name)
    if ok then
      local found, fd = pcall(lock, base, name)
      if found and fd then return hold(path .. "/" .. name, fd) end
      pcall(core.unlinkat, base, name, "removedir") -- ENOENT: it is gone
      if not found then error(fd, 0) end
    elseif err.code ~= "EEXIST" then
      error(err, 0)
    end
  end
end

local function controllers(list)
  local wanted, seen = {}, {}
  for _, line in ipairs(list) do
    if not seen[line[2]] then
      seen[line[2]], wanted[#wanted + 1] = true, line[2]
    end
  end
  return wanted
end

-- EACCES, EROFS: the caller's own group is not the caller's to divide.
local function told(path, ok, ...)
  if ok then return ... end
  local err <const> = ...
  if type(err) == "table" and err.call ~= "cgroup.make" then
    fail(err.code, path, err.reason, (err.code == "EACCES" or
      err.code == "EROFS" or err.code == "EPERM") and advice or nil)
  end
  error(err, 0)
end

--- Makes a control group with limits, below the caller's own. Closing it ends
-- what is in it and removes it; so does whoever makes a group there after the
-- caller has ended without.
-- @function cgroup.make
-- @tparam table limits all may be left out
--
-- - `memory`, `memory_high`, `memory_low`, `swap`: bytes, or "max"
-- - `pids`: processes and threads
-- - `cpu`: processors, 0.5 for half of one; `weight`: 1 to 10000, 100 for all
--   others
-- - `cpuset`: processors by number, "0-3"
-- - `io`: { ["8:0"] = { rbps =, wbps =, riops =, wiops = } }
-- - `hugetlb`: { ["2M"] = bytes }
--
-- @treturn Cgroup with the field `path`
-- @raise an error object: EACCES, EPERM or EBUSY where the caller's group is
-- not its own to divide, EOPNOTSUPP without a controller, ENOENT without
-- cgroups of version 2. See cgroups(7).
function M.make(limits)
  local path <const> = base_of(M.own())
  local list <const> = lines(limits)
  local base <close> = core.openat2(nil, path, "rdonly,directory")
  told(path, pcall(enable, base, path, controllers(list)))
  if not pruned[path] then
    pruned[path] = true
    pcall(M.prune, path) -- leftovers that are not ours to remove
  end
  local group <const> = told(path, pcall(make_directory, base, path))
  local ok, err = pcall(function()
    for _, line in ipairs(list) do set_limit(group, line) end
  end)
  if ok then return group end
  group:close()
  error(err, 0)
end

--- A group that somebody else has made, to be looked at and stopped.
-- @function cgroup.open
-- @tparam string path
-- @treturn Cgroup closing it changes nothing
-- @raise ENOENT
function M.open(path)
  local fd <const> = core.openat2(nil, path, "rdonly,directory")
  return hold(path, fd, true)
end

--- Ends what is in a group and removes it; one that is gone is well.
-- @function cgroup.remove
-- @tparam string path
-- @raise EACCES; EBUSY when it cannot be ended. See cgroups(7).
function M.remove(path)
  local ok, fd = pcall(core.openat2, nil, path, "rdonly,directory")
  if ok then hold(path, fd):close() end
end

return M
