--- How far a long read has come, on a terminal's last line.

local core <const> = require "farside.core"

local M = {}

local PATIENCE <const> = 0.5 -- seconds before anything is said
local PAUSE <const> = 0.2    -- and between two times

local function position(file)
  local info <close> = io.open("/proc/self/fdinfo/" .. file:fileno())
  return tonumber(info and info:read "a":match "pos:%s*(%d+)")
end

local function now() return tonumber(core.monotonic()) end

--- The function that reads an archive, which says how far it is.
-- @tparam table archive `file`, `size`, `name`
-- @tparam function read
-- @treturn function the same; at the end the line is cleared
function M.of(archive, read)
  if not core.tty.isatty(2) then return read end
  local next_time, shown = now() + PAUSE + PATIENCE, false
  return function()
    local piece <const> = read()
    if not piece and shown then
      io.stderr:write "\r\27[K"
    elseif piece and now() > next_time then
      local done <const> = (position(archive.file) or 0) / archive.size
      io.stderr:write(("\r%s: %d %%\27[K"):format(archive.name,
                                                   math.floor(100 * done)))
      next_time, shown = now() + PAUSE, true
    end
    return piece
  end
end

return M
