--- The report as a picture: for each table a frame with a line for each row. A
-- bar leads from the reference, 1, to the ratio: to the left of it is faster,
-- to the right slower. Each frame has a scale of its own, in which twice as
-- much is everywhere the same step.

local canvases <const> = require "farside.draw.canvas"

local M = {}

local margin <const>, page <const> = 32, 1224
local left <const>, right <const> = 262, 806 -- of the bars, within a frame
local line <const>, head <const>, foot <const> = 22, 40, 30

---- scales ----

-- The least and the greatest ratio that a table shows, with some room.
local function range(rows, reference)
  local least, most = 1, 1
  for _, row in ipairs(rows) do
    if row.median then
      least = math.min(least, row.low / reference, row.wanted or 1)
      most = math.max(most, row.high / reference, row.wanted or 1)
    end
  end
  return math.min(least / 1.1, 0.8), math.max(most * 1.1, 1.25)
end

-- A function from ratios to places.
local function scale(least, most)
  local step <const> = (right - left) / math.log(most / least)
  return function(ratio)
    return left + math.log(math.max(ratio, least) / least) * step
  end
end

-- Round numbers within a range; rounder ones where it is a wide one.
local function ticks(least, most)
  local digits <const> = most / least < 4 and { 1, 1.2, 1.5, 2, 3, 4, 5, 6, 8 }
    or { 1, 2, 5 }
  local list = {}
  for power = -4, 4 do
    for _, digit in ipairs(digits) do
      local tick <const> = digit * 10.0 ^ power
      if tick >= least and tick <= most then list[#list + 1] = tick end
    end
  end
  return list
end

---- one table ----

local function reference_of(rows)
  for _, row in ipairs(rows) do
    if row.reference then return row.median end
  end
end

local function draw_scale(canvas, rows, x, y, place, least, most)
  local bottom <const> = y + head + #rows * line
  for _, tick in ipairs(ticks(least, most)) do
    local at <const> = x + place(tick)
    canvas:line(at, y + head - 4, at, bottom + 4,
                tick == 1 and "wire" or "grid")
    local text <const> = ("%g"):format(tick)
    canvas:text(at - canvases.width(text, 11) / 2, bottom + 18, text,
                "small dim")
  end
end

-- What a row is coloured by: ours, ours that misses what is wanted, another's.
local function colour(row)
  if not row.ours then return "card" end
  local missed <const> = row.wanted and row.ratio > row.wanted
  return missed and "c-user" or "c-net"
end

local function draw_bar(canvas, row, reference, x, y, place)
  local one <const>, at <const> = x + place(1), x + place(row.ratio)
  local class <const> = colour(row)
  canvas:box(math.min(one, at), y - 6, math.max(math.abs(at - one), 1), 12,
             class, 2)
  canvas:line(x + place(row.low / reference), y,
              x + place(row.high / reference), y, "spread")
  canvas:dot(at, y, 3, "ink")
  if row.wanted then
    canvas:box(x + place(row.wanted) - 1.5, y - 9, 3, 18, "t-time", 1)
  end
end

local function figures(row)
  local function ratio(value) return value and ("%.2f"):format(value) or "" end
  return ("%11.3f %7s %7s %7s %7.1f"):format(row.median, ratio(row.ratio),
    ratio(row.wanted), ratio(row.floor_ratio), row.memory / 1024)
end

local function draw_row(canvas, row, reference, x, y, place)
  canvas:text(x + 14, y + 4, canvases.fit(row.name, left - 28, 12),
              row.ours and "name ink" or "mono ink", row.name)
  if row.median then
    if row.ratio then draw_bar(canvas, row, reference, x, y, place) end
    canvas:text(x + right + 14, y + 4, figures(row), "mono ink")
  else
    canvas:text(x + left, y + 4, canvases.fit("skipped: " .. row.skipped,
      right - left, 11), "small dim", row.skipped)
  end
end

local function draw_table(canvas, rows, x, y)
  local height <const> = head + #rows * line + foot
    + (rows.note and 16 or 0)
  canvas:box(x, y, page - 2 * margin, height, "frame")
  canvas:text(x + 14, y + 22, rows.title, "h2 ink")
  canvas:text(x + 14, y + head + #rows * line + 18,
              rows.rounds, "small dim")
  canvas:text(x + right + 14, y + 22,
    ("%11s %7s %7s %7s %7s"):format("ms", "ratio", "wanted", "floor", "MiB"),
    "mono dim")
  -- without the row that others are compared to there are figures alone
  local reference <const> = reference_of(rows)
  local least <const>, most <const> = range(rows, reference or math.huge)
  local place <const> = scale(least, most)
  if reference then draw_scale(canvas, rows, x, y, place, least, most) end
  for i, row in ipairs(rows) do
    draw_row(canvas, row, reference, x, y + head + i * line - line / 2, place)
  end
  if rows.note then
    canvas:text(x + 14, y + height - 8, rows.note, "small dim")
  end
  return y + height + 14
end

---- the page ----

-- Each key: a sample of a colour, and what it says.
local legend <const> = {
  { "c-net", "Farside" },
  { "c-user", "Farside, and slower than wanted" },
  { "card", "another" },
  { "t-time", "wanted: not to the right of it" },
}

local function draw_legend(canvas, y)
  local x = margin
  for _, entry in ipairs(legend) do
    local wide <const> = entry[1] == "t-time" and 3 or 22
    canvas:box(x, y - 10, wide, 12, entry[1], 2)
    canvas:text(x + wide + 8, y, entry[2], "small ink")
    x = x + wide + 28 + canvases.width(entry[2], 11)
  end
  canvas:text(margin, y + 20, "ratio: to the row at 1. floor: to what the bare "
    .. "system calls cost. Line and dot: the quartiles and the median. MiB: "
    .. "the largest process.", "small dim")
  return y + 40
end

local function draw_facts(canvas, facts, y)
  local column <const> = (page - 2 * margin) / 3
  for i, fact in ipairs(facts) do
    local x <const> = margin + (i - 1) % 3 * column
    canvas:text(x, y, ("%-15s"):format(fact[1]), "small dim")
    canvas:text(x + canvases.width((" "):rep(16), 11), y,
                canvases.fit(fact[2], column - 120, 11), "small ink", fact[2])
    if i % 3 == 0 or i == #facts then y = y + 16 end
  end
  return y + 12
end

local style <const> = [[
.grid{stroke:#8a94a2;stroke-opacity:.35}
.spread{stroke:#5f6b7a;stroke-width:2}
]]

--- The picture.
-- @tparam table all tables, summarized
-- @tparam table facts of machine.lua
-- @treturn string SVG
function M.draw(all, facts)
  local canvas <const> = canvases.new()
  local title <const> = "Farside beside others"
  canvas:put("<style>%s</style>", style)
  canvas:text(margin, margin + 14, title, "h1 ink")
  local y = draw_facts(canvas, facts, margin + 40)
  y = draw_legend(canvas, y + 6)
  for _, rows in ipairs(all) do y = draw_table(canvas, rows, margin, y) end
  return canvas:finish(page, math.ceil(y + margin - 14), title)
end

return M
