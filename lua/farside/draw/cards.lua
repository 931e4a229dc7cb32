--- The upper part of the picture: a frame for each user namespace, nested as
-- they are, with a card for each group of processes and for each namespace that
-- is kept without one.
--
-- A block is { w, h, draw(canvas, x, y) }. Frames are as wide as what they hold
-- needs; blocks flow in rows.

local canvases <const> = require "farside.draw.canvas"
local list_words <const> = require "farside.list.words"
local words <const> = require "farside.draw.words"

local M = {}

local card_width <const>, pad <const>, gap <const> = 288, 12, 12
local line_height <const>, chip_height <const> = 17, 20

---- flow ----

-- Puts blocks into rows no wider than `limit`: a block of them all.
local function flow(blocks, limit)
  local places, x, y, row, wide = {}, 0, 0, 0, 0
  for i, block in ipairs(blocks) do
    if x > 0 and x + block.w > limit then
      x, y, row = 0, y + row + gap, 0
    end
    places[i] = { x, y }
    x = x + block.w + gap
    row, wide = math.max(row, block.h), math.max(wide, x - gap)
  end
  return { w = wide, h = y + row, draw = function(canvas, left, top)
    for i, block in ipairs(blocks) do
      block.draw(canvas, left + places[i][1], top + places[i][2])
    end
  end }
end

M.flow = flow

---- cards ----

-- The kinds and numbers of namespaces, two in a row.
local function chips(canvas, x, y, list)
  local width <const> = (card_width - 2 * pad - 6) / 2
  for i, one in ipairs(list) do
    local left = x + (i - 1) % 2 * (width + 6)
    local top = y + (i - 1) // 2 * (chip_height + 4)
    canvas:box(left, top, width, chip_height, "c-" .. one.type, 4)
    canvas:text(left + 6, top + 14, one.type, "small t-" .. one.type)
    local number = tostring(one.id)
    canvas:text(left + width - 6 - canvases.width(number, 11), top + 14,
      number, "small ink")
  end
end

local function chips_height(count)
  return count == 0 and 0 or (count + 1) // 2 * (chip_height + 4) + 4
end

-- The lines of a group: { text, class }.
local function process_lines(group)
  local lines = {}
  for i, process in ipairs(group.processes) do
    lines[i] = { words.pids(process, "→") .. "  "
      .. list_words.command(process.command), i == 1 and "name ink"
      or "small ink", process.command }
  end
  if group.count > #lines then
    lines[#lines + 1] = { ("and %d more"):format(group.count - #lines),
                          "small dim" }
  end
  return lines
end

local function draw_lines(canvas, x, y, lines, room)
  for i, line in ipairs(lines) do
    local size = line[2]:find "^small" and 11 or 12
    canvas:text(x, y + i * line_height - 4, canvases.fit(line[1], room, size),
      line[2], line[3])
  end
end

local function card(class, lines, list)
  local height <const> = 2 * pad + #lines * line_height - 2
    + chips_height(#list)
  return { w = card_width, h = height, draw = function(canvas, x, y)
    canvas:box(x, y, card_width, height, class)
    draw_lines(canvas, x + pad, y + pad - 2, lines, card_width - 2 * pad)
    chips(canvas, x + pad, y + pad + 4 + #lines * line_height, list)
  end }
end

local function group_card(group)
  local list = {}
  for i, kind in ipairs(group.differs) do
    list[i] = { type = kind, id = group.namespaces[kind] }
  end
  return card("card", process_lines(group), list)
end

local function kept_card(row)
  local lines = {}
  for i, text in ipairs(list_words.holders(row)) do
    lines[i] = { text, i == 1 and "name ink" or "small ink", text }
  end
  return card("kept", lines, { row })
end

---- frames ----

local function header(user)
  local title = ("user %d"):format(user.id)
  local lines = { { title, "name t-user" } }
  local made = user.maker and "made by " .. user.maker
  for i, text in ipairs(words.maps(user, "→")) do
    lines[i + 1] = { text, "small dim", text }
  end
  if made then table.insert(lines, 2, { made, "small dim" }) end
  return lines
end

local function frame(user, blocks, limit)
  local inside <const> = flow(blocks, limit - 2 * pad)
  local lines <const> = header(user)
  local top <const> = pad + #lines * line_height + (#blocks > 0 and 6 or 0)
  local width <const> = math.max(inside.w, card_width) + 2 * pad
  local height <const> = top + inside.h + pad
  return { w = width, h = height, draw = function(canvas, x, y)
    canvas:box(x, y, width, height, "frame", 10)
    draw_lines(canvas, x + pad, y + pad - 4, lines, width - 2 * pad)
    inside.draw(canvas, x + pad, y + top)
  end }
end

-- The frame of a user namespace and of those below it.
local function nest(user, contents, limit)
  local blocks = {}
  for _, block in ipairs(contents.cards[user.id] or {}) do
    blocks[#blocks + 1] = block
  end
  for _, child in ipairs(contents.below[user.id] or {}) do
    blocks[#blocks + 1] = nest(child, contents, limit - 2 * pad)
  end
  return frame(user, blocks, limit)
end

local function put(into, key, value)
  into[key] = into[key] or {}
  table.insert(into[key], value)
end

--- The blocks of a model, no wider than `limit`.
function M.blocks(model, limit)
  local contents, roots = { cards = {}, below = {} }, {}
  for _, group in ipairs(model.groups) do
    put(contents.cards, group.namespaces.user, group_card(group))
  end
  local lost = {} -- those whose owner is out of sight
  for _, row in ipairs(model.kept) do
    -- user namespaces have frames, network namespaces are shown below
    if row.type ~= "user" and row.type ~= "net" then
      local user <const> = model.by_id[row.owner]
      local list = user and contents.cards or { [0] = lost }
      put(list, user and user.id or 0, kept_card(row))
    end
  end
  for _, user in ipairs(model.users) do
    local above <const> = model.by_id[user.parent]
    if above then put(contents.below, above.id, user) else
      roots[#roots + 1] = user
    end
  end
  for i, user in ipairs(roots) do roots[i] = nest(user, contents, limit) end
  return table.move(lost, 1, #lost, #roots + 1, roots)
end

return M
