-- Many containers, one after the other and at once: that the last one costs
-- what the first did, and that nothing is left.
--   build/farside scripts/dev/many.lua [--count N] [--together N]
-- prints the medians of the first and of the last tenth, of containers that run
-- to their end and of those that are stopped; then what is left: descriptors,
-- children, mounts, and memory of the driver. Each container has a bare clone
-- into new namespaces beside it, so that what else the machine does falls on
-- both: the ratio of ratios tells. With --samples it is for bench.lua: a line
-- for each row of growth.lua's tables, with the memory and the times.

local count, together, samples = 1000, 200, false
local i = 1
while arg[i] do
  if arg[i] == "--samples" then
    samples, i = true, i + 1
  else
    local number <const> = assert(math.tointeger(arg[i + 1]), "number expected")
    if arg[i] == "--count" then
      count = number
    elseif arg[i] == "--together" then
      together = number
    else
      error("unknown option " .. arg[i], 0)
    end
    i = i + 2
  end
end

---- what there is ----

local function lines(path)
  local n = 0
  for _ in io.lines(path) do n = n + 1 end
  return n
end

local function children()
  local file <close> = assert(io.open "/proc/thread-self/children")
  return select(2, file:read "a":gsub("%d+", ""))
end

local function cgroups()
  local file <close> = assert(io.open "/proc/cgroups")
  local sum = 0
  for number in file:read "a":gmatch "\t(%d+)\t%d+\n" do sum = sum + number end
  return sum
end

local function look()
  collectgarbage()
  return {
    { "descriptors", #ns.readdir "/proc/self/fd" },
    { "children", children() },
    { "mounts", lines "/proc/self/mountinfo" },
    { "cgroups", cgroups() },
    { "KiB of Lua", collectgarbage "count" // 1 | 0 },
  }
end

---- what is done ----

local function median(times, from, to)
  local part = table.move(times, from, to, 1, {})
  table.sort(part)
  return part[(#part + 1) // 2] * 1000
end

local function timed(times, fn)
  local before <const> = ns.monotonic()
  fn()
  times[#times + 1] = ns.monotonic() - before
end

local function bare()
  ns.clone({ "user", "mnt", "pid", "net", "uts", "ipc", "cgroup" },
           function() end):wait()
end

-- The times of containers, and of the bare clones beside them.
local function alternate(fn)
  local times, plain = {}, {}
  for _ = 1, count do
    timed(times, fn)
    timed(plain, bare)
  end
  return times, plain
end

local tenth <const> = math.max(1, count // 10)

local function measure(name, fn)
  local times <const>, plain <const> = alternate(fn)
  local first <const>, last <const> =
    median(times, 1, tenth), median(times, count - tenth + 1, count)
  local plain_first <const>, plain_last <const> =
    median(plain, 1, tenth), median(plain, count - tenth + 1, count)
  print(("%-18s first %6.2f ms (bare clone %5.2f)   last %6.2f ms (%5.2f)   "
         .. "ratio %.2f"):format(name, first, plain_first, last, plain_last,
                                 last / plain_last * plain_first / first))
end

local function run()
  local container <close> = ns.spawn { "/bin/true" }
  assert(container:wait())
end

local function stop()
  local container <close> = ns.spawn { "/bin/sleep", "1000" }
  local _, how, code = container:stop()
  assert(how == "signal" and code == 15)
end

-- The times of starting, of one more program in each, and of ending them.
local function at_once()
  local running, started, joined, ended = {}, {}, {}, {}
  for k = 1, together do
    timed(started, function()
      running[k] = ns.spawn { "/bin/sleep", "1000" }
    end)
  end
  for _, container in ipairs(running) do
    timed(joined, function() assert(container:exec "true") end)
  end
  for _, container in ipairs(running) do
    timed(ended, function() container:close() end)
  end
  return started, joined, ended
end

local function sum(times)
  local all = 0
  for _, time in ipairs(times) do all = all + time end
  return all
end

---- for the benchmark ----

local function peak()
  local file <close> = assert(io.open "/proc/self/status")
  return file:read "a":match "VmHWM:%s*(%d+)"
end

-- A part of the times as a line, in nanoseconds.
local function tell(times, from, to)
  local line <const> = { peak() }
  for k = from, to do line[#line + 1] = times[k] * 1e9 // 1 | 0 end
  print(table.concat(line, "\t"))
end

local function tell_ends(times)
  local part <const> = math.max(1, #times // 10)
  tell(times, 1, part)
  tell(times, #times - part + 1, #times)
end

run() -- whatever is loaded late is loaded now
stop()
ns.spawn { "/bin/sleep", "1" }:close()
if samples then
  local times <const>, plain <const> = alternate(run)
  tell_ends(times)
  tell_ends(plain)
  local started <const>, joined <const>, ended <const> = at_once()
  tell_ends(started)
  tell_ends(joined)
  tell_ends(ended)
  return
end

local before <const> = look()
measure(count .. " to their end", run)
measure(count .. " stopped", stop)
local started <const>, joined <const>, ended <const> = at_once()
print(("%d at once: started in %.2f s, one more program in each %.2f s, "
       .. "ended in %.2f s"):format(together, sum(started), sum(joined),
                                    sum(ended)))
for k, thing in ipairs(look()) do
  print(("%-12s %7d before %7d after"):format(thing[1], before[k][2],
                                              thing[2]))
end
