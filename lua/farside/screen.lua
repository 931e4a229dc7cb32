--- How what is written to a descriptor may look: whether it is a terminal, how
-- wide, whether it has colour, and whether it shows Unicode.

local core <const> = require "farside.core"

local M = {}

-- The first of the variables that decide about characters, as setlocale(3) has
-- it.
local function locale()
  for _, name in ipairs { "LC_ALL", "LC_CTYPE", "LANG" } do
    local value = os.getenv(name)
    if value and value ~= "" then return value end
  end
  return "C"
end

local function columns(fd)
  local ok, _, width = pcall(core.tty.size, fd)
  return ok and width > 0 and width or nil
end

--- What a descriptor's reader can be shown.
-- @tparam[opt=1] integer fd
-- @treturn table `terminal` and `colour` (booleans; not with NO_COLOR set or
-- TERM=dumb), `unicode` (by the locale, and not with TERM=dumb), `width` in
-- columns, nil when there is no limit
function M.of(fd)
  fd = fd or 1
  local terminal <const> = core.tty.isatty(fd)
  local dumb <const> = os.getenv "TERM" == "dumb"
  local no_colour <const> = os.getenv "NO_COLOR"
  return {
    terminal = terminal,
    colour = terminal and not dumb and (no_colour or "") == "",
    unicode = not dumb and locale():upper():find "UTF%-?8" ~= nil,
    width = terminal and columns(fd) or nil,
  }
end

return M
