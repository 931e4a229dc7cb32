--- Values as bytes: how results and errors come back from a child.
-- A value is a tag and what follows from it; numbers are little-endian. What
-- is read may come from a process that nobody trusts: every length is checked
-- against what is there, nothing is run, and a table gets no metatable but
-- that of an error object.

local errors <const> = require "farside.error"

local M = {}

local MAGIC <const> = "far1"
local MAX_DEPTH <const> = 100
-- Shared tables are written once for each place they are found in, which can
-- grow without end.
local MAX_BYTES <const> = 256 << 20

---- writing ----

local write -- a value of any kind

local function key_name(key)
  if math.type(key) == "integer" then return ("[%d]"):format(key) end
  local name <const> = tostring(key)
  local plain = type(key) == "string" and name:find "^[%a_][%w_]*$"
  return plain and "." .. name or ("[%q]"):format(name)
end

-- "value 2.names[1]", from the keys on the way to it
local function place(out)
  return "value " .. table.concat(out.path, "", 1, out.depth)
end

local function refuse(out, what)
  error(("cannot send %s (%s)"):format(what, place(out)), 0)
end

local function put(out, piece)
  out[#out + 1] = piece
  out.size = out.size + #piece
  if out.size > MAX_BYTES then
    refuse(out, ("more than %d bytes"):format(MAX_BYTES))
  end
end

local function write_fields(out, value)
  local count_at, count = #out + 1, 0
  put(out, "    ")
  for key, field in next, value do
    out.depth = out.depth + 1
    out.path[out.depth] = key_name(key)
    if type(key) == "table" then refuse(out, "a table as a key") end
    write(out, key)
    write(out, field)
    out.depth = out.depth - 1
    count = count + 1
  end
  out[count_at] = ("<I4"):pack(count)
end

local function write_table(out, value)
  if out.within[value] then refuse(out, "a table that contains itself") end
  if out.depth >= MAX_DEPTH then refuse(out, "tables nested so deep") end
  if not errors.is(value) and getmetatable(value) ~= nil then
    refuse(out, "a table with a metatable")
  end
  put(out, errors.is(value) and "e" or "t")
  out.within[value] = true
  write_fields(out, value)
  out.within[value] = nil
end

local writers <const> = {
  ["nil"] = function(out) put(out, "n") end,
  boolean = function(out, value) put(out, value and "T" or "F") end,
  string = function(out, value) put(out, ("<c1s8"):pack("s", value)) end,
  number = function(out, value)
    local integer = math.type(value) == "integer"
    put(out, integer and ("<c1i8"):pack("i", value)
             or ("<c1d"):pack("d", value))
  end,
  table = write_table,
}

function write(out, value)
  local writer = writers[type(value)]
  if not writer then refuse(out, "a " .. type(value)) end
  writer(out, value)
end

--- Bytes for values: nil, booleans, numbers, strings, error objects, and
-- tables of these.
-- @param ... any number of values
-- @treturn string
-- @raise a message that names the place of what cannot be sent: a function, a
-- userdata, a coroutine, a table with a metatable or one that contains itself
function M.encode(...)
  local values = table.pack(...)
  local out = { size = 0, depth = 1, path = {}, within = {} }
  put(out, MAGIC .. ("<I4"):pack(values.n))
  for i = 1, values.n do
    out.path[1] = tostring(i)
    write(out, values[i])
  end
  return table.concat(out)
end

---- reading ----

local read -- a value of any kind

local function corrupt(input)
  error(("corrupt values at byte %d"):format(input.at), 0)
end

-- Takes fixed-size fields; what is cut off is corrupt.
local function take(input, format)
  if input.at + format:packsize() - 1 > #input.bytes then corrupt(input) end
  local value
  value, input.at = format:unpack(input.bytes, input.at)
  return value
end

-- A number of things that need at least `least` bytes each.
local function take_count(input, least)
  local count = take(input, "<I4")
  if count * least > #input.bytes - input.at + 1 then corrupt(input) end
  return count
end

local function read_table(input)
  local value = {}
  if input.depth >= MAX_DEPTH then corrupt(input) end
  input.depth = input.depth + 1
  for _ = 1, take_count(input, 2) do
    local key = read(input)
    if key == nil or key ~= key or type(key) == "table" then corrupt(input) end
    value[key] = read(input)
  end
  input.depth = input.depth - 1
  return value
end

local function read_error(input)
  local fields = read_table(input)
  if type(fields.call) ~= "string" or type(fields.reason) ~= "string" then
    corrupt(input)
  end
  return errors.remake(fields)
end

local readers <const> = {
  n = function() return nil end,
  T = function() return true end,
  F = function() return false end,
  i = function(input) return take(input, "<i8") end,
  d = function(input) return take(input, "<d") end,
  s = function(input)
    local length = take(input, "<i8")
    local first = input.at
    if length < 0 or length > #input.bytes - first + 1 then corrupt(input) end
    input.at = first + length
    return input.bytes:sub(first, input.at - 1)
  end,
  t = read_table,
  e = read_error,
}

function read(input)
  local reader = readers[input.bytes:sub(input.at, input.at)]
  if not reader then corrupt(input) end
  input.at = input.at + 1
  return reader(input)
end

--- The values that were encoded.
-- @tparam string bytes
-- @return the values
-- @raise "corrupt values at byte N" for anything but the whole of what encode
-- has made
function M.decode(bytes)
  local input = { bytes = bytes, at = 1, depth = 1 }
  if bytes:sub(1, #MAGIC) ~= MAGIC then corrupt(input) end
  input.at = #MAGIC + 1
  local values = { n = take_count(input, 1) }
  for i = 1, values.n do values[i] = read(input) end
  if input.at ~= #bytes + 1 then corrupt(input) end
  return table.unpack(values, 1, values.n)
end

return M
