--- PID 1 of a pid namespace that nobody lives in yet. Such a namespace is dead
-- without one: the kernel makes no process in it any more. The holder does
-- nothing but reap what is orphaned to it, and ignores every signal from
-- within.
--
-- Its owner has the other end of a socket. When that is closed, by the owner
-- or by the owner's end, the holder ends and the namespace with it; when the
-- owner says so, the holder lets go of the socket and stays on its own.

local core <const> = require "farside.core"
local files <const> = require "farside.file"

local M = {}

--- What ps shows for a holder, and how unpersist knows one.
M.NAME = "farside-holder"

local ready <const>, stay <const> = "r", "s"

---- the process ----

-- Nothing of the caller's but the socket stays open, no terminal or pipe is
-- held up, and no directory kept busy.
local function shed(control)
  local number <const> = control:fileno()
  collectgarbage "stop" -- no finaliser may close a number again
  if number > 0 then core.close_range(0, number - 1) end
  core.close_range(number + 1)
  core.setsid()
  core.chdir "/"
  core.prctl("name", M.NAME)
end

local function reap(children)
  core.read_signal(children)
  repeat
    local ok, pid = pcall(core.waitpid, -1, "nohang") -- ECHILD: none is left
  until not ok or not pid
end

local function obey(control)
  if core.recvmsg(control, 1) ~= stay then core._exit(0) end
  pcall(core.sendmsg, control, stay)
  control:close()
end

local function run(control)
  shed(control)
  core.sigprocmask("block", "all")
  local children <const> = core.signalfd "CHLD"
  local watched = { children, control }
  core.sendmsg(control, ready)
  while true do
    for _, object in ipairs((core.poll(watched))) do
      if object == control then
        obey(control)
        watched = { children }
      else
        reap(children)
      end
    end
  end
end

---- its owner ----

local Holder <const> = {}
Holder.__index = Holder

--- Ends the holder, and with it its pid namespace.
function Holder:close()
  if not self.process then return end
  local process <const> = self.process
  self.process = nil
  self.control:close()
  if not pcall(core.kill, process, "KILL") then return end
  core.poll { process }
  process:close()
end

--- Has the holder stay when its owner is gone.
-- @raise ESRCH when it is gone already
function Holder:release()
  local ok = pcall(core.sendmsg, self.control, stay)
  if not ok or core.recvmsg(self.control, 1) ~= stay then
    core.raise(core.errno.ESRCH, "persist", nil, "PID 1 of the namespace")
  end
  self.control:close()
end

--- Takes over a holder.
-- @tparam process|fd process the holder, or a pidfd of it
-- @tparam fd control the owner's end of the socket
function M.adopt(process, control)
  return setmetatable({ process = process, control = control }, Holder)
end

--- A new holder in a pid namespace of its own.
-- @tparam[opt] boolean parent it is to be a child of the caller's parent
-- @treturn process
-- @treturn fd the owner's end of the socket
function M.new(parent)
  local mine, theirs = core.socketpair "seqpacket"
  local ok, process = pcall(core.clone, { "pid", parent = parent }, function()
    pcall(run, theirs)
    core._exit(1)
  end)
  theirs:close()
  if ok and core.recvmsg(mine, 1) == ready then return process, mine end
  mine:close()
  if not ok then error(process, 0) end
  process:close()
  core.raise(core.errno.ESRCH, "new", nil, "PID 1 of the pid namespace")
end

---- PID 1 of any pid namespace ----

local function is_first_in(handle, pid)
  local status <const> = files.find(nil, ("/proc/%d/status"):format(pid)) or ""
  if not status:find "\nNSpid:[^\n]*\t1\n" then return false end
  local ok, other = pcall(core.open, pid, "pid")
  return ok and other == handle
end

-- Before Linux 6.11 the namespace cannot be asked.
local function search(handle)
  for _, entry in ipairs(core.readdir "/proc") do
    local pid = math.tointeger(tonumber(entry.name))
    if pid and is_first_in(handle, pid) then return pid end
  end
end

local ask <const> = core.namespace.init

--- PID 1 of a pid namespace, as the caller sees it; `handle:init()`.
-- @tparam namespace handle
-- @treturn integer
-- @raise ESRCH when there is none or it is out of sight; EINVAL or ENOTTY for
-- the other kinds. See ioctl_nsfs(2).
function M.init(handle)
  local ok, answer = pcall(ask, handle)
  if ok then return answer end
  if handle.kind ~= "pid" or answer.code ~= "ENOTTY" then error(answer, 0) end
  return search(handle) or core.raise(core.errno.ESRCH, "init", nil,
    "of " .. tostring(handle))
end

--- Ends the holder of a pid namespace, if it has one and not some other PID 1.
-- @tparam namespace handle
function M.finish(handle)
  local ok, pid = pcall(M.init, handle) -- ESRCH: it has ended by itself
  local name <const> = ok and files.find(nil, ("/proc/%d/comm"):format(pid))
  if name ~= M.NAME .. "\n" then
    return
  end
  local pidfd <close> = core.pidfd_open(pid)
  local same <close> = core.open(pidfd, "pid")
  if same ~= handle then return end -- the number is another process's by now
  core.kill(pidfd, "KILL")
  core.poll { pidfd }
  pcall(core.waitpid, pid, "nohang") -- ECHILD: no child of ours
end

return M
