--- Takes the times of a table's rows (containers.lua says what that is): each
-- gets `samples`, sorted, in nanoseconds, and `memory`, the KiB that its
-- largest process had resident at most; or `skipped`, why it was not run.

local here <const> = arg[0]:match "^(.*)/" or "."

local M = {}

local function spelled(row)
  return row.how .. "\t" .. table.concat(row.command, "\t") .. "\n"
end

-- Runs a program; answers its lines, or nil and what went wrong.
local function lines_of(command)
  local pipe <const> = assert(io.popen(command .. " 2>&1"))
  local lines = {}
  for line in pipe:lines() do lines[#lines + 1] = line end
  if not pipe:close() then return nil, lines[#lines] or "it failed" end
  return lines
end

-- Runs the timer, by the command `within` if there is one; answers what each
-- round says, or nil and what went wrong.
local function time(tools, rows, within, count, warmup, pause)
  local name <const> = os.tmpname()
  local file <close> = assert(io.open(name, "w"))
  for _, row in ipairs(rows) do file:write(spelled(row)) end
  file:close()
  local lines, reason = lines_of(("%s '%s/runner' %d %d %d <'%s'"):format(
    within or "", tools, count, warmup, pause, name))
  os.remove(name)
  return lines, reason
end

-- Those that can be run here. A peer may be missing; what is ours may not.
local function usable(tools, rows)
  local list = {}
  for _, row in ipairs(rows) do
    local ok, reason = not row.skipped
    if ok then ok, reason = time(tools, { row }, rows.within, 1, 0, 0) end
    if ok then
      list[#list + 1] = row
    elseif row.ours then
      error(("bench: %s: %s"):format(row.name, reason), 0)
    else
      row.skipped = row.skipped or reason
    end
  end
  return list
end

-- A peer that fails on the way is left out, with the others of its table:
-- ours is measured all the same. Answers whether there were any.
local function drop_peers(list, reason)
  local before <const> = #list
  for i = before, 1, -1 do
    if not list[i].ours then
      list[i].skipped, list[i].samples = reason, nil
      table.remove(list, i)
    end
  end
  return #list < before and #list > 0
end

-- The rounds of a table, among the crowd that it wants. Where the kernel gets a
-- pause, what one row takes is long, and the trial was its warm-up.
local function rounds(tools, rows, list, count)
  local function go()
    local warmup <const> = rows.pause and 0 or math.min(count, 5)
    local function all()
      return time(tools, list, rows.within, count, warmup, rows.pause or 0)
    end
    local lines, reason = all()
    if lines or not drop_peers(list, reason) then
      return assert(lines, reason)
    end
    return assert(all())
  end
  if not rows.crowd then return go() end
  local crowd <const> = dofile(here .. "/bench/crowd.lua")
  -- a round or two are a trial, which a small crowd serves as well
  local namespaces <const> = count < 5 and 20 or rows.crowd[1]
  return crowd(namespaces, rows.crowd[2], go)
end

local function numbers(line)
  local list = {}
  for number in line:gmatch "%d+" do list[#list + 1] = tonumber(number) end
  return list
end

-- A program that takes the times itself: a line for each row, its memory and
-- its times.
local function take_from(rows)
  local words <const> = {}
  for i, word in ipairs(rows.program) do words[i] = "'" .. word .. "'" end
  local lines <const> = assert(lines_of(table.concat(words, " ")))
  for i, row in ipairs(rows) do
    row.samples = numbers(lines[i])
    row.memory = table.remove(row.samples, 1)
    table.sort(row.samples)
  end
  rows.count = #rows[1].samples
end

--- Measures.
-- @tparam string tools where the timer is
-- @tparam table rows a table; gets `count`, its number of rounds
-- @tparam int count the rounds that are wanted
function M.take(tools, rows, count)
  if rows.program then return take_from(rows) end
  rows.count = math.min(count, rows.most or count)
  local list <const> = usable(tools, rows)
  local lines <const> = rounds(tools, rows, list, rows.count)
  for _, row in ipairs(list) do row.samples = {} end
  for _, line in ipairs(lines) do
    local memory <const> = line:match "^memory" ~= nil
    for i, number in ipairs(numbers(line)) do
      if memory then
        list[i].memory = number
      else
        table.insert(list[i].samples, number)
      end
    end
  end
  for _, row in ipairs(list) do table.sort(row.samples) end
end

return M
