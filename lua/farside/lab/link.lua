--- Links, as a script holds them.

local options <const> = require "farside.lab.options"
local shapes <const> = require "farside.lab.shape"
local topology <const> = require "farside.lab.topology"

local M = {}

--- A link. Fields: `a` and `b`, its ends, which have `node`, `name` (of the
-- interface), `mac` and `addresses`.
-- @type Link
local Link <const> = {}
Link.__index = Link

function Link:__tostring() return "link " .. topology.name_of(self) end

-- A shape with changes; nil when nothing is left of it.
local function changed(shape, changes)
  local new = {}
  for key, value in pairs(shape or {}) do new[key] = value end
  for key, value in pairs(changes) do new[key] = value or nil end
  return next(new) and new or nil
end

local function set_end(link, one, changes)
  if not next(changes) then return end
  local shape = changed(one.shape, changes)
  local ok, failure = pcall(shapes.change, one.node.nl, one, shape)
  if not ok then
    failure = shapes.explain(failure)
    if type(failure) == "table" then failure.step = tostring(link) end
    error(failure, 0)
  end
  one.shape = shape
end

--- Changes a link while traffic flows over it.
-- @tparam table asked `up`: false to pull the plug, true to put it back; and
-- `delay`, `jitter`, `loss`, `duplicate`, `reorder`, `corrupt`, `rate` as when
-- it was made, `false` for no more of it; `peer`: a table of these for the way
-- from b to a
-- @raise what the kernel refuses
-- @usage link:set { loss = "10%", delay = false }
function Link:set(asked)
  local change <const> = options.change(asked)
  self.lab:start()
  set_end(self, self.a, change.a)
  set_end(self, self.b, change.b)
  if change.up ~= nil then
    -- one end is enough: without it the other has no carrier
    self.a.node.nl.link.set(self.a.index, { up = change.up })
    self.down = not change.up
    self.lab.ready, self.lab.told = false, nil
  end
end

--- Turns a link of a topology into what a script gets.
function M.adopt(link) return setmetatable(link, Link) end

return M
