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

--- A container that has been started.
-- @tparam table parts
--
-- - `process`: its first process
-- - `status`: the pipe on which its init tells how the payload ended
-- - `namespaces`, `terminal`: as the plan's steps left them
-- - `kept`: what is to be closed after its end
function M.new(parts)
  parts.pid = parts.process.pid
  parts.kept = parts.kept or {}
  return setmetatable(parts, Container)
end

-- Closes all that was kept, the last first; one that fails keeps none of the
-- others from being closed, and is told at the end.
local function undo(self)
  local failed, failure = false, nil
  while #self.kept > 0 do
    local kept = table.remove(self.kept)
    local ok, err = pcall(kept.close, kept)
    if not ok then failed, failure = true, failure or err end
  end
  if failed then error(failure, 0) end
end

-- How the payload ended: the init has told, or it was the only process. Where
-- SIGCHLD is ignored, no more can be known of a child than what it told.
local function outcome(self)
  local record <const> = core.read(self.status, 64)
  self.status:close()
  local reaped, ok, how, code = pcall(self.process.wait, self.process)
  if record then
    how, code = string.unpack("zi4", record)
    return (how == "exit" and code == 0) or nil, how, code
  end
  if not reaped then error(ok, 0) end
  return ok, how, code
end

--- Waits for the payload's end. What was made for the container outside of it
-- is undone then.
-- @tparam[opt] number|string timeout seconds, or "500ms"
-- @treturn[1] boolean true, or nil when the status is not 0
-- @treturn[1] string "exit" or "signal"
-- @treturn[1] int status or signal number
-- @return[2] nil, "timeout"
function Container:wait(timeout)
  if self.ended then return table.unpack(self.ended, 1, 3) end
  if timeout and #core.poll({ self.process }, timeout) == 0 then
    return nil, "timeout"
  end
  local ok, how, code = outcome(self)
  self.ended = { ok, how, code }
  undo(self)
  return ok, how, code
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
