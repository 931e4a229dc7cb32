--- Running containers, as their starter holds them.
--
-- A container keeps a list of what must be undone once it has ended, each a
-- thing that can be closed: a cgroup to be removed, an address to be given
-- back. The results of plan steps that are marked `kept` go there. They are
-- closed in reverse order, after the last process has gone.

local core <const> = require "farside.core"

local M = {}

--- A running container. Fields: `pid`, its first process as the caller sees it;
-- `terminal`, with `tty`, the caller's end of its terminal.
-- @type Container
local Container = {}
Container.__index = Container
M.Container = Container

--- A container that has been started.
-- @tparam table parts
--
-- - `process`: its first process
-- - `status`: the pipe on which its init tells how the payload ended
-- - `namespaces`, `terminal`: as the plan's steps left them
-- - `deadline`: the end of its time limit, as of ns.monotonic
-- - `kept`: what is to be closed after its end
function M.new(parts)
  parts.pid = parts.process.pid
  parts.kept, parts.programs = parts.kept or {}, {}
  return setmetatable(parts, Container)
end

-- Closes all that was kept, the last first; one that fails keeps none of the
-- others from being closed, and is told at the end.
local function undo(self)
  M.close(self.clock)
  local failed, failure = false, nil
  while #self.kept > 0 do
    local kept = table.remove(self.kept)
    local ok, err = pcall(kept.close, kept)
    if not ok then failed, failure = true, failure or err end
  end
  if failed then error(failure, 0) end
end

-- Programs that were started in there are our children. While one that has
-- ended is not reaped, the first process of the pid namespace cannot end. One
-- that its user has closed is gone.
local function reap(self)
  for i = #self.programs, 1, -1 do
    local program <const> = self.programs[i]
    local open, ready = pcall(core.poll, { program }, 0)
    if open and #ready > 0 then program:wait() end
    if not open or #ready > 0 then table.remove(self.programs, i) end
  end
end

-- Until the first process has ended, and with it all others.
local function await(self, timeout)
  local deadline = timeout and core.monotonic() + core.duration(timeout) / 1e9
  while true do
    reap(self)
    local left = deadline and math.max(0, deadline - core.monotonic())
    local ready = core.poll({ self.process, table.unpack(self.programs) },
                            left)
    if #ready == 0 then return false end
    if ready[1] == self.process then return true end
  end
end

-- How the payload ended: the init has told, with a reason when it was not the
-- payload's own doing; or it was the only process, or was ended itself. Where
-- SIGCHLD is ignored, no more can be known of a child than what it told.
local function outcome(self)
  local record <const> = core.read(self.status, 64)
  self.status:close()
  local reaped, ok, how, code = pcall(self.process.wait, self.process)
  if record then
    local why
    how, code, why = string.unpack("zi4", record)
    why = record:sub(why) ~= "" and record:sub(why) or nil
    return (how == "exit" and code == 0) or nil, how, code, why
  end
  if not reaped then error(ok, 0) end
  local late <const> = how == "signal" and code == 9 and self.deadline
    and core.monotonic() >= self.deadline
  return ok, how, code, late and "timeout" or nil
end

--- What wait answers, from how it ended.
-- @tparam table ended true or nil, "exit" or "signal", the number, and why
function M.answer(ended)
  return table.unpack(ended, 1, ended[4] and 4 or 3)
end

--- Waits for the payload's end. What was made for the container outside of it
-- is undone then.
-- @tparam[opt] number|string timeout seconds, or "500ms"
-- @treturn[1] boolean true, or nil when the status is not 0
-- @treturn[1] string "exit" or "signal"
-- @treturn[1] int status or signal number
-- @treturn[1] ?string why, when it was not its own doing: "timeout", its time
-- limit; "memory", of which it had no more, so that processes were killed
-- @return[2] nil, "timeout"
function Container:wait(timeout)
  if self.ended then return M.answer(self.ended) end
  if self.closed then
    core.raise(core.errno.ESRCH, "wait", nil, tostring(self))
  end
  if not await(self, timeout) then return nil, "timeout" end
  self.ended = { outcome(self) }
  local group <const> = self.values.cgroup
  self.ended[4] = self.ended[4] or group and group:why()
  undo(self)
  return M.answer(self.ended)
