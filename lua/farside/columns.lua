--- Lists of records as columns of text, for people and for scripts.
--
-- A column is { name, value, text, right, cut, help }: `value` answers a
-- record's value (nil, a string, a number, a list), `text` what is shown
-- instead of it; `right` aligns to the right; what is too wide is taken from
-- the column with `cut`.

local errors <const> = require "farside.error"
local fields <const> = require "farside.fields"
local json <const> = require "farside.json"

local M = {}

--- A text that is safe to show, whoever chose it: on one line, without what
-- would move a terminal's cursor or is no text.
function M.printable(text)
  local bad = select(2, utf8.len(text))
  while bad do
    text = text:sub(1, bad - 1) .. errors.hex(text:sub(bad, bad)) ..
           text:sub(bad + 1)
    bad = select(2, utf8.len(text, bad))
  end
  return (errors.visible(text):gsub("[\t\n]", errors.hex))
end

--- How many columns a printable text takes.
function M.width(text) return utf8.len(text) end

local function shown(column, row)
  local value = (column.text or column.value)(row)
  if type(value) == "table" then value = table.concat(value, ",") end
  return M.printable(value == nil and "" or tostring(value))
end

--- The first `width` columns of a printable text.
function M.cut(text, width, unicode)
  if utf8.len(text) <= width then return text end
  local mark = unicode and "…" or ""
  local keep = math.max(width - (unicode and 1 or 0), 0)
  return text:sub(1, utf8.offset(text, keep + 1) - 1) .. mark
end

local units <const> = { "K", "M", "G", "T" }

--- Bytes in a few digits; what is no number of them as it is.
function M.size(bytes)
  if math.type(bytes) ~= "integer" then return bytes end
  local unit, value = "", bytes
  for _, name in ipairs(units) do
    if value < 1024 then break end
    unit, value = name, value / 1024
  end
  return (unit == "" and "%d%s" or "%.1f%s"):format(value, unit)
end

---- trees ----

local branches <const> = {
  [true] = { more = "│ ", none = "  ", next = "├─", last = "└─" },
  [false] = { more = "| ", none = "  ", next = "|-", last = "`-" },
}

