--- Error objects: what a failed call raises.
-- The core makes them: `call`, `errno`, `code`, `reason`, `path`, `detail`,
-- `where`, and with some calls `verb`, the word that says more than the call's
-- name, and `log`, what the kernel said besides; this file gives them their text, and asks farside.hint for a
-- likely cause.

local core <const> = require "farside.core"

local M = {}

local Error <const> = core.error

-- Functions of the library are skipped when an error says where it happened.
core.sources((debug.getinfo(1, "S").source:gsub("error%.lua$", "")))

function Error:__tostring()
  local text = {}
  if self.where then text[#text + 1] = self.where .. ": " end
  if self.step then text[#text + 1] = self.step .. ": " end
  text[#text + 1] = self.verb or self.call
  local object = self.detail or self.path
  if object then text[#text + 1] = " " .. object end
  text[#text + 1] = (": %s (%s)"):format(self.reason, self.code)
  if self.log then text[#text + 1] = ": " .. self.log end
  if self.hint then text[#text + 1] = "\nhint: " .. self.hint end
  return table.concat(text)
end

-- The core calls this on each error object before it is raised. A hint must
-- never hide the failure it explains, so its own errors are dropped.
function Error.__raise(err)
  local ok, hint = pcall(function()
    return require("farside.hint").find(err)
  end)
  if ok then err.hint = hint end
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
  local message = format:format(...)
  error(where and where .. ": " .. message or message, 0)
end

return M