end

--- Sends a signal to the payload.
-- @tparam string|int signal "TERM", 15
-- @raise ESRCH when it has ended. See pidfd_send_signal(2).
function Container:signal(signal)
  self.process:signal(signal)
end

--- Has something closed after the container's end, by wait or by close.
-- @param thing anything with a method `close`
-- @return the same
function Container:keep(thing)
  self.kept[#self.kept + 1] = thing
  return thing
end

---- more programs inside ----

-- An environment as a table by names; the caller's own values are filled in.
local function by_name(env)
  local copy = {}
  for name, value in pairs(env or {}) do
    if math.type(name) == "integer" then
      name, value = value:match "^([^=]+)=(.*)$"
    end
    if value == true then value = os.getenv(name) or false end
    if name then copy[name] = value end
  end
  return copy
end

-- The steps of the plan that are privileges: data, for they may be taken in
-- another process. What they refer to is their own process, or what another
-- of them has answered.
local function privileges(self)
  local list = {}
  for _, step in ipairs(self.plan) do
    if step.privilege then
      list[#list + 1] = {
        where = step.where, call = step.call, on = step.on, as = step.as,
        args = step.args, refers = step.refers, label = step.label,
        fail = step.fail, privilege = step.privilege,
      }
    end
  end
  return list
end

-- What every program in there gets: privileges, and the environment and place
-- of the payload.
function Container:common()
  local payload <const> = self.plan[#self.plan].args[1]
  local env <const> = by_name(payload.env)
  local home <const> = type(env.HOME) == "table" -- it is known inside alone
  if home then env.HOME = nil end
  return { steps = privileges(self), account = self.plan.account, env = env,
           home = home, cwd = payload.cwd, path = payload.path,
           deadline = self.deadline }
end

-- The user that a program is to be, if not the payload's; and the command
-- without him.
local function divide(given)
  local identity <const> = require "farside.recipe.identity"
  local command, keys = {}, {}
  for key, value in pairs(given) do
    local into <const> = identity.checks[key] and keys or command
    into[key] = value
  end
  if next(keys) == nil then return nil, command end
  local fields <const> = require "farside.fields"
  local check <const> = fields.record(identity.checks)
  return fields.check("exec", function(value, path, fail)
    return identity.account(check(value, path, fail), fail)
  end, keys), command
end

-- Changes what programs share to what one of another user has.
local function become(common, user)
  common.steps = require("farside.plan.identity").as_user(common.steps,
    common.account, user)
  common.home = common.account.home
  if common.home then common.env.HOME = nil end
end

local function to_command(command, given, common)
  command.env = common.env
  for name, value in pairs(by_name(given.env)) do command.env[name] = value end
  command.cwd = given.cwd or common.cwd
  if given.session == nil then command.session = true end
  return command
end

-- One form for a command: a table, or its words.
local function words(who, ...)
  local first <const> = ...
  local given <const> = type(first) == "table" and first or { ... }
  if given[1] == nil then
    require("farside.error").usage("%s: command expected", who)
  end
  return given
end

--- Whether it runs.
-- @treturn boolean
function Container:running()
  return not self.ended and not self.closed
    and #core.poll({ self.process }, 0) == 0
end

local function check_running(self, call)
  if not self:running() then
    core.raise(core.errno.ESRCH, call, nil, tostring(self))
  end
end

-- What enters a group that stands still does so too, before it has told that
-- it is there.
local function check_going(self)
  local group <const> = self.values.cgroup
  if not group then return end
  local file <close> = core.openat2(group, "cgroup.freeze", "rdonly")
  if core.read(file, 1) == "1" then
    require("farside.error").usage("exec: %s is paused: resume it first",
                                   tostring(self))
  end
end

--- Starts one more program in the container and does not wait for it. It is
-- in all its namespaces and its control group, has the ids, capabilities,
-- filters and limits of the payload, its environment and its directory.
-- @tparam table|string command as of exec, `env` being added to the
-- container's; `tty`: true for a terminal of the container's; and `user`,
-- `group` and `groups`, as of a recipe, for another user than the payload's
-- @param ... its arguments
-- @treturn Program
-- @raise ENOENT when there is no such program, or no such user; ESRCH when the
-- container has ended
function Container:spawn(...)
  local given <const> = words("spawn", ...)
  check_running(self, "exec")
  check_going(self)
  local common <const> = self:common()
  local user, command = divide(given)
  if user then become(common, user) end
  local program <const> = require("farside.enter").spawn(self,
    to_command(command, given, common),
    { steps = common.steps, cgroup = self.values.cgroup,
      home = common.home and by_name(given.env).HOME == nil })
  reap(self)
  self.programs[#self.programs + 1] = program
  return program
end

--- Runs one more program in the container and waits for its end; signals to
-- the caller go to it. See spawn.
-- @usage web:exec { "nginx", "-t" }
-- @tparam table|string command as of spawn
-- @param ... its arguments
-- @treturn boolean true, or nil when the status is not 0
-- @treturn string "exit" or "signal"
-- @treturn int status or signal number
-- @raise as spawn
function Container:exec(...)
  local given <const> = words("exec", ...)
  return require("farside.attend").attend(function()
    return self:spawn(given)
  end, given.session == false)
end

--- Runs a function inside, as its root. See ns.inside.
-- @tparam function fn
-- @param ... its arguments
-- @return what the function returns
function Container:inside(fn, ...)
  return require("farside.inside").inside(self, fn, ...)
end

---- its life ----

-- Its control group, without which some things cannot be done.
local function cgroup(self, call)
  local group <const> = self.values.cgroup
  if group then return group end
  require("farside.error").usage("%s: the container has no cgroup of its own; "
    .. "a recipe with `limits` has one", call)
end

-- Its time limit holds while it stands still.
function Container:keep_time(group)
  M.close(self.clock)
  if not self.deadline then return end
  self.clock = require("farside.overtime").start(self.process, group,
                                                 self.deadline)
end

--- Stops all its processes where they are, until resume. A time limit goes on,
-- and ends it when it is over.
-- @raise a message when it has no cgroup; ESRCH when it has ended. See
-- cgroups(7), cgroup.freeze.
function Container:pause()
  check_running(self, "pause")
  local group <const> = cgroup(self, "pause")
  group:freeze(true)
  self:keep_time(group)
end

--- Lets its processes go on.
-- @raise as pause
function Container:resume()
  check_running(self, "resume")
  cgroup(self, "resume"):freeze(false)
  M.close(self.clock)
end

--- What it uses: processor time, memory, processes.
-- @treturn table see farside.cgroup
-- @raise a message when it has no cgroup
function Container:stats()
  return cgroup(self, "stats"):stats()
end

-- Whom a signal reaches no more has ended.
local function signal_living(target, name)
  local ok, err = pcall(target.signal, target, name)
  if not ok and err.code ~= "ESRCH" then error(err, 0) end
end

--- Asks the payload to end, and ends it with all that runs inside when it has
-- not done so in time.
-- @tparam[opt="10s"] number|string grace seconds, or "500ms"
-- @tparam[opt="TERM"] string|int signal the way to ask
-- @return as wait
function Container:stop(grace, signal)
  if not self.ended then
    signal_living(self, signal or "TERM")
    if self.values.cgroup then pcall(self.resume, self) end -- or never hears
    if self:wait(grace or 10) == nil and not self.ended then
      signal_living(self, "KILL")
    end
  end
  return self:wait()
end

--- The descriptor (pidfd) of its first process.
function Container:fileno()
  return self.process:fileno()
end

--- Closes whatever can be closed, in lists as well.
function M.close(value)
  local kind = type(value)
  if kind ~= "table" and kind ~= "userdata" then return end
  if value.close then return value:close() end
  for i = 1, #value do M.close(value[i]) end
end

--- Ends it at once, with all that runs inside.
function Container:close()
  if self.closed then return end
  if not self.ended then
    signal_living(self.process, "KILL")
    await(self)
  end
  self.closed = true
  M.close(self.status)
  M.close(self.namespaces)
  M.close(self.terminal)
  self.process:close()
  undo(self)
end

Container.__close = Container.close

function Container:__tostring()
  return ("container (pid %d)"):format(self.pid)
end

return M
