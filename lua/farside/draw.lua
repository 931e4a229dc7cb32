--- The namespaces of the machine, drawn: for a terminal, as SVG, and for dot.

local M = {}

local Tree <const> = {}
Tree.__index = Tree

--- The drawing as text; tostring draws it without colour, in plain characters
-- unless the locale has UTF-8.
-- @tparam[opt] table screen `colour`, `unicode`, `width`
-- @treturn string
function Tree:text(screen)
  return require("farside.draw.text").draw(self.model, screen)
end

--- The drawing as one SVG file that needs nothing else, and fits light and dark
-- backgrounds.
-- @treturn string
function Tree:svg()
  return require("farside.draw.svg").draw(self.model)
end

--- The drawing as a graph in the language of dot(1).
-- @treturn string
function Tree:dot()
  return require("farside.draw.dot").draw(self.model)
end

function Tree:__tostring()
  local unicode = require("farside.screen").of(1).unicode
  return self:text { unicode = unicode }
end

--- Draws the namespaces of the machine: processes in their pid namespaces, with
-- the PIDs that they have outside and inside, and the kinds of namespace in
-- which they are elsewhere than the first process; user namespaces with their
-- maps; network namespaces with their links and the veth pairs that join them;
-- and what is kept without a process.
-- @function tree
-- @treturn Tree print it; or `tree:text(screen)`, `tree:svg()`, `tree:dot()`.
-- Its field `model` has what is drawn.
-- @raise ENOENT without /proc
-- @usage print(ns.tree())
function M.tree()
  return setmetatable({ model = require("farside.draw.model").look() }, Tree)
end

return M
