--- Detached containers: a process of their own looks after them when their
-- starter has gone. It is the container's parent, keeps what must be kept,
-- writes the log, passes signals on, and records how the payload ended.
--
-- In order: it is made a child of nobody (cloned by a child that ends), takes
-- the name, starts the container, lets go of all descriptors that belong to
-- the starter, records what others need to find the container, and only then
-- tells the starter that all is well.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local registry <const> = require "farside.registry"
local serial <const> = require "farside.serial"
local steps <const> = require "farside.step"

local M = {}

--- What ps(1) shows for it.
M.NAME = "farside-keeper"

-- Meant for the container, like those that `run` passes on.
local forwarded <const> = { "HUP", "INT", "QUIT", "TERM", "USR1", "USR2" }

---- the name ----

-- Takes the name, or raises that somebody has it.
local function reserve(record)
  registry.locked(function(dir)
    local old = registry.read(dir, record.name)
    old = old and registry.settle(dir, old)
    if not old then return registry.write(dir, record) end
    error(errors.remake {
      call = "spawn", errno = core.errno.EEXIST, code = "EEXIST",
      detail = ("container '%s'"):format(record.name),
      reason = "there is one of this name, " .. old.status,
      hint = ("farside rm %s%s"):format(
        old.status == "running" and "-f " or "", record.name),
    }, 0)
  end)
end

local function write(record)
  if registry.update(record) then return end
  error(errors.remake {
    call = "spawn", errno = core.errno.ECANCELED, code = "ECANCELED",
    detail = ("container '%s'"):format(record.name),
    reason = "it was removed while it started",
  }, 0)
end

---- descriptors ----

-- The numbers of all descriptors in a value, however deep.
local function collect(value, set, seen)
  if type(value) == "userdata" then
    local ok, number = pcall(function() return value:fileno() end)
    if ok then set[number] = true end
  elseif type(value) == "table" and not seen[value] then
    seen[value] = true
    for _, element in pairs(value) do collect(element, set, seen) end
  end
end

