--- What is a finding. Code that is given nonsense may refuse it: by an error
-- object, by a message about bad input, or in the words of a C function of the
-- core about its argument. It may not stumble over it: an error of the Lua
-- machine ("attempt to index a nil value"), of a stock function that was given
-- what it does not take, of memory or of the stack is a finding.

local errors <const> = require "farside.error"

-- Functions of Lua's own libraries, but for those by which errors are raised.
local stock <const> = {}
for _, name in ipairs { "string", "table", "math", "utf8", "io", "os",
                        "coroutine" } do
  for _, fn in pairs(_G[name]) do
    if type(fn) == "function" then stock[fn] = true end
  end
end
for name, fn in pairs(_G) do
  if type(fn) == "function" and name ~= "error" and name ~= "assert"
    and name ~= "require" then
    stock[fn] = true
  end
end

-- How messages of the Lua machine begin, behind where it was.
local stumbles <const> = {
  "attempt to ", "stack overflow", "not enough memory", "malformed pattern",
  "more than %d+ steps", "number has no integer representation",
  "string slice too long", "resulting string too large", "too many results",
  "invalid value %(at index", "invalid order function", "bad 'for' ",
  "pattern too complex", "invalid use of", "string length overflow",
  "invalid option '%%", "number %(local", "error in error handling",
  "C stack overflow", "wrong number of arguments",
}

local input -- what these texts may come from

local function stumbled(message, raiser)
  if raiser.what ~= "C" or stock[raiser.func] then return true end
  for _, text in ipairs(stumbles) do
    if message:find(text) and not input:find(text) then return true end
  end
  return false
end

-- The message handler: a finding's text, or false for what is none.
local function judge(err)
  if errors.is(err) then
    local ok <const>, text = pcall(tostring, err)
    return not ok and "an error object without a text: " .. text
  elseif type(err) == "table" then
    return type(err.usage) ~= "string" and type(err.refused) ~= "string"
      and "a table is raised that says nothing"
  elseif type(err) ~= "string" then
    return "a " .. type(err) .. " is raised"
  end
  return stumbled(err, debug.getinfo(2, "Sf"))
    and debug.traceback(err, 2)
end

-- Calls a function with what may be nonsense; answers whether it took it, and
-- its first result. Raises a finding.
local function try(fn, ...)
  local ok <const>, result = xpcall(fn, judge, ...)
  if not ok and result then error(result, 0) end
  return ok, result
end

--- What to call functions by, for one input.
-- @tparam string bytes the input
-- @treturn function try(fn, …)
return function(bytes)
  input = bytes
  return try
end
