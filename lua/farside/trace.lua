--- The time that each step of a plan takes, while a container is started. The
-- steps are taken in Lua, on both sides, so that each can be timed; the walker
-- that usually takes the child's is quicker. Both sides write their times on
-- one sheet.

local child <const> = require "farside.child"
local core <const> = require "farside.core"

local M = {}

local record <const> = "I4n" -- a step's number and seconds

-- What farside.spawn calls for each step: it does the step and notes its time.
local function noting(sheet)
  return function(index, fn, ...)
    local start <const> = core.monotonic()
    local results = table.pack(pcall(fn, ...))
    core.write(sheet, record:pack(index, core.monotonic() - start))
    return table.unpack(results, 1, results.n)
  end
end

-- In these steps the clock itself changes, so they have no time.
local function without_clock(plan, times)
  local moved = false
  for index, step in ipairs(plan) do
    if step.call == "write_time_offsets" then moved = true end
    if moved and step.call == "setns" then times[index] = nil end
  end
end

local function read(sheet, plan)
  local times, size = {}, core.fstatat(sheet, "").size
  local bytes = size > 0 and core.read(sheet, size, 0) or ""
  for at = 1, #bytes, record:packsize() do
    local index, seconds = record:unpack(bytes, at)
    times[index] = seconds
  end
  without_clock(plan, times)
  return times
end

--- Runs a plan, and takes the times.
-- @tparam Plan plan
-- @treturn table step's number → seconds; none for steps that were not taken,
-- and for the one that becomes the program
-- @return what run answers
-- @raise as run
function M.run(plan)
  local sheet <close> = child.sheet()
  plan.walker, plan.trace = false, noting(sheet)
  local results = table.pack(pcall(require("farside").run, plan))
  plan.walker, plan.trace = nil, nil
  if not results[1] then error(results[2], 0) end
  return read(sheet, plan), table.unpack(results, 2, results.n)
end

---- telling ----

local function sum(plan, times, side)
  local seconds = 0
  for index, step in ipairs(plan) do
    if step.where == side then seconds = seconds + (times[index] or 0) end
  end
  return seconds
end

--- The times under the plan: what both sides spent.
function M.summary(plan, times)
  return ("parent %.3f ms, child %.3f ms, each step in Lua"):format(
    sum(plan, times, "parent") * 1e3, sum(plan, times, "child") * 1e3)
end

return M
