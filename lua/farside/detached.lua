--- Detached containers, as anybody holds them who may: found by name, they are
-- asked and told what their starter could ask and tell.

local containers <const> = require "farside.container"
local core <const> = require "farside.core"
local registry <const> = require "farside.registry"
local serial <const> = require "farside.serial"

local M = {}

--- A detached container. Fields: `name`; `pid`, its first process; `status`,
-- "running", "starting", "exited" or "killed" (its supervisor was, and it with
-- that) when it was looked up. Methods: those of a container, and these.
-- @type Detached
local Detached = setmetatable({}, { __index = containers.Container })
Detached.__index = Detached

-- A descriptor of the supervisor's as one of ours.
local function theirs(self, number, flags)
  return core.openat2(self.proc, "fd/" .. number, flags or "rdonly")
end

-- Opens what is needed to reach a container that runs.
local function reach(self)
  local record <const> = self.record
  self.supervisor, self.proc = registry.find(record.supervisor)
  self.looked = true
  if record.status == "starting" then return end
  local dir
  self.process, dir = registry.find(record.init)
  containers.close(dir)
  if record.cgroup then
    self.values.cgroup = require("farside.cgroup").open(record.cgroup)
  end
  if not self.proc or #record.namespaces == 0 then return end
  self.namespaces = {}
  for i, number in ipairs(record.namespaces) do
    local file <close> = theirs(self, number)
    self.namespaces[i] = core.open(file)
  end
end

local function take(self, record)
  self.record, self.status = record, record.status
  if record.status == "exited" then
    local ok = record.how == "exit" and record.code == 0 or nil
    self.ended = { ok, record.how, record.code, record.why }
  elseif record.status == "killed" then
    self.ended = { nil, "signal", 9 }
  end
end

local function hold(record)
  local self = setmetatable({ name = record.name, kept = {}, programs = {},
                              values = {}, pid = record.init and
                              record.init.pid }, Detached)
  take(self, record)
  if self.ended or self.status == "broken" then return self end
  local ok, failure = pcall(reach, self)
  if ok then return self end
  local ended <const> = self.looked and (not self.supervisor
    or #core.poll({ self.supervisor }, 0) > 0)
  if ended then self:wait() end -- while it was being looked up
  self:close()
  return ended and self or error(failure, 0)
end

--- A detached container, found by its name.
-- @tparam string who the function that was called
-- @tparam string name
-- @treturn Detached
-- @raise a message when there is none of this name
function M.open(who, name) return hold(registry.get(who, name)) end

--- One that has just been started; it may have ended and be forgotten by now.
-- @tparam string name
-- @treturn Detached
function M.started(name)
  local record <const> = registry.look(name)
  if record then return hold(record) end
  return setmetatable({ name = name, status = "removed", values = {},
                        ended = { nil, "removed" } }, Detached)
end

--- A detached container, found by its name.
-- @tparam string name
-- @treturn Detached
-- @raise a message when there is none of this name
function M.container(name) return M.open("container", name) end

--- What all programs in it share.
function Detached:common()
  local sheet <close> = theirs(self, self.record.common)
  return serial.decode(core.read(sheet, core.fstatat(sheet, "").size, 0))
end

-- Whoever asks has gone by then.
function Detached:keep_time(group)
  local deadline <const> = self:common().deadline
  if deadline then
    require("farside.overtime").leave(self.process, group, deadline)
  end
end

--- Whether it runs.
function Detached:running()
  return not self.ended and self.process ~= nil and self.proc ~= nil
    and #core.poll({ self.process }, 0) == 0
end

--- Sends a signal to the payload.
-- @tparam string|int signal "TERM", 15
-- @raise ESRCH when it has ended
function Detached:signal(signal)
  if not self.process then
    core.raise(core.errno.ESRCH, "signal", nil, tostring(self))
  end
  core.kill(self.process, signal)
end

--- Waits for the payload's end; one whose supervisor was killed was ended by
-- signal 9 with it.
-- @tparam[opt] number|string timeout seconds, or "500ms"
-- @return as Container:wait; nil and "removed" when it was forgotten with its
-- end
function Detached:wait(timeout)
  if self.ended then return containers.answer(self.ended) end
  if self.supervisor and #core.poll({ self.supervisor }, timeout) == 0 then
    return nil, "timeout"
  end
  local record <const> = registry.look(self.name)
  if record and registry.same(record, self.record) then
    take(self, record)
  else
    self.status, self.ended = "removed", { nil, "removed" }
  end
  return containers.answer(self.ended)
end

--- Forgets a container that has ended, and its log.
-- @tparam[opt] boolean force end it first, if it runs
-- @raise a message when it runs and is not to be ended
function Detached:remove(force)
  local alive <const> = self.status == "starting" or self:running()
  if alive and not force then
    require("farside.error").usage("remove: container '%s' is %s", self.name,
                                   self.status)
  elseif self.status == "removed" then
    return
  end
  local record = registry.drop(self.record)
  while record do -- it has started meanwhile, or was not to be asked
    self:close()
    take(self, record)
    pcall(reach, self) -- EACCES, ESRCH: it has just ended
    if self.supervisor then core.kill(self.supervisor, "CONT") end
    self:stop(0, "KILL")
    record = registry.drop(self.record)
  end
  -- one that starts finds that it was removed, and gives up
  if self.supervisor then core.poll({ self.supervisor }, 10) end
end

--- What it has written to its standard streams, as far as it is kept.
-- @treturn string
function Detached:logs()
  local parts = {}
  require("farside.log").read(self.name, function(data)
    parts[#parts + 1] = data
  end)
  return table.concat(parts)
end

--- Lets go of it; it runs on.
function Detached:close()
  containers.close { self.process, self.supervisor, self.proc }
  containers.close(self.values.cgroup)
  containers.close(self.namespaces)
end

Detached.__close = Detached.close

function Detached:__tostring() return ("container '%s'"):format(self.name) end

--- What is known of all containers that have a name.
-- @treturn {table,...} sorted by name: `name`, `status`, `pid`, `created` and
-- `ended` (seconds, as of os.time), `how`, `code` and `why` of its end,
-- `command`
-- @raise EACCES for the directory of the records. See openat2(2).
function M.containers()
  local list = {}
  for i, record in ipairs(registry.all()) do
    list[i] = {
      name = record.name, status = record.status,
      pid = record.status == "running" and record.init.pid or nil,
      created = record.created, ended = record.ended, how = record.how,
      code = record.code, why = record.why, failure = record.failure,
      command = record.command,
    }
  end
  return list
end

return M
