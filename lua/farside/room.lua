--- Room for the descriptors of a container's trees: each is open until all have
-- their place, and the usual limit is a thousand.

local core <const> = require "farside.core"

local M = {}

-- What a start has open besides.
local others <const> = 64

--- The limit that so many trees need; nil when what is there will do.
-- @tparam int trees
-- @param soft the limit, a number or "unlimited"
-- @param hard
-- @treturn ?int
function M.needed(trees, soft, hard)
  local wanted <const> = trees + others
  if soft == "unlimited" or wanted <= soft then return nil end
  return hard == "unlimited" and wanted or math.min(wanted, hard)
end

--- Raises the caller's own limit for a while, if need be.
-- @tparam Plan plan
-- @treturn ?table to be closed
function M.make(plan)
  local soft, hard = core.getrlimit "nofile"
  local needed <const> = M.needed(plan.trees or 0, soft, hard)
  if not needed then return nil end
  core.setrlimit("nofile", needed, hard)
  return setmetatable({}, { __close = function()
    core.setrlimit("nofile", soft, hard)
  end })
end

return M
