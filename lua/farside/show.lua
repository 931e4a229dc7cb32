--- Values as text for somebody at a terminal: a list of records as columns,
-- other tables as they would be written, as far as the screen is wide.

local columns <const> = require "farside.columns"

local M = {}

local gap <const> = "  " -- between columns
local deepest <const>, most <const> = 4, 60 -- levels, elements of one table

---- a value as it would be written ----

local function quoted(text)
  local plain = utf8.len(text) and not text:find "[%c\\\"]"
  return plain and '"' .. text .. '"'
    or (("%q"):format(text):gsub("\\\n", "\\n"))
end

local function key_text(key)
  if type(key) == "string" and key:find "^[%a_][%w_]*$" then return key end
  return "[" .. (type(key) == "string" and quoted(key) or tostring(key)) .. "]"
end

local function has_text(value)
  local meta <const> = getmetatable(value)
  return type(meta) == "table" and rawget(meta, "__tostring") ~= nil
end

-- Keys in a steady order: numbers, then names, then what is left.
local function sorted_keys(value, first)
  local keys = {}
  for key in next, value do
    if not (math.type(key) == "integer" and key >= 1 and key < first) then
      keys[#keys + 1] = key
    end
  end
  table.sort(keys, function(a, b)
    if type(a) == type(b) and (type(a) == "number" or type(a) == "string") then
      return a < b
    end
    return type(a) .. tostring(a) < type(b) .. tostring(b)
  end)
  return keys
end

local write -- any value

local function elements(value, indent, seen)
  local parts = {}
  local n = rawlen(value)
  for i = 1, math.min(n, most) do parts[i] = write(value[i], indent, seen) end
  local keys <const> = sorted_keys(value, n + 1)
  for _, key in ipairs(keys) do
    if #parts >= most then break end
    parts[#parts + 1] = key_text(key) .. " = "
      .. write(rawget(value, key), indent, seen)
  end
  if n + #keys > most then parts[#parts + 1] = "…" end
  return parts
end

-- In one line when it fits, else one element a line.
local function brackets(parts, indent, width)
  local line = "{ " .. table.concat(parts, ", ") .. " }"
  if #parts == 0 then return "{}" end
  if #line + indent <= width and not line:find "\n" then return line end
  local pad <const> = "\n" .. (" "):rep(indent + 2)
  return "{" .. pad .. table.concat(parts, "," .. pad) .. "\n"
    .. (" "):rep(indent) .. "}"
end

function write(value, indent, seen)
  if type(value) == "string" then return quoted(value) end
  if type(value) ~= "table" or has_text(value) then return tostring(value) end
  if seen[value] then return "{ …, as above }" end
  if indent >= 2 * deepest then return "{ … }" end
  seen[value] = true
  local text = brackets(elements(value, indent + 2, seen), indent, seen.width)
  seen[value] = nil
  return text
end

---- a list of records ----

-- Whether a table is a list of tables with names alone, two of them or more.
local function is_records(value)
  local n <const> = rawlen(value)
  if n < 2 or next(value, n) then return false end
  for i = 1, n do
    local record <const> = value[i]
    if type(record) ~= "table" or has_text(record) or next(record) == nil then
      return false
    end
    for key in next, record do
      if type(key) ~= "string" then return false end
    end
  end
  return true
end

local function cell(value)
  if type(value) == "table" and not has_text(value) then
    value = write(value, 0, { width = math.huge })
  end
  return value
end

-- What tells records apart comes first.
local rank <const> = {}
for i, name in ipairs { "id", "name", "ifname", "pid", "kind", "type", "dev",
                        "to", "address", "target" } do
  rank[name] = i
end

local function before(a, b)
  local x <const>, y <const> = rank[a] or 99, rank[b] or 99
  if x ~= y then return x < y end
  return a < b
end

local widest <const> = 40 -- of one column

local function column(records, name)
  local width = #name
  local function text(record)
    local value <const> = cell(record[name])
    return value ~= nil and columns.cut(columns.printable(tostring(value)),
                                        widest, true) or nil
  end
  for _, record in ipairs(records) do
    width = math.max(width, columns.width(text(record) or ""))
  end
  return { name = name, value = text, width = width }
end

local function columns_of(records)
  local names = {}
  for _, record in ipairs(records) do
    for name in next, record do names[name] = true end
  end
  local list = {}
  for name in next, names do list[#list + 1] = name end
  table.sort(list, before)
  for i, name in ipairs(list) do list[i] = column(records, name) end
  return list
end

-- The columns that fit, and the names of those that do not.
local function fitting(list, width)
  local fit, left, used = {}, {}, 0
  for _, one in ipairs(list) do
    if used + one.width <= width or #fit == 0 then
      fit[#fit + 1], used = one, used + one.width + #gap
    else
      left[#left + 1] = one.name
    end
  end
  return fit, left
end

local function record_lines(records, width)
  local fit, left = fitting(columns_of(records), width)
  local text <const> = columns.format(records, fit, { gap = gap })
  if #left == 0 then return text end
  return text .. "\n(and " .. table.concat(left, ", ") .. ")"
end

---- results ----

--- A value as text.
-- @param value
-- @tparam[opt=80] integer width
-- @treturn string
function M.text(value, width)
  width = width or 80
  if type(value) ~= "table" or has_text(value) then return tostring(value) end
  if is_records(value) then return record_lines(value, width) end
  return write(value, 0, { width = width })
end

--- Prints results, side by side when each is a line.
function M.print(...)
  local width <const> = require("farside.screen").of(1).width
  local texts = table.pack(...)
  local separator = "\t"
  for i = 1, texts.n do
    texts[i] = M.text(texts[i], width)
    if texts[i]:find "\n" then separator = "\n" end
  end
  io.write(table.concat(texts, separator), "\n")
end

return M
