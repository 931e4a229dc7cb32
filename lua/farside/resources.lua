--- What a starter does for a child that has not the power to do it itself.

local core <const> = require "farside.core"

local M = {}

local units <const> = { [""] = 0, K = 10, M = 20, G = 30, T = 40 }

-- A limit as a number, "unlimited" the largest.
local function amount(limit)
  if limit == "unlimited" then return math.huge end
  if math.type(limit) == "integer" then return limit end
  local digits, unit = tostring(limit):match "^(%d+)([KMGT]?)$"
  return digits and math.tointeger(tonumber(digits)) << units[unit]
end

--- Raises the hard resource limit of a process where it is below a limit; the
-- soft one stays.
-- @function raise_limit
-- @tparam process process
-- @tparam string resource as in getrlimit
-- @tparam integer|string limit a number, "64M" or "unlimited"
-- @raise EPERM without CAP_SYS_RESOURCE. See prlimit(2).
function M.raise_limit(process, resource, limit)
  local _, hard <const> = core.prlimit(process, resource)
  if amount(limit) > amount(hard) then
    core.prlimit(process, resource, nil, limit)
  end
end

--- How soon a process, and its children from now on, are killed when memory
-- runs out.
-- @function write_oom_score_adj
-- @tparam process process
-- @tparam integer value from -1000, never, to 1000, first
-- @raise EACCES when it is lowered without CAP_SYS_RESOURCE. See
-- proc_pid_oom_score_adj(5).
function M.write_oom_score_adj(process, value)
  local directory <close> = core.open_proc(process)
  local name <const> = "oom_score_adj"
  local file <close> = core.openat2(directory, name, "wronly")
  local ok, err = pcall(core.write, file, ("%d"):format(value))
  if not ok then
    core.raise(err.errno, "write_oom_score_adj", nil, ("of %d"):format(value))
  end
end

return M
