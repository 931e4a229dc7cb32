--- Hints: what can be found out, at the place of the failure, about why a call
-- failed. Each is a row { calls, codes, check }: the check reads the system
-- and answers an advice, or nil when the cause is another. Only what was
-- checked is told as a fact. The first row with an advice wins, so the
-- particular stands before the general.

local System <const> = require "farside.hint.system"

local M = {}

-- call → rows; rows for any call stand under "*"
local rows <const> = {}

local function add(list)
  for _, row in ipairs(list) do
    for call in row.calls:gmatch "%S+" do
      rows[call] = rows[call] or {}
      table.insert(rows[call], row)
    end
  end
end

add(require "farside.hint.ids")
add(require "farside.hint.namespaces")
add(require "farside.hint.mounts")
add(require "farside.hint.network")
add(require "farside.hint.others")
add(require "farside.hint.versions")

local function search(list, err, sys)
  for _, row in ipairs(list or {}) do
    if (" " .. row.codes .. " "):find(" " .. err.code .. " ", 1, true) then
      -- a check that stumbles over a strange system has found nothing
      local ok, advice = pcall(row.check, err, sys)
      if ok and advice then return advice end
    end
  end
end

--- The likely cause of an error with its remedy, or nil.
-- @tparam Error err
-- @tparam[opt] table sys how to read the system: what a spec replaces
-- @treturn string|nil
function M.find(err, sys)
  sys = sys or System.new()
  return search(rows["*"], err, sys) or search(rows[err.call], err, sys)
end

return M
