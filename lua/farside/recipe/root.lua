--- The `root` of a recipe: a directory, or layers of which later ones win.

local fields <const> = require "farside.fields"

local M = {}

local function layers(value, where, fail)
  local copy = fields.list(fields.string)(value, where, fail)
  if #copy == 0 then fail(where, "at least one directory expected") end
  return copy
end

local layered <const> = fields.record { layers = layers,
                                        upper = fields.string }

--- The check of the key: a directory, or { layers = { … }, upper = DIR }; "/"
-- is the host's files, which is nil.
function M.check(value, where, fail)
  if type(value) == "table" then
    local copy = layered(value, where, fail)
    if not copy.layers then
      fail(where .. ".layers", "list of directories expected")
    end
    return copy
  end
  value = fields.string(value, where, fail)
  if value:find "^/+$" then return nil end
  return { directory = value }
end

return M
