--- A lab as SVG: trees that grow to the right, a column for each step from the
-- middle. A node stands in a band of its own, as high as what hangs on it, so
-- nothing can overlap; many leaves of one node stand in a frame, in rows. All
-- text is of one width a letter, and so is known to fit.

local M = {}

local LETTER <const>, LINE <const> = 7.3, 16 -- of the font below
local PAD <const>, GAP <const> = 8, 8
local MANY <const> = 8 -- leaves of one node that stand in a frame
local STYLE <const> = [[
text{font:12px monospace;fill:#1b1f24}
.name{font-weight:bold}.note{font-size:11px;fill:#57606a}
.host{fill:#fff;stroke:#8c959f}.router{fill:#fff1d6;stroke:#bf8700}
.switch{fill:#dbeafe;stroke:#2f6feb}.frame{fill:#f6f8fa;stroke:#d0d7de}
.link{fill:none;stroke:#8c959f;stroke-width:1.5}]]

local function escaped(text)
  return (text:gsub("[&<>\"]", { ["&"] = "&amp;", ["<"] = "&lt;",
                                 [">"] = "&gt;", ['"'] = "&quot;" }))
end

local function width_of(text) return utf8.len(text) * LETTER end

---- how large it all is ----

-- The words in a box: the name, and behind or below it what else is known.
local function fill(box, note, words)
  local lines = words.address_lines(box.node)
  box.lines = lines
  box.inline = #lines <= 1
  box.note = note
  local widest = width_of(box.node.name)
  if box.inline then
    local tail = table.concat({ lines[1] or "", note or "" }, " ")
    box.tail = tail:gsub("^%s+", ""):gsub("%s+$", "")
    if box.tail ~= "" then widest = widest + width_of(" " .. box.tail) end
  else
    for _, line in ipairs(lines) do
      widest = math.max(widest, width_of(line))
    end
  end
  box.width = widest + 2 * PAD
  box.height = (box.inline and 1 or #lines + 1) * LINE + PAD
end

-- The leaves of a node in rows, in a frame that takes the place of a child.
local function frame_of(leaves, words)
  local widest = 0
  for _, leaf in ipairs(leaves) do
    fill(leaf, words.link_words(leaf.link), words)
    widest = math.max(widest, leaf.width)
  end
  local height = 0
  for _, leaf in ipairs(leaves) do height = math.max(height, leaf.height) end
  local columns = math.ceil(math.sqrt(#leaves * 2.2 * height / widest))
  local rows = math.ceil(#leaves / columns)
  return { leaves = leaves, columns = columns, children = {},
           cell = { width = widest, height = height },
           width = columns * (widest + GAP) + GAP,
           height = rows * (height + GAP) + GAP }
end

-- Takes many leaves that no other link leads to out of the children.
local function with_frame(place, crossed, words)
  local leaves, rest = {}, {}
  for _, child in ipairs(place.children) do
    local leaf = #child.children == 0 and not crossed[child]
    table.insert(leaf and leaves or rest, child)
  end
  if #leaves <= MANY then return end
  rest[#rest + 1] = frame_of(leaves, words)
  rest[#rest].depth = place.depth + 1
  place.children = rest
end

-- Sizes of a place and of all below; the widest of each column.
local function measure(place, columns, crossed, words)
  local column = columns[place.depth]
  if not column then
    column = { width = 0, note = 0 }
    columns[place.depth] = column
  end
  if place.node then
    with_frame(place, crossed, words)
    fill(place, nil, words)
    place.words = place.link and words.link_words(place.link) or ""
    column.note = math.max(column.note, width_of(place.words))
  end
  column.width = math.max(column.width, place.width)
  local sum = 0
  for _, child in ipairs(place.children) do
    measure(child, columns, crossed, words)
    sum = sum + child.band
  end
  place.band = math.max(place.height + GAP, sum)
  place.sum = sum
end

---- where it all stands ----

local function put(place, columns, top)
  place.x = columns[place.depth].x
  place.y = top + place.band / 2
  local at = top + (place.band - place.sum) / 2
  for _, child in ipairs(place.children) do
    put(child, columns, at)
    at = at + child.band
  end
end

-- Columns from left to right; before each the links with their words. What
-- leads from a column to itself swings out to the right of it.
local function put_columns(columns, cross, words)
  for _, one in ipairs(cross) do
    local column = columns[one.from.depth]
    one.words = words.link_words(one.link)
    if one.from.depth == one.to.depth then
      column.swings = (column.swings or 0) + 1
      one.swing = 24 * column.swings + width_of(one.words)
      column.swing = math.max(column.swing or 0, one.swing + 16)
    else
      local next_one = columns[one.to.depth]
      next_one.note = math.max(next_one.note, width_of(one.words))
    end
  end
  local x = PAD
  for depth, column in ipairs(columns) do
    if depth > 1 then x = x + 48 + column.note end
    column.x = x
    x = x + column.width + (column.swing or 0)
  end
  return x + PAD
end

---- drawing ----

local function add(out, format, ...)
  out[#out + 1] = format:format(...)
end

local function draw_text(out, x, y, class, text)
  add(out, '<text x="%.1f" y="%.1f"%s>%s</text>', x, y,
      class and (' class="%s"'):format(class) or "", escaped(text))
end

local radius <const> = { host = 2, switch = 6, router = 12 }

local function draw_box(out, box)
  local node <const> = box.node
  local left, top = box.x, box.y - box.height / 2
  add(out, '<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f" '
      .. 'rx="%d"/>', node.kind, left, top, box.width, box.height,
      radius[node.kind])
  local x, y = left + PAD, top + LINE
  draw_text(out, x, y, "name", node.name)
  if box.inline then
    if box.tail ~= "" then
      draw_text(out, x + width_of(node.name .. " "), y, nil, box.tail)
    end
    return
  end
  for i, line in ipairs(box.lines) do
    draw_text(out, x, y + i * LINE, nil, line)
  end
end

local function draw_frame(out, frame)
  local left, top = frame.x, frame.y - frame.height / 2
  add(out, '<rect class="frame" x="%.1f" y="%.1f" width="%.1f" height="%.1f" '
      .. 'rx="6"/>', left, top, frame.width, frame.height)
  for i, leaf in ipairs(frame.leaves) do
    local column, row = (i - 1) % frame.columns, (i - 1) // frame.columns
    leaf.x = left + GAP + column * (frame.cell.width + GAP)
    leaf.y = top + GAP + row * (frame.cell.height + GAP)
      + frame.cell.height / 2
    leaf.width = frame.cell.width
    draw_box(out, leaf)
  end
end

-- Words about a link, kept until all links are drawn: none may cross them.
local function note(out, x, y, words)
  if words == "" then return end
  local notes = out.notes
  add(notes, '<rect x="%.1f" y="%.1f" width="%.1f" height="13" fill="#fff"/>',
      x - 2, y - 10, width_of(words))
  draw_text(notes, x, y, "note", words)
end

-- From the right of one place to the left of another, level at its end.
local function draw_link(out, from, to, words, shift)
  local x, y = from.x + from.width, from.y
  local level = to.x - width_of(words) - 12
  local middle = (x + level) / 2
  add(out, '<path class="link" d="M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f'
      .. 'H%.1f"/>', x, y, middle, y, middle, to.y + shift, level, to.y + shift,
      to.x)
  note(out, level + 6, to.y + shift + (shift > 0 and 12 or -4), words)
end

-- Between two places of one column, or two columns that are neighbours.
local function draw_cross(out, one)
  local from, to = one.from, one.to
  if from.depth ~= to.depth then
    return draw_link(out, from, to, one.words, 7)
  end
  local x, y = from.x + from.width, from.y
  local far, end_x = math.max(x, to.x + to.width) + 24, to.x + to.width
  add(out, '<path class="link" d="M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f"/>',
      x, y, far + 8, y, far + 8, to.y, end_x, to.y)
  note(out, far + 2, (y + to.y) / 2 + 4, one.words)
end

local function draw_place(out, place)
  for _, child in ipairs(place.children) do
    draw_link(out, place, child, child.words or "", 0)
    draw_place(out, child)
  end
  if place.leaves then draw_frame(out, place) else draw_box(out, place) end
end

--- Draws.
-- @tparam table lab a topology
-- @tparam table words `forest`, `address_lines` and `link_words` of
-- farside.lab.draw
-- @treturn string
function M.draw(lab, words)
  local trees, cross = words.forest(lab)
  local columns, crossed, height = {}, {}, PAD
  for _, one in ipairs(cross) do
    crossed[one.from], crossed[one.to] = true, true
  end
  for _, tree in ipairs(trees) do
    measure(tree, columns, crossed, words)
  end
  local width = put_columns(columns, cross, words)
  for _, tree in ipairs(trees) do
    put(tree, columns, height)
    height = height + tree.band + GAP
  end
  local out = { notes = {} }
  add(out, '<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" '
      .. 'height="%.0f" viewBox="0 0 %.0f %.0f">', width, height, width, height)
  add(out, "<title>%d nodes, %d links</title>\n<style>%s</style>", #lab.nodes,
      #lab.links, STYLE)
  add(out, '<rect width="100%%" height="100%%" fill="#fff"/>')
  for _, tree in ipairs(trees) do draw_place(out, tree) end
  for _, one in ipairs(cross) do draw_cross(out, one) end
  table.move(out.notes, 1, #out.notes, #out + 1, out)
  out[#out + 1] = "</svg>\n"
  return table.concat(out, "\n")
end

return M
