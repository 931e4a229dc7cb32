--- How a command ends that ran a program: with the program's own exit code,
-- 128+n when signal n ended it; 127 when it was not found, 126 when it could
-- not be executed, 125 when what comes before that failed.

local errors <const> = require "farside.error"

local M = {}

M.help = [[
exit code: the command's own; 128+n when signal n ended it; 127 when it was
not found, 126 when it could not be executed, 125 when the set-up failed]]

local function code_of(failure)
  if errors.is(failure) and failure.call == "exec" then
    return failure.code == "ENOENT" and 127 or 126
  end
  return 125
end

-- Why a container ended that would have gone on.
local reasons <const> = {
  memory = "its memory ran out, and processes were killed (limits.memory)",
  timeout = "killed, for its time was over (timeout)",
}

--- Runs a function that answers as wait does, and says what it raises.
-- @treturn int the exit code
function M.of(fn, ...)
  local ok, failure, how, code, why = pcall(fn, ...)
  if ok and why then io.stderr:write("farside: ", reasons[why], "\n") end
  if ok then return how == "signal" and 128 + code or code end
  if type(failure) == "table" and failure.usage then error(failure, 0) end
  io.stderr:write("farside: ", tostring(failure), "\n")
  return code_of(failure)
end

--- Whether somebody types at a terminal, who gets one inside.
function M.interactive()
  local isatty <const> = require("farside.core").tty.isatty
  return isatty(0) and isatty(1)
end

return M
