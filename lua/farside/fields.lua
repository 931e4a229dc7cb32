--- Options tables checked against field tables.
-- A check is a function (value, path, fail) that answers the value to keep, or
-- calls fail(path, "what was wrong"). The ones here are put together into the
-- field tables of recipes and of other options.

local M = {}

local function got(value)
  if math.type(value) == "float" then return "float" end
  return type(value)
end

-- A check for one Lua type.
local function typed(name)
  return function(value, path, fail)
    if type(value) ~= name then
      fail(path, "%s expected, got %s", name, got(value))
    end
    return value
  end
end

M.boolean = typed "boolean"
M.callable = typed "function"

--- What a test makes of a value; nil is for one that will not do.
-- @tparam string what was expected, for the message
-- @tparam function test
-- @treturn function a check
function M.expected(what, test)
  return function(value, path, fail)
    local kept <const> = test(value)
    if kept ~= nil then return kept end
    local plain <const> = type(value) ~= "table" and type(value) ~= "function"
    fail(path, "%s expected, got '%s'", what,
         plain and tostring(value) or type(value))
  end
end

--- A string of a certain form.
-- @tparam string pattern
-- @tparam string what was expected
function M.form(pattern, what)
  return M.expected(what, function(value)
    return type(value) == "string" and value:find(pattern) and value or nil
  end)
end

--- An integer, or its digits, which the command line has, within a range.
function M.within(least, most)
  local what <const> = ("integer from %d to %d"):format(least, most)
  return M.expected(what, function(value)
    if type(value) == "string" and value:find "^-?%d+$" then
      value = tonumber(value)
    end
    local fits <const> = math.type(value) == "integer" and value >= least
      and value <= most
    return fits and value or nil
  end)
end

local units <const> = { [""] = 0, K = 10, M = 20, G = 30, T = 40 }

--- Bytes, from 268435456 or "256M"; at least so many.
-- @tparam string what was expected
-- @tparam[opt=0] integer least
function M.bytes(what, least)
  return M.expected(what, function(value)
    if type(value) ~= "string" and math.type(value) ~= "integer" then return end
    local digits, unit = tostring(value):match "^(%d+)([KMGT]?)$"
    if not digits or #digits >= 15 then return nil end
    local size <const> = math.tointeger(tonumber(digits)) << units[unit]
    return size >= (least or 0) and size or nil
  end)
end

--- The check itself, or one word.
function M.or_word(word, check)
  return function(value, path, fail)
    return value == word and value or check(value, path, fail)
  end
end

--- A string with something in it, and no zero byte, which would cut it short
-- in the kernel.
function M.string(value, path, fail)
  if type(value) ~= "string" then
    fail(path, "string expected, got %s", got(value))
  elseif value == "" then
    fail(path, "string expected, got an empty one")
  elseif value:find("\0", 1, true) then
    fail(path, "string without zero bytes expected")
  end
  return value
end

--- A string that may be empty.
function M.text(value, path, fail)
  if type(value) ~= "string" then
    fail(path, "string expected, got %s", got(value))
  end
  return value
end

--- A word of a command: a string, which may be empty, or a number.
function M.argument(value, path, fail)
  if type(value) == "number" then return tostring(value) end
  M.text(value, path, fail)
  if value:find("\0", 1, true) then
    fail(path, "string without zero bytes expected")
  end
  return value
end

function M.integer(value, path, fail)
  if math.type(value) ~= "integer" then
    fail(path, "integer expected, got %s", got(value))
  end
  return value
end

--- An absolute path.
function M.path(value, path, fail)
  M.string(value, path, fail)
  if value:sub(1, 1) ~= "/" then
    fail(path, "absolute path expected, got '%s'", value)
  end
  return value
end

--- A descriptor: an integer, an io file or an object with fileno().
function M.descriptor(value, path, fail)
  local number = math.type(value) == "integer" and value or nil
  if not number then
    local ok, method = pcall(function() return value.fileno end)
    local found = ok and method or io.type(value) == "file"
    if not found or type(value) == "string" then
      fail(path, "descriptor expected, got %s", got(value))
    end
  elseif number < 0 then
    fail(path, "descriptor expected, got %d", number)
  end
  return value
end

--- Nothing but one of these words, as a list for the message.
function M.word(...)
  local words <const> = { ... }
  return function(value, path, fail)
    for _, word in ipairs(words) do
      if value == word then return value end
    end
    local text = type(value) == "string" and "'" .. value .. "'" or got(value)
    fail(path, "%s expected, got %s", table.concat(words, ", "), text)
  end
end

