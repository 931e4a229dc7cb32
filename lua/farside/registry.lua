--- Containers that are known by a name: one small file for each, which says who
-- looks after it and how it ended. A file is written whole under another name
-- and renamed, under a lock that all commands share; so whenever anything is
-- killed, the next command finds either the old or the new file.
--
-- A process is known by its pid, the moment that it started and the boot that
-- this was in, never by its pid alone; what is done to it is done by a pidfd.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local files <const> = require "farside.file"
local serial <const> = require "farside.serial"
local state <const> = require "farside.state"

local M = {}

local directory <const> = "containers"
local version <const> = 1

---- names ----

--- Checks a container's name: letters, digits, "_", "." and "-", of which the
-- first is a letter or a digit; at most 64 bytes, and no number.
function M.name(value, path, fail)
  if type(value) ~= "string" then
    fail(path, "string expected, got %s", type(value))
  elseif not value:find "^%w[%w_.-]*$" or #value > 64
         or not value:find "%D" then -- a number is a process
    fail(path, "name of a container expected (letters, digits, _ . - and at "
         .. "most 64 of them, no number), got '%s'", value)
  end
  return value
end

local moons <const> = { "io", "europa", "rhea", "titan", "dione", "tethys",
                        "mimas", "oberon", "ariel", "triton", "charon",
                        "phobos", "deimos", "callisto", "titania", "luna" }

