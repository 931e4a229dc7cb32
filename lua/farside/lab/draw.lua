--- A lab as a picture: a tree in text, the language of Graphviz, or SVG.
-- A lab may be any graph. Each of its parts is drawn as the tree of the
-- shortest ways from its middle; the links that are not in the tree are drawn
-- from one place in it to another.

local columns <const> = require "farside.columns"
local topology <const> = require "farside.lab.topology"

local M = {}

---- words ----

local measures <const> = { "delay", "jitter", "loss", "duplicate", "reorder",
                           "corrupt", "rate" }
local said <const> = { delay = "%s", jitter = "±%s", rate = "%s" }

local function shape_words(shape)
  local words = {}
  for _, key in ipairs(measures) do
    local value = shape and shape[key]
    if value then
      words[#words + 1] = (said[key] or key .. " %s"):format(value)
    end
  end
  return table.concat(words, " ")
end

-- What a link does to what goes over it; when the ways differ, for each.
local function link_words(link)
  local words = { link.down and "down" or nil }
  local one, other = shape_words(link.a.shape), shape_words(link.b.shape)
  if one == other then
    if one ~= "" then words[#words + 1] = one end
    return table.concat(words, ", ")
  end
  for _, side in ipairs { link.a, link.b } do
    local way = shape_words(side.shape)
    if way ~= "" then
      words[#words + 1] = ("%s from %s"):format(way, side.node.name)
    end
  end
  return table.concat(words, ", ")
end

-- The addresses of a node, a line each; with one interface, without its name.
local function address_lines(node)
  local lines = {}
  for _, one in ipairs(node.ends) do
    for _, address in ipairs(one.addresses) do
      lines[#lines + 1] = #node.ends > 1
        and columns.printable(one.name) .. " " .. address.text or address.text
    end
  end
  return lines
end

---- the forest ----

-- How many steps the farthest node is away.
local function reach(start)
  local steps, queue, first = { [start] = 0 }, { start }, 1
  while queue[first] do
    local node = queue[first]
    first = first + 1
    for _, one in ipairs(node.ends) do
      local other = one.other.node
      if not steps[other] then
        steps[other] = steps[node] + 1
        queue[#queue + 1] = other
      end
    end
  end
  return steps[queue[#queue]]
end

-- The node from which none is far; no host where there is something else.
local function middle(nodes, taken)
  local best, least, any = nil, math.huge, nil
  for _, node in ipairs(nodes) do
    if not taken[node] then
      any = any or node
      local far = node.kind ~= "host" and reach(node)
      if far and (far < least or far == least and #node.ends > #best.ends) then
        best, least = node, far
      end
    end
  end
  return best or any
end

-- One part: { node, children, link to the parent }, in the order of the links.
local function grow(root, taken, used)
  local tree = { node = root, children = {}, depth = 1 }
  local queue, first = { tree }, 1
  taken[root] = tree
  while queue[first] do
    local place = queue[first]
    first = first + 1
    for _, one in ipairs(place.node.ends) do
      local node = one.other.node
      if not taken[node] then
        local child = { node = node, children = {}, link = one.link,
                        depth = place.depth + 1 }
        taken[node], used[one.link] = child, true
        table.insert(place.children, child)
        queue[#queue + 1] = child
      end
    end
  end
  return tree
end

-- The trees, and the links that are in none: { link, from, to }.
local function forest(lab)
  local trees, taken, used, cross = {}, {}, {}, {}
  while true do
    local root = middle(lab.nodes, taken)
    if not root then break end
    trees[#trees + 1] = grow(root, taken, used)
  end
  for _, link in ipairs(lab.links) do
    if not used[link] then
      local from, to = taken[link.a.node], taken[link.b.node]
      if from.depth > to.depth then from, to = to, from end
      cross[#cross + 1] = { link = link, from = from, to = to }
    end
  end
  return trees, cross
end

---- text ----

local function text_of(node)
  local words = { node.name }
  if node.kind ~= "host" then words[2] = node.kind end
  words[#words + 1] = table.concat(address_lines(node), ", ")
  return table.concat(words, "  "):gsub("%s+$", "")
end

local function with_shape(text, link)
  local words = link_words(link)
  return words ~= "" and ("%s  (%s)"):format(text, words) or text
end

-- What hangs below a place: children, then links to elsewhere.
local function below(place, cross)
  local list = {}
  for _, child in ipairs(place.children) do
    list[#list + 1] = { text = with_shape(text_of(child.node), child.link),
                        child = child }
  end
  for _, other in ipairs(cross) do
    if other.from == place then
      list[#list + 1] = { text = with_shape("to " .. other.to.node.name,
                                            other.link) }
    end
  end
  return list
end

local function write_tree(lines, place, cross, indent)
  local list = below(place, cross)
  for i, entry in ipairs(list) do
    local last = i == #list
    lines[#lines + 1] = indent .. (last and "└─ " or "├─ ") .. entry.text
    if entry.child then
      write_tree(lines, entry.child, cross, indent .. (last and "   " or "│  "))
    end
  end
end

local function text(lab)
  local lines = {}
  local trees, cross = forest(lab)
  for _, tree in ipairs(trees) do
    lines[#lines + 1] = text_of(tree.node)
    write_tree(lines, tree, cross, "")
  end
  return table.concat(lines, "\n") .. "\n"
end

---- Graphviz ----

local shapes <const> = { host = "box", router = "ellipse", switch = "hexagon" }

local function quoted(value)
  return '"' .. value:gsub('[\\"]', "\\%0"):gsub("\n", "\\n") .. '"'
end

local function dot(lab)
  local lines = { "graph lab {", '  node [fontname="monospace"];',
                  '  edge [fontname="monospace", fontsize=10];' }
  for _, node in ipairs(lab.nodes) do
    local label = table.concat({ node.name,
                                 table.unpack(address_lines(node)) }, "\n")
    lines[#lines + 1] = ("  %s [shape=%s, label=%s];"):format(
      quoted(node.name), shapes[node.kind], quoted(label))
  end
  for _, link in ipairs(lab.links) do
    local words = link_words(link)
    lines[#lines + 1] = ("  %s -- %s%s;"):format(quoted(link.a.node.name),
      quoted(link.b.node.name),
      words ~= "" and (" [label=%s]"):format(quoted(words)) or "")
  end
  lines[#lines + 1] = "}"
  return table.concat(lines, "\n") .. "\n"
end

---- all ----

local kinds <const> = {
  text = text, dot = dot,
  svg = function(lab)
    return require("farside.lab.svg").draw(lab, {
      forest = forest, address_lines = address_lines, link_words = link_words,
    })
  end,
}

--- Draws a lab.
-- @tparam table lab a topology
-- @tparam[opt="text"] string kind "text", "dot" for Graphviz, or "svg"
-- @treturn string
function M.draw(lab, kind)
  local draw <const> = kinds[kind or "text"]
  if not draw then
    require("farside.error").usage("draw: text, dot, svg expected, got '%s'",
                                   tostring(kind))
  end
  topology.complete(lab)
  return draw(lab)
end

return M
