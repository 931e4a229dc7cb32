--- The picture: a title and the colours of the kinds, then frames with cards of
-- processes, then networks.

local canvases <const> = require "farside.draw.canvas"
local kinds <const> = require "farside.kinds"

local M = {}

local margin <const>, page <const>, between <const> = 32, 1308, 16

local function plural(count, word)
  return ("%d %s%s"):format(count, word, count == 1 and "" or "s")
end

local function legend(canvas, y)
  local x = margin
  for _, kind in ipairs(kinds) do
    local wide = canvases.width(kind, 11) + 12
    canvas:box(x, y, wide, 20, "c-" .. kind, 4)
    canvas:text(x + 6, y + 14, kind, "small t-" .. kind)
    x = x + wide + 6
  end
  canvas:text(x + 6, y + 14, "on a card: where it is elsewhere than the first "
    .. "process; dashed: no process is in it", "small dim")
end

-- Blocks one below the other; answers where they end, and how wide they are.
local function stack(canvas, blocks, y)
  local wide = 0
  for _, block in ipairs(blocks) do
    block.draw(canvas, margin, y)
    wide, y = math.max(wide, block.w), y + block.h + between
  end
  return y, wide
end

--- The drawing as SVG.
-- @tparam table model as of farside.draw.model
-- @treturn string
function M.draw(model)
  local canvas <const> = canvases.new()
  local title <const> = ("Namespaces of %s"):format(model.host)
  canvas:text(margin, margin + 16, title, "h1 ink")
  canvas:text(margin, margin + 40, plural(#model.rows, "namespace")
    .. ", " .. plural(#model.groups, "group") .. " of processes that share "
    .. "all of theirs", "small dim")
  legend(canvas, margin + 54)
  local y, wide = stack(canvas,
    require("farside.draw.cards").blocks(model, page), margin + 92)
  canvas:text(margin, y + 22, "Networks", "h2 ink")
  local nets_wide
  y, nets_wide = stack(canvas,
    require("farside.draw.wires").blocks(model, page), y + 38)
  local width = math.max(page, wide, nets_wide) + 2 * margin
  return canvas:finish(math.ceil(width), math.ceil(y - between + margin),
    title)
end

return M
