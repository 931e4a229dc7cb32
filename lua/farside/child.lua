--- What a child leaves behind: a sheet that both have open, which the child
-- writes before it ends and the parent reads after. It is a file in memory and
-- no pipe: neither waits for the other however much is written, and children
-- of the child that live on hold nothing up.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local serial <const> = require "farside.serial"

local M = {}

--- A new sheet, which closes on exec.
-- @treturn fd
function M.sheet()
  return core.memfd_create "farside"
end

--- Writes values, the first of them a word for what they are.
function M.write(sheet, ...)
  core.write(sheet, serial.encode(...))
end

--- What was written; nothing when nothing was.
function M.read(sheet)
  local size <const> = core.fstatat(sheet, "").size
  if size > 0 then return serial.decode(core.read(sheet, size, 0)) end
end

-- The child's own part of the stack: below it is the parent's.
local function trace()
  local parents <const> = "\n%s*%[C%]: in [^\n]*'xpcall'.*"
  local text = debug.traceback("", 3):gsub(parents, "")
  return (text:gsub("^%s*stack traceback", "stack traceback of the child"))
end

-- What an error becomes on its way: all that can be sent is sent as it is, an
-- error object has the traceback as a field, a message has it as its end.
local function sendable(err)
  if errors.is(err) then
    err.traceback = err.traceback or trace()
  elseif type(err) == "string" then
    err = err .. "\n" .. trace()
  end
  if pcall(serial.encode, err) then return err end
  return tostring(err)
end

local function refuse(name)
  return ("nothing is loaded inside the namespaces of others: "
          .. "require '%s' before"):format(name)
end

--- Closes the ways to load code, in a child whose files will be somebody
-- else's. Modules that are in memory already (package.preload) stay within
-- reach. What the caller was started with is nobody's business in there.
function M.seal()
  core.forget_cmdline()
  package.searchers = { package.searchers[1], refuse }
end

--- Runs a function in the child. When it raises, the error is written and the
-- child ends with 1.
-- @return what the function returns
function M.attempt(sheet, fn, ...)
  local results = table.pack(xpcall(fn, sendable, ...))
  if not results[1] then
    M.write(sheet, "error", results[2])
    os.exit(1)
  end
  return table.unpack(results, 2, results.n)
end

return M
