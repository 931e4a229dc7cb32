--- The small PID 1 of a container: it reaps whatever is orphaned to it, passes
-- signals on to the payload, and ends when the payload ends, which ends
-- everything else in the pid namespace.

local core <const> = require "farside.core"

local M = {}

--- All signals are held back before the payload starts, so that none is
-- lost; a blocked signal reaches PID 1 even where its default is to ignore.
function M.prepare()
  core.sigaction("CHLD", "default") -- of ignored ones nobody would be told
  core.sigprocmask("block", "all")
end

-- The payload's end is told, and is the container's; `why`, when it was not its
-- own doing.
local function leave(status, how, code, why)
  -- EPIPE: the starter has closed the container and asks no more
  pcall(core.write, status, string.pack("zi4", how, code) .. (why or ""))
  core._exit(how == "signal" and 128 + code or code)
end

-- Reaps all that has ended; the payload's end is told and is ours too.
local function reap(payload, status)
  while true do
    local pid, how, code = core.waitpid(-1, "nohang")
    if not pid then return end
    if pid == payload then leave(status, how, code) end
  end
end

local function run(payload, status)
  -- nothing of the caller's stays open but what the payload's end is told on
  local number <const> = status:fileno()
  if number > 3 then core.close_range(3, number - 1) end
  core.close_range(number + 1)
  while true do
    local signal, sender = core.sigtimedwait "all"
    if signal == "CHLD" then
      reap(payload, status)
    elseif signal == "ALRM" and not sender then
      leave(status, "signal", 9, "timeout") -- ending, we end all others
    elseif sender then -- a key at the terminal is for all who share it
      pcall(core.kill, payload, signal) -- ESRCH: it has just ended
    end
  end
end

--- Never returns. The collector is stopped for good: no finaliser may close a
-- number again that was closed here. An init that cannot do its work ends, and
-- the container with it: a filter of system calls may be to blame, which holds
-- for it as well.
-- @tparam int payload its pid as seen from here
-- @tparam fd status where "exit" or "signal" and the number are written
function M.run(payload, status)
  collectgarbage "stop"
  local _, failure = pcall(run, payload, status)
  io.stderr:write("farside: the init: ", tostring(failure), "\n")
  core._exit(125)
end

return M
