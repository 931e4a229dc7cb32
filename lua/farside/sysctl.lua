--- Limits that a user namespace has on the namespaces made in it.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"

local M = {}

local kinds <const> = { mnt = true, uts = true, ipc = true, net = true,
                        pid = true, user = true, cgroup = true, time = true }

--- Limits how many namespaces of a kind can be made in the caller's user
-- namespace and those below it.
-- @tparam string kind "user", "net"…
-- @tparam integer count
-- @raise EACCES without CAP_SYS_RESOURCE in it. See namespaces(7).
function M.max_namespaces(kind, count)
  if not kinds[kind] then
    errors.usage("max_namespaces: unknown namespace '%s'", tostring(kind))
  elseif math.type(count) ~= "integer" or count < 0 then
    errors.usage("max_namespaces: a number of namespaces expected")
  end
  local path <const> = ("/proc/sys/user/max_%s_namespaces"):format(kind)
  local file <close> = core.openat2(nil, path, "wronly")
  core.write(file, tostring(count))
end

return M