-- Fails on whatever in a table is not 1..n.
local function no_other_keys(value, path, fail)
  for key in pairs(value) do
    if math.type(key) ~= "integer" or key < 1 or key > #value then
      fail(path, "unknown key '%s'", tostring(key))
    end
  end
end

--- A list whose elements all pass a check.
function M.list(check)
  return function(value, path, fail)
    if type(value) ~= "table" then
      fail(path, "list expected, got %s", got(value))
    end
    local copy = {}
    for i, element in ipairs(value) do
      copy[i] = check(element, ("%s[%d]"):format(path, i), fail)
    end
    no_other_keys(value, path, fail)
    return copy
  end
end

--- The check itself, or `false`.
function M.or_false(check)
  return function(value, path, fail)
    return value ~= false and check(value, path, fail)
  end
end

-- Some order in which any two keys have a place.
local function before(a, b)
  local one <const>, other <const> = type(a), type(b)
  if one ~= other then return one < other end
  if one == "string" or one == "number" then return a < b end
  return tostring(a) < tostring(b)
end

--- The keys of a table in a steady order, so that the first complaint, and
-- whatever else is told of them, is always the same.
-- @tparam table value
-- @treturn table a list
function M.keys(value)
  local keys = {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, before)
  return keys
end

--- A table { NAME = value } of whatever names; the check gets the name too.
function M.map(check)
  return function(value, path, fail)
    if type(value) ~= "table" then
      fail(path, "table expected, got %s", got(value))
    end
    local copy = {}
    for _, name in ipairs(M.keys(value)) do
      if type(name) ~= "string" then
        fail(path, "name expected, got '%s'", tostring(name))
      end
      copy[name] = check(value[name], path .. "." .. name, fail, name)
    end
    return copy
  end
end

-- How many letters must be changed, put in or taken out; more than two are
-- as good as any.
local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local corner = row[0]
    row[0] = i
    for j = 1, #b do
      local change = a:byte(i) == b:byte(j) and 0 or 1
      corner, row[j] = row[j],
        math.min(row[j] + 1, row[j - 1] + 1, corner + change)
    end
  end
  return row[#b]
end

--- The known word that somebody may have meant.
-- @tparam string word
-- @tparam table known a list of words
-- @treturn string|nil nil when none is near
function M.nearest(word, known)
  local best, least = nil, 3
  for _, candidate in ipairs(known) do
    local far = distance(tostring(word), candidate)
    if far < least then best, least = candidate, far end
  end
  return best
end

--- Says what somebody who wrote an unknown word may have meant.
-- @tparam string what "key", "capability"…
-- @tparam string word
-- @tparam table known a list of words
-- @treturn string "unknown key 'x' (did you mean 'y'?)", or with all of them
-- when none is near
function M.unknown(what, word, known)
  table.sort(known)
  local best <const> = M.nearest(word, known)
  local advice = best and ("did you mean '%s'?"):format(best)
    or "expected " .. table.concat(known, ", ")
  return ("unknown %s '%s' (%s)"):format(what, tostring(word), advice)
end

--- A table with these fields and no others: { name = check }. `positional`
-- checks the list part, when there is to be one.
function M.record(fields, positional)
  return function(value, path, fail)
    if type(value) ~= "table" then
      fail(path, "table expected, got %s", got(value))
    end
    local copy = {}
    local function inner(key)
      if math.type(key) == "integer" then
        return ("%s[%d]"):format(path, key)
      end
      return path == "" and key or path .. "." .. key
    end
    for _, key in ipairs(M.keys(value)) do
      local check = fields[key]
      if positional and math.type(key) == "integer" then check = positional end
      if not check then
        fail(path, "%s", M.unknown("key", key, M.keys(fields)))
      end
      copy[key] = check(value[key], inner(key), fail)
    end
    return copy
  end
end

--- Runs a check for `who`, raising at the line of the user's code.
function M.check(who, check, value)
  local usage <const> = require("farside.error").usage
  return check(value, "", function(path, format, ...)
    local text = format:format(...)
    usage("%s: %s%s", who, path == "" and "" or path .. ": ", text)
  end)
end

--- Checks a word by a call that takes no other: what it does not take is told
-- before anything is made.
-- @tparam string what it stands for, in words
-- @tparam string word
-- @tparam function call
-- @tparam function all answers the words that there are
-- @tparam string at its place
-- @tparam function fail
function M.known(what, word, call, all, at, fail)
  local ok, err = pcall(call, word)
  if ok then return end
  if type(err) ~= "string" then error(err, 0) end -- it is the kernel's
  fail(at, "%s", M.unknown(what, word, all()))
end

return M
