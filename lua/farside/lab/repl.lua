--- The prompt of a lab: what it is made of, as globals.

local errors <const> = require "farside.error"

local M = {}

-- Sets globals and answers what puts back those that were there.
local function globals(values)
  local before = {}
  for name, value in pairs(values) do
    before[name] = { _G[name] }
    _G[name] = value
  end
  return function()
    for name, old in pairs(before) do _G[name] = old[1] end
  end
end

-- A name with "-" in it is none in Lua: "_" stands for that.
local function values_of(lab)
  local values = { lab = lab }
  for _, node in ipairs(lab.nodes) do
    values[node.name:gsub("-", "_")] = node
  end
  return values
end

--- Runs the prompt until its input ends.
-- @tparam Lab lab
function M.run(lab)
  if not package.preload["farside.prompt"] then
    errors.usage "repl: the prompt is the driver's: run this with `farside`"
  end
  local restore <const> = globals(values_of(lab))
  local ok, failure = pcall(require "farside.prompt")
  restore()
  if not ok then error(failure, 0) end
end

return M