-- Closes all that is not in a list of things. What is garbage now is finalised
-- before; what is not will never be, for the starter's code does not go on in
-- this process: so no finaliser closes a number again.
local function close_others(things)
  local set, numbers = { [0] = true, [1] = true, [2] = true }, {}
  collect(things, set, {})
  for number in pairs(set) do numbers[#numbers + 1] = number end
  table.sort(numbers)
  collectgarbage()
  for i, number in ipairs(numbers) do
    local next_kept <const> = numbers[i + 1]
    if not next_kept then
      core.close_range(number + 1)
    elseif next_kept > number + 1 then
      core.close_range(number + 1, next_kept - 1)
    end
  end
end

-- The standard streams lead into the log, until the container has them.
local function redirect(writer)
  local null <close> = core.openat2(nil, "/dev/null", "rdonly")
  core.dup(null, 0)
  core.dup(writer, 1)
  core.dup(writer, 2)
end

local function silence()
  local null <close> = core.openat2(nil, "/dev/null", "rdwr")
  for number = 0, 2 do core.dup(null, number) end
end

---- what others need ----

-- Whoever runs a program in the container later gets from here, by way of
-- /proc, the namespaces and what all programs in it share.
local function share(container, record)
  local sheet <const> = core.memfd_create "farside"
  core.write(sheet, serial.encode(container:common()))
  record.common = sheet:fileno()
  record.namespaces = {}
  for i, handle in ipairs(container.namespaces or {}) do
    record.namespaces[i] = handle:fileno()
  end
  local group <const> = container.values.cgroup
  record.cgroup, record.undo = group and group.path, {}
  for _, kept in ipairs(container.kept) do
    if kept.undo then record.undo[#record.undo + 1] = kept:undo() end
  end
  return sheet
end

---- its life ----

local Keeper <const> = {}
Keeper.__index = Keeper

-- What the container writes, to the log; nil when there will be no more.
function Keeper:copy()
  local ok, data = pcall(core.read, self.output, 65536)
  if ok and data then return self.log:write(data) end
  self.output = nil
  if not ok and data.code ~= "EIO" then -- that is how a terminal ends
    self.record.failure = tostring(data)
  end
end

function Keeper:drain()
  while self.output and #core.poll({ self.output }, 0) > 0 do self:copy() end
end

function Keeper:turn()
  local watched = { self.container, self.signals, self.output }
  for _, object in ipairs((core.poll(watched))) do
    if object == self.container then return true end
    if object == self.output then
      self:copy()
    else
      local name = core.read_signal(self.signals)
      pcall(self.container.signal, self.container, name) -- ESRCH
    end
  end
end

function Keeper:look_after()
  repeat until self:turn()
  local record <const> = self.record
  local ok, failure, how, code, why = pcall(self.container.wait,
                                            self.container)
  self:drain()
  if not ok then -- what could not be undone
    record.failure = tostring(failure)
    how, code, why = table.unpack(self.container.ended, 2, 4)
  end
  record.status, record.how, record.code = "exited", how, code
  record.why = why
  record.ended, record.undo, record.lost = os.time(), nil, self.log.lost
  local finish <const> = record.rm and registry.forget or registry.update
  finish(record) -- unless it was removed
end

-- Takes the name, for a container that the calling process looks after.
local function make(recipe, plan)
  local record <const> = {
    name = recipe.name, status = "starting", created = os.time(),
    command = plan[#plan].args[1], rm = recipe.rm,
    supervisor = registry.identity(core.getpid()),
  }
  record.command = table.move(record.command, 1, #record.command, 1, {})
  reserve(record)
  return record
end

local function start(recipe, plan, record)
  local log <const> = require("farside.log").new(recipe.name, recipe.log_size)
  local reader, writer = core.pipe()
  redirect(writer)
  writer:close()
  local container <const> = require("farside.spawn").launch(plan)
  silence()
  record.status, record.init = "running", registry.identity(container.process)
  local output = reader
  if container.terminal then
    reader:close()
    output = container.terminal
  end
  return setmetatable({ record = record, log = log, container = container,
                        output = output, sheet = share(container, record),
                        signals = core.signalfd(forwarded) }, Keeper)
end

-- What is open for the container and for the log, and nothing of the plan,
-- whose descriptors are the starter's.
local function needs(keeper, channel)
  local container <const> = keeper.container
  return { container.process, container.status, container.namespaces,
           container.terminal, container.kept, keeper.log, keeper.output,
           keeper.sheet, keeper.signals, channel }
end

-- Tells the starter, if it is there, why there is no container, and ends.
local function give_up(failure, channel)
  if not errors.is(failure) then
    failure = errors.remake { call = "spawn", reason = tostring(failure) }
  end
  pcall(core.sendmsg, channel, steps.told(failure)) -- EPIPE
  core._exit(125)
end

-- Never returns.
local function keep(recipe, plan, channel)
  local record, keeper
  local ok, failure = pcall(function()
    core.setsid()
    core.prctl("name", M.NAME)
    core.sigprocmask("block", forwarded)
    record = make(recipe, plan)
    keeper = start(recipe, plan, record)
    close_others(needs(keeper, channel))
    core.chdir "/"
    write(record)
    core.sendmsg(channel, "+") -- EPIPE: nobody would know of it
  end)
  if not ok then
    if keeper then pcall(keeper.container.close, keeper.container) end
    if record then pcall(registry.forget, record) end
    give_up(failure, channel)
  end
  channel:close()
  keeper:look_after()
  core._exit(0)
end

--- Starts a container that has a name and is not detached: its starter looks
-- after it, and it is forgotten with its end.
-- @tparam table recipe checked
-- @tparam Plan plan
-- @treturn Container
-- @raise as spawn; EEXIST when there is a container of this name
function M.attached(recipe, plan)
  local record <const> = make(recipe, plan)
  local function forget() registry.forget(record) end
  local ok, container = pcall(require("farside.spawn").launch, plan)
  if not ok then
    forget()
    error(container, 0)
  end
  container:keep { close = forget }
  local shared, failure = pcall(function()
    container:keep(share(container, record))
    record.status, record.init = "running", registry.identity(container.process)
    write(record)
  end)
  if shared then return container end
  container:close()
  error(failure, 0)
end

-- One that runs and cannot be held is not left to run after an error.
local function started(name)
  local detached <const> = require "farside.detached"
  local ok, container = pcall(detached.started, name)
  if ok then return container end
  pcall(function() detached.container(name):remove(true) end)
  error(container, 0)
end

--- Starts a detached container.
-- @tparam table recipe checked
-- @tparam Plan plan
-- @treturn Detached
-- @raise as spawn; EEXIST when there is a container of this name
function M.start(recipe, plan)
  local one, other = core.socketpair "seqpacket"
  local mine <close> = one
  local channel <close> = other
  local between <close> = core.clone({}, function()
    mine:close()
    local ok, failure = pcall(core.clone, {}, function()
      keep(recipe, plan, channel)
    end)
    if not ok then give_up(failure, channel) end
    core._exit(0)
  end)
  channel:close()
  between:wait()
  local message <const> = steps.receive(mine)
  if message == "+" then
    return started(recipe.name)
  elseif message then
    error(errors.remake(serial.decode(message)), 0)
  end
  error(errors.remake { call = "spawn", reason = "the process that looks "
                        .. "after the container ended early" }, 0)
end

return M
