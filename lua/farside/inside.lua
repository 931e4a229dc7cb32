--- Functions run inside namespaces that exist. A forked child joins them, so
-- the caller's own never change; what the function returns or raises comes
-- back on a sheet (see farside.child).
--
-- In order: the child closes its package searchers, since from the join on the
-- files that it sees are somebody else's; joins; forks once more when the pid
-- namespace is another one, for only children are in it; runs the function.

local child <const> = require "farside.child"
local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local serial <const> = require "farside.serial"

local M = {}

---- what to join ----

local kinds <const> = { "mnt", "uts", "ipc", "net", "pid", "user", "cgroup",
                        "time" }

-- The namespaces that are not the caller's own, and the set of their kinds.
local function foreign(handles)
  local others, joined = {}, {}
  for _, handle in ipairs(handles) do
    local own <close> = core.open("self", handle.kind)
    if handle ~= own then
      others[#others + 1] = handle
      joined[handle.kind] = true
    end
  end
  return others, joined
end

--- Handles of all namespaces that a process is in.
-- @param target a process, a pid or a pidfd
-- @treturn {namespace,...} to be closed by the caller
-- @raise EACCES without the right to look into the process. See namespaces(7),
-- ptrace(2).
function M.namespaces(target)
  local handles = {}
  for i, kind in ipairs(kinds) do handles[i] = core.open(target, kind) end
  return handles
end

-- All at once: the kernel takes the user namespace first and the others with
-- the rights in there, or none.
local function join_process(process)
  local others, joined = foreign(M.namespaces(process))
  local names = {}
  for i, handle in ipairs(others) do names[i] = handle.kind end
  if #names > 0 then core.setns(process, table.unpack(names)) end
  return joined
end

-- Rights over a namespace come from here or from the user namespace in the
-- list: what fails before it is joined is tried once more after.
local function join_handles(handles)
  local others, joined = foreign(handles)
  local user, again = {}, {}
  for _, handle in ipairs(others) do
    if handle.kind == "user" then
      user[#user + 1] = handle
    elseif not pcall(core.setns, handle) then
      again[#again + 1] = handle
    end
  end
  for _, handle in ipairs(user) do core.setns(handle) end
  for _, handle in ipairs(again) do core.setns(handle) end
  return joined
end

local function is_list(target)
  return type(target) == "table" and target[1] ~= nil
end

-- Joins, and answers the set of kinds that were joined.
local function join(target)
  if type(target) == "table" and target.namespaces then
    return join_handles(target.namespaces) -- a container of one's own
  end
  if math.type(target) == "integer" then
    local pidfd <close> = core.pidfd_open(target)
    return join_process(pidfd)
  elseif is_list(target) then
    local handles = {}
    for i, one in ipairs(target) do handles[i] = core.open(one) end
    return join_handles(handles)
  elseif type(target) == "string" then
    return join_handles { core.open(target) }
  end
  local ok, handle = pcall(core.open, target)
  if ok then return join_handles { handle } end
  return join_process(target)
end

-- In a user namespace that was joined one is nobody until one says who one
-- is. EPERM: setgroups is denied there. EINVAL: nobody is root there; then the
-- caller's own id, if it has one there, is as good.
local function become_root()
  pcall(core.setgroups, {})
  pcall(core.setresgid, 0, 0, 0)
  pcall(core.setresuid, 0, 0, 0)
end

---- the child ----

-- Whatever the library may load later is loaded now; the driver has it all in
-- memory.
local function load_all()
  if package.preload["farside.inside"] then return end
  require "farside.hint"
  for _ in pairs(require "farside") do end
end

-- A child whose caller has gone has nobody left to work for. The signal comes
-- from now on (a change of credentials, such as a join, takes it back); the
-- pidfd tells what happened before.
local function live_with(caller)
  core.prctl("pdeathsig", "KILL")
  if #core.poll({ caller }, 0) > 0 then core._exit(1) end
  caller:close()
end

-- Whoever is in there must not look into this process, which has the memory
-- and the descriptors of the caller; nor get those by way of a program that
-- the function starts.
local function shield(joined)
  if joined.user then core.prctl("dumpable", false) end
  core.close_range(3, nil, "cloexec")
end

local function run(sheet, fn, ...)
  local results = table.pack(child.attempt(sheet, fn, ...))
  local ok, bytes = pcall(serial.encode, table.unpack(results, 1, results.n))
  child.write(sheet, ok and "values" or "error",
              ok and bytes or "inside: " .. bytes)
end

-- The process between, which only has the next one's end to tell.
local function run_in_child(sheet, ...)
  local args = table.pack(...)
  local self = core.pidfd_open(core.getpid())
  -- ENOMEM: the namespace's PID 1 has ended since
  local process = child.attempt(sheet, core.clone, {}, function()
    live_with(self)
    run(sheet, table.unpack(args, 1, args.n))
  end)
  local _, how, code = process:wait()
  if how == "signal" then child.write(sheet, how, code) end
  os.exit(how == "exit" and code or 1)
end

local function body(sheet, caller, target, ...)
  child.seal()
  local joined = child.attempt(sheet, join, target)
  if joined.user then become_root() end
  shield(joined)
  live_with(caller)
  -- only children are in a pid namespace that was joined
  local step = joined.pid and run_in_child or run
  step(sheet, ...)
end

---- the parent ----

local answers <const> = {}

function answers.values(_, bytes) return serial.decode(bytes) end

function answers.error(_, err) error(err, 0) end

function answers.signal(_, number)
  error(("inside: the function was ended by signal %d"):format(number), 0)
end

-- Without a word on the sheet: it left by os.exit, exec or a signal.
local function answer(how, code, what, ...)
  if what == nil and how == "signal" then return answers.signal(how, code) end
  if what == nil then
    error(("inside: the function ended without a result (exit %d)"):format(
      code), 0)
  end
  return answers[what](what, ...)
end

--- Runs a function in a child inside the namespaces of a target.
-- @param target a process (a pid, a process object, a container): all of its
-- namespaces that are not the caller's, as root where it is another user
-- namespace; or a namespace (a handle, a descriptor
-- or a path); or a list of namespaces
-- @tparam function fn what to run there; nothing can be loaded in it (require),
-- and programs that it starts inherit no descriptor but 0, 1 and 2
-- @param ... its arguments
-- @return what the function returns: nil, booleans, numbers, strings, error
-- objects, and tables of these
-- @raise what the function raises; a message when it returns what cannot be
-- sent, exits or is killed; EPERM without the right to join. See setns(2).
function M.inside(target, fn, ...)
  local args = table.pack(...)
  if target == nil then errors.usage "inside: target expected, got nil" end
  if type(fn) ~= "function" then
    errors.usage("inside: function expected, got %s", type(fn))
  end
  load_all()
  local sheet <close> = child.sheet()
  local caller <close> = core.pidfd_open(core.getpid())
  local process <close> = core.clone({}, function()
    body(sheet, caller, target, fn, table.unpack(args, 1, args.n))
  end)
  local _, how, code = process:wait()
  return answer(how, code, child.read(sheet))
end

return M
