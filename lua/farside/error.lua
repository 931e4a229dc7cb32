--- Error objects: what a failed call raises.
-- The core makes them: `call`, `errno`, `code`, `reason`, `path`, `detail`,
-- `where`, and what the call knows more (`namespaces`, `fstype`, `log`…). This
-- file gives them their text, and asks farside.hint for a likely cause. It
-- must do so in the process that failed: elsewhere the system looks different.

local core <const> = require "farside.core"

local M = {}

local Error <const> = core.error

-- Functions of the library are skipped when an error says where it happened.
core.sources((debug.getinfo(1, "S").source:gsub("error%.lua$", "")))

--- Bytes as \xNN.
function M.hex(bytes)
  return (bytes:gsub(".", function(byte)
    return ("\\x%02x"):format(byte:byte())
  end))
end

--- A text without what would move a terminal's cursor: names in a message may
-- be somebody else's. Its lines stay.
-- @tparam string text
-- @treturn string
function M.visible(text)
  return (text:gsub("[\0-\8\11-\31\127]", M.hex)
              :gsub("\xc2[\x80-\x9f]", M.hex))
end

-- mount /dev/sda on /mnt: Operation not permitted (EPERM): the kernel's words
-- step: which step of a plan
-- hint: what to do
function Error:__tostring()
  local text = {}
  local function add(format, value)
    if value then text[#text + 1] = format:format(value) end
  end
  add("%s: ", self.where)
  add("%s", self.verb or self.call)
  add(" %s", self.detail or self.path)
  add(": %s", self.reason)
  add(" (%s)", self.code)
  add(": %s", self.log)
  add(" (in %s)", self.attribute)
  add("\nstep: %s", self.step)
  add("\nbatch: %s", self.batch)
  add("\nhint: %s", self.hint)
  return M.visible(table.concat(text))
end

-- Checks of a hint call the core as well, and their failures need no hint.
local explaining = false

--- Looks for the likely cause, here and now, and keeps it as the error's
-- `hint`. The core does so before it raises; who adds what a hint needs to
-- know to an error that was caught does it again.
-- @tparam Error err
-- @treturn Error the same
function M.explain(err)
  if explaining then return err end
  explaining = true
  -- a hint must never hide the failure that it explains
  local ok, hint = pcall(function()
    return require("farside.hint").find(err)
  end)
  explaining = false
  err.fd = nil -- open only while the call is being made
  if ok then err.hint = hint end
  return err
end

Error.__raise = M.explain

--- Calls a function in protected mode whose failure is not looked into: it is
-- to be expected, and looking for its cause takes time.
-- @tparam function fn
-- @param ... its arguments
-- @return as of pcall
function M.try(fn, ...)
  local before <const> = explaining
  explaining = true
  local results <const> = table.pack(pcall(fn, ...))
  explaining = before
  return table.unpack(results, 1, results.n)
end

--- Calls a function of the core that may fail with one code.
-- @tparam string code "EPERM"
-- @tparam function call
-- @param ... its arguments
-- @raise as the function, with any other
function M.unless(code, call, ...)
  local ok, err = pcall(call, ...)
  if not ok and err.code ~= code then error(err, 0) end
end

--- Loads what hints need, for a child that will not find it any more: one in
-- another root, or without a way to load. What the driver has in memory can be
-- loaded anywhere.
function M.prepare()
  if not package.preload["farside.hint"] then require "farside.hint" end
end

--- Whether a value is an error object.
function M.is(value)
  return getmetatable(value) == Error
end

--- An error object made again from its fields, such as came from a child.
function M.remake(fields)
  return setmetatable(fields, Error)
end

--- Raises a message about bad input at the line of the user's code.
function M.usage(format, ...)
  local where = core.where()
  local message = M.visible(format:format(...))
  error(where and where .. ": " .. message or message, 0)
end

return M
