--- JSON, the one place for it. What is written, is written here: keys in a
-- steady order, integers whole, empty lists as lists, any bytes as UTF-8. What
-- is read, is read by lua-cjson, which is looked for when it is needed.

local M = {}

--- What stands for null, within lists and objects.
M.null = setmetatable({}, { __tostring = function() return "null" end })

local List <const>, Object <const> = {}, {}

--- Marks a table as a list, which an empty one does not show.
function M.list(values) return setmetatable(values or {}, List) end

--- An object whose keys are in the order given.
-- @tparam table pairs { { key, value }, … }
function M.object(pairs) return setmetatable(pairs, Object) end

---- text ----

local short <const> = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n",
                        ["\t"] = "\\t", ["\r"] = "\\r", ["\b"] = "\\b",
                        ["\f"] = "\\f" }

local function escape(char)
  return short[char] or ("\\u%04x"):format(char:byte())
end

-- Names of files and processes are bytes; JSON is UTF-8, what is none becomes
-- U+FFFD.
local function whole(text)
  local bad = select(2, utf8.len(text))
  while bad do
    text = text:sub(1, bad - 1) .. "\u{FFFD}" .. text:sub(bad + 1)
    bad = select(2, utf8.len(text, bad + 3))
  end
  return text
end

local function string(text)
  return '"' .. whole(text):gsub('[%c"\\]', escape) .. '"'
end

local function number(value)
  if math.type(value) == "integer" then return ("%d"):format(value) end
  if value ~= value or value == math.huge or value == -math.huge then
    error(("json: %s is no number in JSON"):format(value), 0)
  end
  local text = ("%.14g"):format(value)
  return tonumber(text) == value and text or ("%.17g"):format(value)
end

---- tables ----

local function sorted(value)
  local list = {}
  for key, element in pairs(value) do list[#list + 1] = { key, element } end
  table.sort(list, function(a, b) return tostring(a[1]) < tostring(b[1]) end)
  return list
end

local write -- any value

local function between(parts, open, close, indent, gap)
  if #parts == 0 then return open .. close end
  local line = gap and "\n" .. gap:rep(indent) or ""
  local inner = gap and line .. gap or ""
  return open .. inner .. table.concat(parts, "," .. inner) .. line .. close
end

local function list(value, indent, gap)
  local parts = {}
  for i = 1, #value do parts[i] = write(value[i], indent + 1, gap) end
  return between(parts, "[", "]", indent, gap)
end

local function object(value, indent, gap)
  local parts, colon = {}, gap and ": " or ":"
  for i, pair in ipairs(value) do
    if type(pair[1]) ~= "string" then
      error(("json: name expected, got %s"):format(type(pair[1])), 0)
    end
    parts[i] = string(pair[1]) .. colon .. write(pair[2], indent + 1, gap)
  end
  return between(parts, "{", "}", indent, gap)
end

local function any_table(value, indent, gap)
  local kind <const> = getmetatable(value)
  if value == M.null then return "null" end
  if indent > 100 then error("json: nested too deep", 0) end
  if kind == Object then return object(value, indent, gap) end
  if kind == List or value[1] ~= nil then return list(value, indent, gap) end
  return object(sorted(value), indent, gap)
end

local writers <const> = { string = string, number = number, boolean = tostring,
                          table = any_table, ["nil"] = function()
                            return "null"
                          end }

function write(value, indent, gap)
  local writer <const> = writers[type(value)]
  if not writer then
    error(("json: cannot write a %s"):format(type(value)), 0)
  end
  return writer(value, indent, gap)
end

--- A value as JSON. A table with something at 1 is a list, any other an object
-- with its keys sorted; `list`, `object` and `null` say what is meant.
-- @param value
-- @tparam[opt] string gap such as "  ": one line for each element, indented
-- @treturn string
-- @raise a message on functions, userdata, infinities and keys that are no
-- strings
function M.encode(value, gap)
  return write(value, 0, gap)
end

--- What a JSON text says. Numbers are floats, null is `farside.json.null`.
-- @tparam string text
-- @treturn any
-- @raise a message when the text is not JSON, or lua-cjson is not installed
function M.decode(text)
  local found, cjson = pcall(require, "cjson")
  if not found then
    error("json: reading JSON needs lua-cjson: Debian has it in the package "
      .. "lua-cjson", 0)
  end
  local function replace(value)
    if value == cjson.null then return M.null end
    if type(value) ~= "table" then return value end
    for key, element in pairs(value) do value[key] = replace(element) end
    return value
  end
  local ok, value = pcall(cjson.decode, text)
  if not ok then error("json: " .. value, 0) end
  return replace(value)
end

return M