--- A name for a container that was given none.
function M.new_name()
  local file <close> = core.openat2(nil, "/dev/urandom", "rdonly")
  local moon, number = string.unpack("<BI3", core.read(file, 4))
  return ("%s-%06x"):format(moons[moon % #moons + 1], number)
end

local function check_name(who, name)
  M.name(name, "name", function(_, format, ...)
    errors.usage("%s: %s", who, format:format(...))
  end)
end

---- processes ----

local function boot()
  return files.read(nil, "/proc/sys/kernel/random/boot_id"):match "%S+"
end

-- The moment that a process started, in ticks since the boot.
local function start_of(dir)
  local fields <const> = files.read(dir, "stat")
    :match ".*%)(.*)" -- a name may have anything in it
  local n = 2
  for field in fields:gmatch "%S+" do
    n = n + 1
    if n == 22 then return field end
  end
end

--- What a process is known by.
-- @param target a process object, a pidfd or a pid
-- @treturn table { pid, start, boot }
function M.identity(target)
  local dir <close>, pid = core.open_proc(target)
  return { pid = pid, start = start_of(dir), boot = boot() }
end

-- What calls say of a process that has ended; EINVAL, that its number is a
-- thread's by now. Of a failure for another reason nothing may be concluded: a
-- container whose supervisor has ended is ended, too.
local gone <const> = { ESRCH = true, ENOENT = true, EINVAL = true }

local function unless_gone(ok, ...)
  if ok then return ... end
  local err <const> = ...
  if not (errors.is(err) and gone[err.code]) then error(err, 0) end
end

-- The directory of the process, if it is the one that is meant.
local function proc_of(pidfd, identity)
  local dir <const> = core.open_proc(pidfd)
  if start_of(dir) == identity.start and #core.poll({ pidfd }, 0) == 0 then
    return dir
  end
  dir:close()
end

--- The process that is meant, if it still runs.
-- @tparam table identity
-- @treturn fd a pidfd, or nil
-- @treturn fd its directory in /proc
function M.find(identity)
  if not identity or identity.boot ~= boot() then return nil end
  local pidfd <const> = unless_gone(pcall(core.pidfd_open, identity.pid))
  if not pidfd then return nil end
  local ok, dir = pcall(proc_of, pidfd, identity)
  if ok and dir then return pidfd, dir end
  pidfd:close()
  unless_gone(ok, dir)
  return nil
end

---- files ----

--- Has a function run by one process at a time, of all that use the state.
-- @tparam function fn gets the directory, open
-- @return what it returns
function M.locked(fn)
  local dir <close> = state.lock(directory)
  return fn(dir)
end

--- The record of a name, nil when there is none. One that cannot be read is
-- { name, status = "broken" }.
function M.read(dir, name)
  local bytes <const> = files.find(dir, name, "nofollow")
  if not bytes then return nil end
  local ok, record = pcall(serial.decode, bytes)
  if ok and type(record) == "table" and record.version == version then
    return record
  end
  return { name = name, status = "broken" }
end

--- Writes a record, whole or not at all.
function M.write(dir, record)
  record.version = version
  local temporary <const> = (".%s.%d"):format(record.name, core.getpid())
  files.remove(dir, temporary) -- a dead namesake's
  local file <close> = core.openat2(dir, temporary, "wronly,create,excl",
                                    { mode = "0600" })
  local ok, failure = pcall(core.write, file, serial.encode(record))
  if ok then
    ok, failure = pcall(core.renameat, dir, temporary, dir, record.name)
  end
  if not ok then
    pcall(core.unlinkat, dir, temporary)
    error(failure, 0)
  end
end

--- Whether two records are of the same container, and not of one after the
-- other with the same name.
function M.same(a, b)
  local one, other = a.supervisor, b.supervisor
  return a.name == b.name and (not (one and other)
    or one.pid == other.pid and one.start == other.start
       and one.boot == other.boot)
end

local function if_there(record, fn)
  return M.locked(function(dir)
    local there <const> = M.read(dir, record.name)
    if not there or not M.same(there, record) then return false end
    fn(dir, record)
    return true
  end)
end

--- Writes a record over the one of the same container.
-- @treturn boolean false when there is none any more
function M.update(record) return if_there(record, M.write) end

--- Takes away the record of a container, if it is there still, and its log.
-- @treturn boolean false when there is none any more
function M.forget(record)
  return if_there(record, function(dir) M.remove(dir, record.name) end)
end

--- The same, unless the container runs.
-- @treturn table|nil the record as it is now when it does
function M.drop(record)
  return M.locked(function(dir)
    local there <const> = M.read(dir, record.name)
    if not there or not M.same(there, record) then return nil end
    local now <const> = M.settle(dir, there)
    if now and now.status == "running" then return now end
    M.remove(dir, record.name)
    return nil
  end)
end

--- All names that have a record, sorted. What a writer that was killed has
-- left is removed.
function M.names(dir)
  local names = {}
  for _, entry in ipairs(core.readdir(dir)) do
    if entry.name:sub(1, 1) == "." then
      files.remove(dir, entry.name)
    else
      names[#names + 1] = entry.name
    end
  end
  table.sort(names)
  return names
end

---- putting right ----

-- What may be called so: a record is a file, and no program.
local undoing <const> = {
  ["cgroup.remove"] = true, ["network.unplug"] = true,
  ["network.withdraw"] = true,
}

-- Makes a public call that is given by its name and arguments.
local function call(list)
  if not undoing[list[1]] then
    error(("'%s' undoes nothing"):format(list[1]), 0)
  end
  local fn = require "farside"
  for word in list[1]:gmatch "[^.]+" do fn = fn[word] end
  fn(table.unpack(list, 2))
end

-- Does what the things that were kept would have done at the end. One that
-- fails is told in the record and keeps none of the others from being done.
-- Nothing that was kept has outlived the boot.
local function undo(record)
  if record.supervisor.boot ~= boot() then return end
  for i = #(record.undo or {}), 1, -1 do
    local ok, failure = pcall(call, record.undo[i])
    if not ok then record.failure = tostring(failure) end
  end
end

-- Ends what is left of a container that nobody looks after any more. Its first
-- process ends with its supervisor as a rule; with `init = false` only if the
-- program lets it.
local function finish(record)
  local pidfd, dir = M.find(record.init)
  if not pidfd then return end
  unless_gone(pcall(core.kill, pidfd, "KILL"))
  core.poll({ pidfd }, 10)
  pidfd:close()
  dir:close()
end

local lives <const> = { starting = true, running = true }

--- Compares a record with what there is, and puts right what does not agree:
-- whose supervisor was killed is ended, with what was made for it.
-- @tparam fd dir of the records, locked
-- @tparam table record
-- @treturn table|nil the record as it is now; nil when nothing came of it
function M.settle(dir, record)
  if not lives[record.status] then return record end
  local supervisor, proc = M.find(record.supervisor)
  if supervisor then
    supervisor:close()
    proc:close()
    return record
  end
  finish(record)
  undo(record)
  if record.status == "starting" then
    M.remove(dir, record.name)
    return nil
  end
  record.status, record.undo = "killed", nil
  M.write(dir, record)
  return record
end

--- Takes away a record and the container's log.
function M.remove(dir, name)
  files.remove(dir, name)
  require("farside.log").remove(name)
end

--- The record of a container, as it is now.
-- @tparam string name
-- @treturn table|nil nil when there is none of this name
-- @treturn {string,...} then the names that there are
function M.look(name)
  return M.locked(function(dir)
    local found = M.read(dir, name)
    found = found and M.settle(dir, found)
    if found then return found end
    return nil, M.names(dir)
  end)
end

--- The same, for a user.
-- @tparam string who the function that was called
-- @tparam string name
-- @treturn table
-- @raise a message when there is none of this name
function M.get(who, name)
  check_name(who, name)
  local record, known = M.look(name)
  if record then return record end
  errors.usage("%s: no container '%s'%s", who, name, #known == 0 and ""
    or (" (there is %s)"):format(table.concat(known, ", ")))
end

--- The name of the container that has a process as its first.
-- @tparam string who the function that was called
-- @tparam int pid
-- @treturn string
-- @raise a message when there is none
function M.name_of(who, pid)
  for _, record in ipairs(M.all()) do
    if record.status == "running" and record.init.pid == pid then
      return record.name
    end
  end
  errors.usage("%s: process %d is no container's first process", who, pid)
end

--- The records of all containers, as they are now.
-- @treturn {table,...} sorted by name
function M.all()
  return M.locked(function(dir)
    local list = {}
    for _, name in ipairs(M.names(dir)) do
      local record = M.read(dir, name)
      list[#list + 1] = record and M.settle(dir, record)
    end
    return list
  end)
end

return M