--- What stands before each row of a tree to show its place.
-- @tparam table rows in order, each with `level`, from 1
-- @tparam boolean unicode
-- @treturn {string,...}
function M.branches(rows, unicode)
  local marks, prefixes, open = branches[unicode or false], {}, {}
  for i = #rows, 1, -1 do
    local level, parts = rows[i].level, {}
    for above = 2, level - 1 do
      parts[#parts + 1] = open[above] and marks.more or marks.none
    end
    if level > 1 then
      parts[#parts + 1] = open[level] and marks.next or marks.last
    end
    open[level] = true
    for below = level + 1, #open do open[below] = false end
    prefixes[i] = table.concat(parts)
  end
  return prefixes
end

---- text ----

local function cells(rows, columns, options)
  local prefixes = options.tree and M.branches(rows, options.unicode)
  local lines = {}
  for i, row in ipairs(rows) do
    local line = {}
    for c, column in ipairs(columns) do
      line[c] = shown(column, row)
      if column.name == options.tree then
        line[c] = prefixes[i] .. line[c]
      end
    end
    lines[i] = line
  end
  return lines
end

local function widths(lines, columns)
  local wide = {}
  for c = 1, #columns do
    wide[c] = 0
    for _, line in ipairs(lines) do
      wide[c] = math.max(wide[c], M.width(line[c]))
    end
  end
  return wide
end

-- Narrows the column that may be cut until all fits.
local function fit(wide, columns, limit)
  local total, cut = #wide - 1, nil
  for c, column in ipairs(columns) do
    total = total + wide[c]
    if column.cut then cut = c end
  end
  if limit and cut and total > limit then
    wide[cut] = math.max(wide[cut] - (total - limit), 8)
  end
end

local function align(line, columns, wide, options)
  local parts = {}
  for c, column in ipairs(columns) do
    local text = line[c]
    if options.width then text = M.cut(text, wide[c], options.unicode) end
    local space = (" "):rep(wide[c] - M.width(text))
    -- in a tree, a number hangs on its branch
    local right = column.right and column.name ~= options.tree
    parts[c] = right and space .. text or text .. space
  end
  return (table.concat(parts, options.gap or " "):gsub(" +$", ""))
end

-- Cells without blanks, "-" for the empty ones, so that they can be counted.
local function raw(line)
  local parts = {}
  for c, text in ipairs(line) do
    parts[c] = text == "" and "-" or text:gsub(" ", "\\x20")
  end
  return table.concat(parts, " ")
end

--- Records as lines of text.
-- @tparam table rows
-- @tparam table columns
-- @tparam[opt] table options `headings` (false: none), `raw`, `width` (cut to
-- it), `unicode`, `tree` (the name of the column that shows the rows' `level`),
-- `gap` (what stands between two columns; one blank)
-- @treturn string
function M.format(rows, columns, options)
  options = options or {}
  local lines = cells(rows, columns, options)
  if options.headings ~= false then
    local names = {}
    for c, column in ipairs(columns) do names[c] = column.name end
    table.insert(lines, 1, names)
  end
  local wide = widths(lines, columns)
  fit(wide, columns, options.width)
  for i, line in ipairs(lines) do
    lines[i] = options.raw and raw(line) or align(line, columns, wide, options)
  end
  return table.concat(lines, "\n")
end

--- Prints records as whoever reads standard output can see them.
-- @tparam table rows
-- @tparam table columns
-- @tparam[opt] table given `no_headings`, `raw`, `no_truncate`, `tree`
function M.print(rows, columns, given)
  given = given or {}
  local screen <const> = require("farside.screen").of(1)
  local text <const> = M.format(rows, columns, {
    headings = not given.no_headings, raw = given.raw, tree = given.tree,
    width = not given.no_truncate and screen.width or nil,
    unicode = screen.unicode,
  })
  if text ~= "" then print(text) end
end

---- JSON, and names ----

local function object(row, columns)
  local pairs = {}
  for c, column in ipairs(columns) do
    local value = column.value(row)
    if value == nil then value = json.null end
    if column.list then json.list(value) end
    pairs[c] = { column.name:lower(), value }
  end
  if row.children and #row.children > 0 then
    local children = json.list()
    for i, child in ipairs(row.children) do
      children[i] = object(child, columns)
    end
    pairs[#pairs + 1] = { "children", children }
  end
  return json.object(pairs)
end

--- Records as values for farside.json: objects with the columns in their order,
-- under their names in small letters; null for what is not there. Of a tree the
-- roots, with `children`.
function M.objects(rows, columns)
  local list = json.list()
  for _, row in ipairs(rows) do
    if (row.level or 1) == 1 then list[#list + 1] = object(row, columns) end
  end
  return list
end

--- Columns by name, "NS,type": the case does not matter.
-- @tparam string text
-- @tparam table all the columns that there are
-- @treturn[1] {column,...}
-- @treturn[2] nil
-- @treturn[2] string what is wrong
function M.pick(text, all)
  local by_name, names, picked = {}, {}, {}
  for i, column in ipairs(all) do
    by_name[column.name], names[i] = column, column.name
  end
  for name in text:gmatch "[^,%s]+" do
    local column = by_name[name:upper()]
    if not column then
      return nil, fields.unknown("column", name:upper(), names)
    end
    picked[#picked + 1] = column
  end
  if #picked == 0 then return nil, "column names expected" end
  return picked
end

--- Columns and what they are, for a help text.
function M.help(all)
  local lines = {}
  for i, column in ipairs(all) do
    lines[i] = ("  %-9s %s"):format(column.name, column.help)
  end
  return table.concat(lines, "\n")
end

return M
