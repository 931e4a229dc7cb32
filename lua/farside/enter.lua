--- Programs started in namespaces that exist.
--
-- Two processes do it. The joiner, a child of the caller, is outside still
-- when it starts, joins, and where a pid namespace is among what it joined,
-- clones the program: only children are in there. That one is no child of the
-- joiner but of the caller (CLONE_PARENT), which can wait for it and signal it
-- as for any other. It takes the steps that make it what it may be, and
-- executes the command. What either of them fails in is told over a socket.

local child <const> = require "farside.child"
local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local execs <const> = require "farside.exec"
local joins <const> = require "farside.join"
local serial <const> = require "farside.serial"
local steps <const> = require "farside.step"

local M = {}

local go <const> = "+"

---- programs, as their starter holds them ----

--- A program that runs in there. Fields: `pid`, as the caller sees it;
-- `terminal`, the caller's end of its terminal, with `tty`.
-- @type Program
local Program = {}
Program.__index = Program

--- Waits for its end. See process:wait.
function Program:wait(timeout) return self.process:wait(timeout) end

--- Sends it a signal. See process:signal.
function Program:signal(signal) self.process:signal(signal) end

--- Its pidfd.
function Program:fileno() return self.process:fileno() end

--- Ends it with SIGKILL if it runs.
function Program:close()
  if self.terminal then self.terminal:close() end
  self.process:close()
end

Program.__close = Program.close

function Program:__tostring() return ("program (pid %d)"):format(self.pid) end

---- the program's side ----

local function tell(job, ...) core.sendmsg(job.channel, serial.encode(...)) end

local function tell_failure(job, failure)
  core.sendmsg(job.channel, steps.told(failure))
  core._exit(125)
end

