--- Children in which something is tried: whatever they make ends with them.

local core <const> = require "farside.core"

local M = {}

local limit <const> = "10s"

local No <const> = {}

--- Raises a "no" that knows its reason and its remedy.
function M.no(reason, remedy)
  error(setmetatable({ reason = reason, remedy = remedy }, No), 0)
end

function M.is_no(value) return getmetatable(value) == No end

--- Runs a function in a child with new namespaces.
-- @tparam table kinds as of clone
-- @tparam function fn
-- @raise what it raises; a message when it takes too long or dies
function M.child(kinds, fn)
  local process <close> = require("farside.clone").clone(kinds, fn)
  local _, how, code = process:wait(limit)
  if how == "timeout" then
    error("it did not end within " .. limit, 0)
  elseif how == "signal" then
    error(("it was ended by signal %d"):format(code), 0)
  end
end

--- The same as root of a user namespace of its own, the caller outside.
-- @tparam {string,...} kinds further namespaces
-- @tparam function fn
function M.within(kinds, fn)
  local list <const> = table.move(kinds, 1, #kinds, 2, {
    "user", uid_map = { { 0, core.geteuid(), 1 } },
    gid_map = { { 0, core.getegid(), 1 } },
  })
  for _, key in ipairs { "uid_map", "gid_map", "boottime" } do
    list[key] = kinds[key] or list[key]
  end
  M.child(list, fn)
end

--- In a child: a place in memory to work in, which is the working directory.
function M.workplace()
  core.mount("tmpfs", "/tmp", "tmpfs")
  core.chdir "/tmp"
end

return M
