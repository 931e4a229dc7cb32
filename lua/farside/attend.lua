--- Waiting for what was started, in its starter's place: signals to the caller
-- go to it, and its terminal is joined to the caller's.

local core <const> = require "farside.core"

local M = {}

-- Signals that a person or a service manager sends to the starter and means
-- for what was started.
local forwarded <const> = { "HUP", "INT", "QUIT", "TERM", "USR1", "USR2",
                            "CONT", "WINCH" }

-- What a key at the terminal sends, a program in the same session gets by
-- itself.
local function wait_forwarding(started, signals, same_session)
  while true do
    local ready = core.poll { started, signals }
    for _, object in ipairs(ready) do
      if object == started then return started:wait() end
      local name, sender = core.read_signal(signals)
      if sender or not same_session then
        pcall(started.signal, started, name) -- ESRCH: it has just ended
      end
    end
  end
end

-- Every signal that would end this process while the caller's terminal is raw
-- is told of instead. What a key or the shell stops a background job with does
-- its work; STOP and KILL cannot be held back.
local function with_terminal(started)
  local terminal <const> = require "farside.terminal"
  core.sigprocmask("block", terminal.signals)
  local signals <close> = core.signalfd(terminal.signals)
  return terminal.join(started, signals, forwarded)
end

--- Starts something and waits for its end.
-- @tparam function start answers what it started, with the methods signal,
-- wait, fileno and close, and the field `terminal` if it has one
-- @tparam boolean same_session it stays in the caller's session
-- @return what its wait answers
-- @raise what start raises
function M.attend(start, same_session)
  local before = core.sigprocmask("block", forwarded)
  local results <const> = table.pack(pcall(function()
    local signals <close> = core.signalfd(forwarded)
    local started <close> = start()
    if started.terminal then return with_terminal(started) end
    return wait_forwarding(started, signals, same_session)
  end))
  core.sigprocmask("setmask", before)
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

return M