-- What a step raised, or what went wrong between them.
local function guarded(job, fn, ...)
  local results = table.pack(pcall(fn, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  local failure = results[2]
  if not errors.is(failure) then
    failure = errors.remake { call = "exec", reason = tostring(failure) }
  end
  tell_failure(job, failure)
end

-- What steps call, and what opens the root that some are about.
local function resolve(list)
  local calls <const> = steps.resolve(list)
  calls.root = require("farside").root
  return calls
end

-- Steps from the `first` on, up to one with the call that is named.
local function take_steps(job, list, first, last)
  for i = first, #list do
    if list[i].call == last then return i end
    local ok, failure = pcall(steps.take, list[i], job.calls, job.values)
    if not ok then tell_failure(job, steps.named(list[i], failure)) end
  end
  return #list + 1
end

-- A directory that was opened before anything was joined, to be the root.
local function change_root(job)
  if job.root then
    core.chdir(job.root)
    core.chroot "."
  end
  if job.directory then core.chdir(job.directory) end
end

-- What steps about files in there are told to.
local function open_root(job)
  for _, step in ipairs(job.within) do
    if step.on == "root" and not job.values.root then
      job.values.root = job.calls.root "/"
    end
  end
end

-- The directory of a user whom only the container's files know.
local function set_home(job)
  if not job.home then return end
  local env <const> = job.command.env
  env[#env + 1] = "HOME=" .. job.values.who.home
end

local function open_terminal(job)
  local master, slave = core.tty.open(job.tty, 0)
  tell(job, "terminal")
  core.sendmsg(job.channel, go, { master })
  master:close()
  job.command.terminal, job.command.session = slave, true
end

-- Never returns. Silence on the socket, at its end, means that it went well.
-- What a filter of system calls may refuse is done before it is installed.
local function be_program(job)
  if core.recvmsg(job.channel, 1) ~= go then core._exit(125) end
  if job.joined.user and not job.preserve then joins.become_root() end
  core.prctl("dumpable", false)
  open_root(job)
  local rest <const> = take_steps(job, job.within, 1, "seccomp.install")
  if job.joined.user and not job.preserve then
    joins.check_user()
  end
  if job.tty then open_terminal(job) end
  joins.live_with(job.caller)
  take_steps(job, job.within, rest)
  set_home(job)
  execs.become(job.command)
end

---- the joiner's side ----

local function clone_program(job)
  local process <const> = core.clone({ parent = true }, function()
    guarded(job, be_program, job)
  end)
  local ok, failure = pcall(function()
    tell(job, "program", process.pid)
    core.sendmsg(job.channel, go, { process })
  end)
  if ok then core._exit(0) end
  failure.program = process.pid -- which is the caller's to wait for
  error(failure, 0)
end

-- The steps that are taken out here, and those in there.
local function sort_steps(job)
  job.outside_steps, job.within, job.values = {}, {}, {}
  for _, step in ipairs(job.steps) do
    local list <const> = step.where == "parent" and job.outside_steps
      or job.within
    list[#list + 1] = step
  end
end

-- What only the caller may do is done to the joiner, whose child has it too.
local function take_outside(job)
  if #job.outside_steps == 0 then return end
  local pid <const> = core.getpid()
  local self <close> = core.pidfd_open(pid)
  job.values.child = core.process(pid, self)
  take_steps(job, job.outside_steps, 1)
end

-- Never returns.
local function join(job)
  sort_steps(job)
  take_outside(job)
  core.prctl("dumpable", false)
  job.joined = joins.join(job.handles or job.process, job.kinds,
                           job.preserve)
  change_root(job)
  joins.shield(job.joined)
  if job.joined.pid and not job.outside then clone_program(job) end
  tell(job, "program")
  be_program(job)
end

---- the joiner as a sealed copy of the driver ----

-- What stays open over the exec of the copy, as a number.
local function passed(object)
  if object == nil then return nil end
  if io.type(object) then object = core.dup(object) end
  core.cloexec(object, false)
  return math.type(object) == "integer" and object or object:fileno()
end

-- The job with numbers in the place of descriptors.
local function packed(job)
  local command <const> = {}
  for key, value in pairs(job.command) do command[key] = value end
  for _, name in ipairs { "stdin", "stdout", "stderr" } do
    command[name] = passed(command[name])
  end
  for i, object in ipairs(command.keep or {}) do
    command.keep[i] = passed(object)
  end
  local handles = job.handles and {}
  for i, handle in ipairs(job.handles or {}) do handles[i] = passed(handle) end
  return {
    handles = handles, process = passed(job.process), kinds = job.kinds,
    caller = passed(job.caller), channel = passed(job.channel),
    root = passed(job.root), directory = passed(job.directory),
    preserve = job.preserve, home = job.home, outside = job.outside,
    tty = job.tty, steps = job.steps, command = command,
  }
end

-- Becomes the copy, which goes on where this stops.
local function become_copy(job)
  local sheet <const> = child.sheet()
  core.write(sheet, serial.encode(packed(job)))
  core.cloexec(sheet, false)
  local code <const> = "require('farside.enter').resume(%d)"
  core.execve(job.copy, { "farside", "-E", "-e", code:format(sheet:fileno()) },
              nil, "sigdefault")
end

local function unpack_job(job)
  for _, name in ipairs { "caller", "root", "directory", "process" } do
    job[name] = job[name] and core.fd(job[name])
  end
  for i, number in ipairs(job.handles or {}) do
    job.handles[i] = core.fd(number)
  end
  job.calls = resolve(job.steps)
end

--- Goes on as the sealed copy. Never returns.
-- @tparam int sheet the descriptor of the packed job
function M.resume(sheet)
  collectgarbage "stop"
  local job = child.read(core.fd(sheet))
  job.channel = core.fd(job.channel)
  guarded(job, unpack_job, job)
  guarded(job, join, job)
end

local function be_joiner(job)
  child.seal()
  joins.live_with(job.caller)
  if job.copy then become_copy(job) end
  join(job)
end

---- the caller's side ----

-- The joiner has ended without a word of its own.
local function ended_early(joiner)
  local _, how, code = joiner:wait()
  error(errors.remake {
    call = "exec", reason = ("the process that joins ended early (%s %d)")
      :format(how, code),
  }, 0)
end

local function receive(mine, joiner)
  core.poll { mine, joiner }
  if #core.poll({ mine }, 0) == 0 then ended_early(joiner) end
  local message <const>, descriptors <const> = steps.receive(mine)
  if not message then ended_early(joiner) end
  return message, descriptors
end

-- Raises a failure that was told, or answers the words.
local function heard(message)
  local what, value = serial.decode(message)
  if errors.is(what) then error(what, 0) end
  return what, value
end

-- The joiner itself, or the program that it cloned.
local function await_program(mine, joiner, program)
  local _, pid = heard(receive(mine, joiner))
  program.pid = pid or joiner.pid
  if not pid then
    program.process = joiner
    return
  end
  local message <const>, descriptors <const> = receive(mine, joiner)
  if message ~= go then heard(message) end
  -- EMFILE: it did not get here
  local pidfd <close> = descriptors[1] or core.pidfd_open(pid)
  program.process = core.process(pid, pidfd)
end

-- Until the socket closes, which it does when the program is executed.
local function await_exec(program, mine)
  while true do
    local message = steps.receive(mine)
    if not message then return end
    heard(message) -- "terminal"
    local _, descriptors = core.recvmsg(mine, 1)
    program.terminal = descriptors[1]
  end
end

local function start(mine, joiner, program)
  await_program(mine, joiner, program)
  if program.process ~= joiner then joiner:wait() end
  core.sendmsg(mine, go)
  await_exec(program, mine)
end

-- A program that the joiner has cloned is our child, which nobody else reaps:
-- and so long the container could not end. It ends when it does not hear of us.
local function abandon(mine, joiner, program, failure)
  program.pid = program.pid or errors.is(failure) and failure.program
  if not program.pid then pcall(await_program, mine, joiner, program) end
  mine:close()
  if program.process then
    program:close()
  elseif program.pid then
    pcall(core.waitpid, program.pid, "all") -- ECHILD: SIGCHLD is ignored
  end
  joiner:close()
end

-- Whether files of somebody in there are executed.
local function foreign_files(job)
  if job.root or not (job.kinds or job.handles) then return true end
  for _, one in ipairs(job.handles or job.kinds) do
    if one == "mnt" or one.kind == "mnt" then return true end
  end
  return false
end

-- Joining as a copy is for where somebody in there could write the caller's
-- program; nobody can be asked of namespaces without a process.
local function sealed_copy(job)
  if job.trusted or not foreign_files(job) then return nil end
  local sealed <const> = require "farside.sealed"
  if not job.process or sealed.exposed(job.process) then
    return sealed.copy()
  end
end

-- What is to be joined: a process by a pidfd, or namespaces by handles.
local function aim(job, target)
  if math.type(target) == "integer" then
    job.process = core.pidfd_open(target)
  elseif type(target) == "table" and target.process then -- a container
    job.process, job.handles = target.process, target.namespaces
  elseif type(target) == "table" and target[1] then
    job.handles = target
  else
    job.process = target
  end
end

-- Of the handles those of the kinds that are wanted.
local function choose(job)
  local wanted, chosen = {}, {}
  for _, kind in ipairs(job.kinds) do wanted[kind] = true end
  for _, handle in ipairs(job.handles) do
    if wanted[handle.kind] then chosen[#chosen + 1] = handle end
  end
  job.handles = chosen
end

local function job_of(target, command, options)
  local job <const> = { steps = {}, command = {} }
  for key, value in pairs(options or {}) do job[key] = value end
  for key, value in pairs(command) do job.command[key] = value end
  job.tty = job.command.tty == true and "/dev/pts/ptmx" or job.command.tty
  job.command.tty = nil
  job.command = execs.check("exec", job.command)
  aim(job, target)
  if job.handles and job.kinds then choose(job) end
  job.calls = resolve(job.steps)
  joins.prepare()
  return job
end

--- Starts a program in the namespaces of a target.
-- @param target a process (a pid, a process object, a pidfd, a container), or a
-- list of namespaces (handles)
-- @tparam table command as of exec, and `tty`: the path of a terminal
-- multiplexer in there, or true for /dev/pts/ptmx
-- @tparam[opt] table options
--
-- - `kinds`: the namespaces to join; all without it
-- - `outside`: stay out of the pid namespace, for children only to be in it
-- - `steps`: of a plan, to be taken before the program is executed
-- - `cgroup`: the descriptor of a cgroup directory to be in
-- - `root`, `directory`: descriptors of directories to be the root, and to
--   start in
-- - `preserve`: keep the caller's ids in another user namespace
-- - `home`: HOME is that of the user that the step with the result `who` finds
-- - `trusted`: nobody in there means harm
-- @treturn Program it has been executed
-- @raise as setns and exec, and what the steps raise; then nothing runs
function M.spawn(target, command, options)
  local job <const> = job_of(target, command, options)
  local copy <close> = sealed_copy(job)
  local one, other = core.socketpair "seqpacket"
  local mine <close> = one
  local channel <close> = other
  local caller <close> = core.pidfd_open(core.getpid())
  job.copy, job.channel, job.caller = copy, channel, caller
  local joiner = core.clone({ cgroup = job.cgroup }, function()
    collectgarbage "stop"
    mine:close() -- or our hanging up would never arrive
    guarded(job, be_joiner, job)
  end)
  channel:close()
  local program <const> = setmetatable({}, Program)
  local ok, failure = pcall(start, mine, joiner, program)
  if ok then return program end
  abandon(mine, joiner, program, failure)
  if copy and errors.is(failure) then failure.where = core.where() end
  error(failure, 0)
end

return M
