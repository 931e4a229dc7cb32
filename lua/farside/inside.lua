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
local joins <const> = require "farside.join"
local serial <const> = require "farside.serial"

local M = {}

---- the child ----

local function run(sheet, fn, ...)
  local results = table.pack(child.attempt(sheet, fn, ...))
  local ok, bytes = pcall(serial.encode, table.unpack(results, 1, results.n))
  child.write(sheet, ok and "values" or "error",
              ok and bytes or "inside: " .. bytes)
end

-- The process between, which only has the next one's end to tell.
local function run_in_child(sheet, ...)
  local args = table.pack(...)
  local self = child.attempt(sheet, core.pidfd_open, core.getpid())
  -- ENOMEM: the namespace's PID 1 has ended since
  local process = child.attempt(sheet, core.clone, {}, function()
    child.attempt(sheet, joins.live_with, self)
    self:close()
    run(sheet, table.unpack(args, 1, args.n))
  end)
  local _, how, code = process:wait()
  if how == "signal" then child.write(sheet, how, code) end
  os.exit(how == "exit" and code or 1)
end

-- Nobody looks in from the first moment on, not only once it is shielded.
local function enter(caller, target)
  core.prctl("dumpable", false)
  local joined = joins.join(target)
  if joined.user then joins.become_root() end
  joins.shield(joined)
  joins.live_with(caller)
  caller:close()
  return joined
end

local function body(sheet, caller, target, ...)
  child.seal()
  local joined = child.attempt(sheet, enter, caller, target)
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
-- and programs that it starts inherit no descriptor but 0, 1 and 2. They are
-- those that are found in there: where nobody is root, whoever made them would
-- have the caller's own id by them. One may be a link to /proc/self/exe, which
-- is the caller's own program: where somebody in there has the right to write
-- that (see farside.sealed), use `exec`, which goes by way of a sealed copy
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
  joins.prepare()
  local sheet <close> = child.sheet()
  local caller <close> = core.pidfd_open(core.getpid())
  local process <close> = core.clone({}, function()
    body(sheet, caller, target, fn, table.unpack(args, 1, args.n))
  end)
  local _, how, code = process:wait()
  return answer(how, code, child.read(sheet))
end

return M
