--- The time limit of a container that is paused. Its first process keeps the
-- time (farside.plan.resources) but stands still with the others; so as long as
-- that lasts, a process outside ends it when the moment comes. That one leaves
-- when the container goes on, or has ended.

local beside <const> = require "farside.beside"
local core <const> = require "farside.core"

local M = {}

local function paused(events)
  return core.read(events, 4096, 0):find("frozen 1", 1, true) ~= nil
end

-- ENODEV ends it: the group has gone.
local function keep_time(process, events, deadline)
  while paused(events) do
    local left <const> = math.max(0, deadline - core.monotonic())
    local ready <const> = core.poll({ process, { events, "pri" } }, left)
    if #ready == 0 then return core.kill(process, "KILL") end
    if ready[1] == process then return end
  end
end

--- Starts it.
-- @tparam process|fd process the first of the container
-- @tparam Cgroup group which stands still
-- @tparam number deadline as of ns.monotonic
-- @treturn process to be closed once the container goes on, or has ended
function M.start(process, group, deadline)
  local events <close> = core.openat2(group, "cgroup.events", "rdonly")
  return beside.start("farside-clock", { process, events },
                      function(init, changes)
                        keep_time(init, changes, deadline)
                      end)
end

--- Starts it as nobody's child, for a caller that does not stay.
-- @param ... as for start
function M.leave(...)
  local args <const> = table.pack(...)
  local between <close> = core.clone({}, function()
    M.start(table.unpack(args, 1, args.n))
    core._exit(0)
  end)
  between:wait()
end

return M
