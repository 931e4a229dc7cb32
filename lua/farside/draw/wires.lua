--- The lower part of the picture: network namespaces, their links, and the veth
-- pairs between them as lines. Each set of namespaces that are joined is a tree
-- that grows to the right: a namespace stands beside the link that leads to it,
-- so that lines are level and never cross. A pair that would close a ring is
-- told in words on both sides.

local canvases <const> = require "farside.draw.canvas"
local cards <const> = require "farside.draw.cards"
local list_words <const> = require "farside.list.words"
local words <const> = require "farside.draw.words"

local M = {}

local width <const>, gap <const>, pad <const> = 288, 64, 12
local row_height <const>, leaf_height <const>, space <const> = 22, 52, 10

---- trees ----

local function ends(net)
  local list = {}
  for _, link in ipairs(net.links or {}) do
    if link.peer and link.peer.net ~= net then list[#list + 1] = link end
  end
  return list
end

-- The namespaces, those with the most joints first: they become the roots.
local function by_joints(nets)
  local list = table.move(nets, 1, #nets, 1, {})
  table.sort(list, function(a, b)
    local more, less = #ends(a), #ends(b)
    return more > less or more == less and a.id < b.id
  end)
  return list
end

-- Breadth first, so that everything is as near to its root as it can be.
local function grow(root, seen)
  local queue, node = {}, { net = root, below = {} }
  seen[root] = true
  queue[1] = node
  for _, one in ipairs(queue) do
    for _, link in ipairs(ends(one.net)) do
      local peer <const> = link.peer
      if not seen[peer.net] then
        seen[peer.net] = true
        local child = { net = peer.net, entry = peer.link, below = {} }
        one.below[link] = child
        queue[#queue + 1] = child
      end
    end
  end
  return node
end

---- one namespace ----

-- Its links: first the one that is the way in, then the others.
local function links_of(node)
  local list = {}
  if node.entry then list[1] = node.entry end
  for _, link in ipairs(node.net.links or {}) do
    if link ~= node.entry then list[#list + 1] = link end
  end
  return list
end

-- In words, what a link that has no line is joined to.
local function elsewhere(node, link)
  local peer <const> = link.peer
  if not peer or link == node.entry or node.below[link] then return "" end
  if peer.net == node.net then return " ─ " .. peer.link.ifname end
  return (" ─ %s of %d"):format(peer.link.ifname, peer.net.id)
end

local function head(node)
  return { ("net %d"):format(node.net.id), list_words.who(node.net) }
end

-- A namespace at the end of a line with nothing but that link and a loopback is
-- told in two lines.
local function is_leaf(node)
  for _, link in ipairs(node.net.links or {}) do
    if link ~= node.entry and link.ifname ~= "lo" then return false end
  end
  return node.entry ~= nil
end

-- Heights: of the node itself and of all that hangs on it. The way in is level
-- with the first row.
local function measure(node)
  node.leaf, node.rows, node.rise = is_leaf(node), {}, 0
  if node.leaf then
    node.h, node.inlet = leaf_height, 20
    node.reach = node.h
    return
  end
  local y = pad + 2 * row_height + 2
  local reach = 0
  for i, link in ipairs(links_of(node)) do
    node.rows[i] = { link = link, y = y + row_height / 2 }
    local child <const> = node.below[link]
    if child then
      measure(child)
      -- room above for the child's head, unless it begins here
      local over = child.inlet
      local shift = math.max(reach - (node.rows[i].y - over), 0)
      y, node.rows[i].y = y + shift, node.rows[i].y + shift
      child.top = node.rows[i].y - over
      reach = child.top + child.reach + space
    end
    y = y + row_height
  end
  if not node.net.links then y = y + row_height end
  node.h = y + pad - 4
  node.reach = math.max(node.h, reach - space)
  node.inlet = node.rows[1] and node.rows[1].y or node.h / 2
  -- what hangs on it may begin above
  for _, row in ipairs(node.rows) do
    local child <const> = node.below[row.link]
    if child then node.rise = math.max(node.rise, child.rise - child.top) end
  end
end

local function depth(node)
  local most = 0
  for _, child in pairs(node.below) do most = math.max(most, depth(child)) end
  return most + 1
end

---- drawing ----

local function draw_row(canvas, node, row, x, y)
  local link <const> = row.link
  canvas:dot(x + pad + 4, y + row.y, 4, link.up and "up" or "down")
  local text = words.link(link, node.net) .. elsewhere(node, link)
  canvas:text(x + pad + 16, y + row.y + 4,
    canvases.fit(text, width - 2 * pad - 16, 12), link.up and "mono ink"
    or "mono dim", text)
end

local function draw_leaf(canvas, node, x, y)
  local lines <const>, link <const> = head(node), node.entry
  local used <const> = canvases.width(lines[1], 12)
  canvas:dot(x + pad + 4, y + 20, 4, link.up and "up" or "down")
  canvas:text(x + width - pad - used, y + 24, lines[1], "name t-net")
  local text = words.link(link, node.net)
  canvas:text(x + pad + 16, y + 24, canvases.fit(text,
    width - 2 * pad - 22 - used, 12), link.up and "mono ink" or "mono dim",
    text)
  canvas:text(x + pad, y + 42, canvases.fit(lines[2], width - 2 * pad, 11),
    "small dim", lines[2])
end

local function draw(canvas, node, x, y)
  canvas:box(x, y, width, node.h, node.net.nprocs > 0 and "card" or "kept")
  if node.leaf then return draw_leaf(canvas, node, x, y) end
  local lines = head(node)
  canvas:text(x + pad, y + pad + 12, lines[1], "name t-net")
  canvas:text(x + pad, y + pad + 12 + row_height - 4,
    canvases.fit(lines[2], width - 2 * pad, 11), "small dim", lines[2])
  if not node.net.links then
    canvas:text(x + pad, y + pad + 12 + 2 * row_height, node.net.unread,
      "small dim")
  end
  for _, row in ipairs(node.rows) do
    draw_row(canvas, node, row, x, y)
    local child <const> = node.below[row.link]
    if child then
      local level = y + row.y
      draw(canvas, child, x + width + gap, level - child.inlet)
      canvas:line(x + width, level, x + width + gap, level, "wire")
      canvas:dot(x + width, level, 3, "t-net")
      canvas:dot(x + width + gap, level, 3, "t-net")
    end
  end
end

local function block(node)
  measure(node)
  return { w = depth(node) * (width + gap) - gap, h = node.reach + node.rise,
    draw = function(canvas, x, y) draw(canvas, node, x, y + node.rise) end }
end

--- The blocks of a model: those that are joined to none flow in rows.
function M.blocks(model, limit)
  local seen, joined, single = {}, {}, {}
  for _, net in ipairs(by_joints(model.nets)) do
    if not seen[net] then
      local one = block(grow(net, seen))
      local list = #ends(net) > 0 and joined or single
      list[#list + 1] = one
    end
  end
  joined[#joined + 1] = #single > 0 and cards.flow(single, limit) or nil
  return joined
end

return M
