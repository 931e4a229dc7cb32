--- Children in new namespaces that run a Lua function: core.clone, and what
-- the parent must do for the child before it may start (id maps), what the
-- child must do for itself (clock offsets), and the child's error brought back.
--
-- The two sides share a socket when there is any of this. The parent writes the
-- maps and says go; the child sets its clocks and says ready. Either side's
-- end is an answer too: the other one reads the end of file.

local child <const> = require "farside.child"
local clock <const> = require "farside.clock"
local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local fields <const> = require "farside.fields"

local M = {}

---- options ----

local kinds <const> = {
  mnt = "mnt", mount = "mnt", uts = "uts", ipc = "ipc", net = "net",
  network = "net", pid = "pid", user = "user", cgroup = "cgroup",
  time = "time",
}

local function kind(value, _, fail)
  if not kinds[value] then
    fail("", "unknown namespace '%s' (expected mnt, uts, ipc, net, pid, user, "
         .. "cgroup, time)", tostring(value))
  end
  return kinds[value]
end

local function map(value, path)
  return require("farside.idmap").parse(value, "clone: " .. path)
end

local function cgroup(value, path, fail)
  local check = type(value) == "string" and fields.string or fields.descriptor
  return check(value, path, fail)
end

local options <const> = fields.record({
  uid_map = map, gid_map = map, setgroups = fields.boolean,
  monotonic = clock.offset, boottime = clock.offset, cgroup = cgroup,
}, kind)

-- Which namespace a field is about.
local belongs <const> = {
  uid_map = "user", gid_map = "user", setgroups = "user",
  monotonic = "time", boottime = "time",
}

local function check(given, fn)
  if type(given) ~= "table" then
    errors.usage("clone: list of namespaces expected, got %s", type(given))
  end
  if type(fn) ~= "function" then
    errors.usage("clone: function expected, got %s", type(fn))
  end
  local want = fields.check("clone", options, given)
  local set = {}
  for _, name in ipairs(want) do set[name] = true end
  for field, name in pairs(belongs) do
    if want[field] ~= nil and not set[name] then
      errors.usage("clone: %s needs the namespace \"%s\"", field, name)
    end
  end
  return want
end

---- the parent's side ----

local go <const> = "+"

local function write_maps(want, process)
  local idmap <const> = require "farside.idmap"
  if want.setgroups ~= nil then
    idmap.set_setgroups(process, want.setgroups)
  end
  if want.uid_map then idmap.write_uid_map(process, want.uid_map) end
  if want.gid_map then idmap.write_gid_map(process, want.gid_map) end
end

-- Does the parent's part and waits until the child has done its own.
local function prepare(want, process, channel)
  if want.maps then write_maps(want, process) end
  core.sendmsg(channel, go)
  if want.offsets and core.recvmsg(channel, 1) == nil then
    local _, how, code = process:wait() -- raises what the child did
    error(("clone: the child ended before it was ready (%s %d)"):format(
      how, code), 0)
  end
end

---- the child's side ----

-- A process cannot give its own time namespace offsets, only that of its
-- children while there are none; then it moves there itself, as a process with
-- one thread may.
local function set_clocks(offsets)
  core.unshare "time"
  clock.write_time_offsets(offsets)
  core.setns("/proc/self/ns/time_for_children", "time")
end

local function await_parent(want, channel)
  if core.recvmsg(channel, 1) == nil then core._exit(1) end
  if want.offsets then
    set_clocks(want.offsets)
    core.sendmsg(channel, go)
  end
end

---- both ----

local function offsets(want)
  if want.monotonic or want.boottime then
    return { monotonic = want.monotonic, boottime = want.boottime }
  end
end

-- The list that core.clone takes. The kernel could make the time namespace at
-- once, but then nobody could set its clocks.
local function core_options(want)
  local list = { cgroup = want.cgroup }
  for _, name in ipairs(want) do
    if name ~= "time" or not want.offsets then list[#list + 1] = name end
  end
  return list
end

-- Brings the child's error back, when its end is waited for.
local function collector(sheet)
  local failed, failure
  return function(waited)
    if waited and sheet then
      local what, err = child.read(sheet)
      failed, failure = what == "error", err
    end
    if sheet then sheet = sheet:close() end
    if waited and failed then error(failure, 0) end
  end
end

-- Clones with a sheet for the child's error. What `before` does in the child
-- may fail as the function may.
local function clone(list, before, fn)
  local sheet = child.sheet()
  local ok, process = pcall(core.clone, list, function()
    child.attempt(sheet, before)
    child.attempt(sheet, fn)
  end)
  if not ok then
    sheet:close()
    error(process, 0)
  end
  core.onend(process, collector(sheet))
  return process
end

local function clone_prepared(want, list, fn)
  local one, other = core.socketpair "seqpacket"
  local mine <close> = one
  local channel <close> = other
  local process = clone(list, function()
    mine:close() -- or the parent's hanging up would never arrive
    await_parent(want, channel)
    channel:close()
  end, fn)
  channel:close()
  local ok, failure = pcall(prepare, want, process, mine)
  if not ok then
    process:close()
    error(failure, 0)
  end
  return process
end

local function nothing() end

--- Makes a child process in new namespaces, which runs a function and exits.
-- What the function raises, the process's wait raises in the parent: an error
-- object with all its fields, or a message; both with the child's traceback.
-- In the child os.exit runs nothing that belongs to the parent.
-- @tparam table asked a list of namespaces ("mnt", "uts", "ipc", "net",
-- "pid", "user", "cgroup", "time") and the fields
--
-- - `uid_map`, `gid_map`: ids inside, outside and how many, "0:1000:1"; written
--   by the parent before the function starts
-- - `setgroups`: false denies it, which an ordinary user's gid_map needs and
--   gets by itself
-- - `monotonic`, `boottime`: what the clocks of a new time namespace are ahead,
--   seconds or "5m", as in unshare(1)
-- - `cgroup`: the directory, or a descriptor of it, of the cgroup that the
--   child starts in
-- @tparam function fn what the child does
-- @treturn process
-- @raise EPERM without the right to make the namespaces or to write the maps;
-- then there is no child. See clone(2), user_namespaces(7), time_namespaces(7).
function M.clone(asked, fn)
  local want = check(asked, fn)
  want.offsets = offsets(want)
  want.maps = want.uid_map or want.gid_map or want.setgroups ~= nil
  local list = core_options(want)
  local directory <close> = type(want.cgroup) == "string"
    and core.openat2(nil, want.cgroup, "path,directory") or nil
  list.cgroup = directory or want.cgroup
  if want.maps or want.offsets then return clone_prepared(want, list, fn) end
  return clone(list, nothing, fn)
end

return M
