--- Measures the driver, containers and networks beside others: `make bench`, or
-- `build/farside scripts/dev/bench.lua [--count N] [--json] [GROUP…]`, a group
-- being one of start, containers, list, links, routes, labs.
--
-- All rows of a table are taken in turn, in a random order each round, by the
-- timer bench/runner.c; so what else the machine does falls on all alike, and
-- the ratios tell more than the times.

local here <const> = arg[0]:match "^(.*)/" or "."
local driver <const> = arg[-1]

---- what is measured ---------------------------------------------------------

local function words(text)
  local list = {}
  for word in text:gmatch "%S+" do list[#list + 1] = word end
  return list
end

local function join(...)
  local list = {}
  for _, part in ipairs { ... } do
    table.move(part, 1, #part, #list + 1, list)
  end
  return list
end

-- The same namespaces as farside's, but for time, which unshare(1) can only
-- make with offsets that differ between its versions.
local unshare <const> = words [[ unshare --user --map-root-user --mount --pid
  --fork --net --uts --ipc --cgroup --mount-proc ]]

-- What unshare(1) does, by the same calls in Lua.
local clone <const> = [[
  local me, us = { { 0, ns.getuid(), 1 } }, { { 0, ns.getgid(), 1 } }
  local child <close> = ns.clone({ "user", "mnt", "pid", "net", "uts", "ipc",
                                   "cgroup", uid_map = me, gid_map = us },
    function()
      ns.mount(nil, "/", nil, "rprivate")
      ns.mount("proc", "/proc", "proc", "nosuid,nodev,noexec")
      ns.exec "/bin/true"
    end)
  assert(child:wait()) ]]

-- What our plan hides, in bwrap's words.
local function hidden()
  local ns <const> = require "farside"
  local list = {}
  for _, step in ipairs(ns.plan { "/bin/true" }) do
    for _, path in ipairs(step.call == "mask" and step.args or {}) do
      local there, is = pcall(ns.fstatat, nil, path)
      local how = { "--ro-bind", "/dev/null", path }
      if there and is.type == "directory" then
        how = { "--tmpfs", path, "--remount-ro", path }
      end
      list = join(list, there and how or {})
    end
  end
  return list
end

-- bwrap has no overlay in most distributions: it shows the files read-only, so
-- that is what it is compared with. What tells of the host is hidden as in
-- ours; what changes it, it write-protects by itself. Its /sys is the host's.
local bwrap <const> = join(words [[ bwrap --unshare-all --unshare-user
  --new-session --die-with-parent --ro-bind / / --proc /proc --dev /dev
  --mqueue /dev/mqueue --tmpfs /tmp --tmpfs /run --cap-drop ALL ]], hidden())

-- From a program that holds so much memory; what a copy of it would take grows
-- with that.
local function heaps()
  local rows <const> = { title = "a container from a large program",
                         group = "containers" }
  for _, size in ipairs { "2M", "64M", "256M" } do
    rows[#rows + 1] = {
      name = "ns.run, " .. size, how = "ask", ours = true,
      command = { driver, here .. "/bench/worker.lua", size },
      reference = size == "2M", wanted = size == "256M" and 1.3 or nil,
    }
  end
  return rows
end

-- Containers with so many binds; what 1,000 cost is compared to what 100 do.
-- bwrap reads the list of mounts for each: 1,000 take it a second.
local function binds()
  local rows <const> = { title = "a container with binds",
                         group = "containers" }
  for _, count in ipairs { 10, 100, 1000 } do
    rows[#rows + 1] = {
      name = ("ns.run, %d"):format(count), how = "ask", ours = true,
      command = { driver, here .. "/bench/worker.lua", tostring(count) },
      reference = count == 100, wanted = count == 1000 and 15 or nil,
    }
  end
  for _, count in ipairs { 10, 100 } do
    local many <const> = {}
    for i = 1, count do
      table.move({ "--ro-bind", "/usr/share", "/tmp/" .. i }, 1, 3,
                 #many + 1, many)
    end
    rows[#rows + 1] = {
      name = ("bwrap, %d"):format(count), how = "run",
      command = join(bwrap, many, { "/bin/true" }),
    }
  end
  return rows
end

-- On a machine with 2,000 processes more, in 500 namespaces more. What is said
-- on the standard error (what may not be seen) is for people.
local function lists()
  local function quiet(...)
    return { "sh", "-c", 'exec "$@" 2>/dev/null', "sh", ... }
  end
  return { title = "all namespaces listed", group = "list",
    crowd = { 500, 4 }, most = 20, {
    name = "farside ls", how = "run", ours = true, wanted = 0.6,
    command = quiet(driver, "ls"),
  }, {
    -- it fails when a process ends under its hands
    name = "lsns", how = "run", reference = true,
    command = { "sh", "-c", "lsns 2>/dev/null; [ $? -le 1 ]" },
  }, {
    name = "farside ls --json", how = "run", ours = true,
    command = quiet(driver, "ls", "--json"),
  } }
end

-- The row that others are compared to is the one with `reference`; `wanted` is
-- the ratio that a row is to keep.
local function tables(tools, filter)
  local payload <const> = { "/bin/true" }
  return {
    { title = "start of an interpreter", group = "start", {
      name = "farside -e ''", how = "run", command = { driver, "-e", "" },
      wanted = 0.9, ours = true,
    }, {
      name = "lua5.4 -e ''", how = "run", command = { "lua5.4", "-e", "" },
      reference = true,
    }, {
      name = "/bin/true", how = "run", command = payload,
    } },
    { title = "a container of /bin/true", group = "containers", {
      name = "ns.run, one process", how = "ask", ours = true, wanted = 1.15,
      command = { driver, here .. "/bench/worker.lua" },
    }, {
      name = "the same with a ready plan", how = "ask", ours = true,
      command = { driver, here .. "/bench/worker.lua", "plan" },
    }, {
      name = "C, one process, same calls", how = "ask", reference = true,
      command = { tools .. "/container", filter },
    }, {
      name = "farside run", how = "run", ours = true,
      command = join({ driver, "run", "--" }, payload),
    }, {
      name = "unshare, own root by sh", how = "run",
      command = join(unshare, { "sh", here .. "/bench/root.sh" }),
    }, {
      name = "unshare, host's root", how = "run",
      command = join(unshare, payload),
    }, {
      name = "the same by ns.clone", how = "run", ours = true,
      command = { driver, "-e", (clone:gsub("%s+", " ")) },
    } },
    { title = "the host's files read-only", group = "containers",
      note = "bwrap shares the host's /sys and makes neither an overlay nor "
        .. "clocks nor control groups", {
      name = "ns.run, one process", how = "ask", ours = true, wanted = 1.15,
      command = { driver, here .. "/bench/worker.lua", "readonly" },
    }, {
      name = "C, one process, same calls", how = "ask", reference = true,
      command = { tools .. "/container", filter, "readonly" },
    }, {
      name = "farside run --readonly", how = "run", ours = true,
      command = join({ driver, "run", "--readonly", "--" }, payload),
    }, {
      name = "bwrap", how = "run", command = join(bwrap, payload),
    } },
    heaps(),
    binds(),
    lists(),
  }
end

---- taking the times ---------------------------------------------------------

local function spelled(row)
  return row.how .. "\t" .. table.concat(row.command, "\t") .. "\n"
end

-- Runs the timer; answers what each round says, or nil and what went wrong.
local function time(tools, rows, count, warmup, pause)
  local name <const> = os.tmpname()
  local file <close> = assert(io.open(name, "w"))
  for _, row in ipairs(rows) do file:write(spelled(row)) end
  file:close()
  local runner = assert(io.popen(("'%s/runner' %d %d %d <'%s' 2>&1"):format(
    tools, count, warmup, pause, name)))
  local lines = {}
  for line in runner:lines() do lines[#lines + 1] = line end
  local ok = runner:close()
  os.remove(name)
  if not ok then return nil, lines[#lines] or "it failed" end
  return lines
end

-- Those that can be run here. A peer may be missing; what is ours may not.
local function usable(tools, rows)
  local list = {}
  for _, row in ipairs(rows) do
    local ok, reason = time(tools, { row }, 1, 0, 0)
    if ok then
      list[#list + 1] = row
    elseif row.ours then
      error(("bench: %s: %s"):format(row.name, reason), 0)
    else
      row.skipped = reason
    end
  end
  return list
end

-- The rounds of a table, among the crowd that it wants.
local function rounds(tools, rows, list, count)
  local function go()
    local warmup <const> = math.min(count, rows.pause and 1 or 5)
    return assert(time(tools, list, count, warmup, rows.pause or 0))
  end
  if not rows.crowd then return go() end
  local crowd <const> = dofile(here .. "/bench/crowd.lua")
  -- a round or two are a trial, which a small crowd serves as well
  local namespaces <const> = count < 5 and 20 or rows.crowd[1]
  return crowd(namespaces, rows.crowd[2], go)
end

local function take(tools, rows, count)
  local samples <const> = {}
  local list <const> = usable(tools, rows)
  for i = 1, #list do samples[i] = {} end
  rows.count = math.min(count, rows.most or count)
  local lines = rounds(tools, rows, list, rows.count)
  for _, line in ipairs(lines) do
    local i = 0
    for number in line:gmatch "%d+" do
      i = i + 1
      table.insert(samples[i], tonumber(number))
    end
  end
  for i, row in ipairs(list) do
    table.sort(samples[i])
    row.samples = samples[i]
  end
end

---- what they say ------------------------------------------------------------

local function quantile(sorted, q)
  return sorted[math.max(1, math.ceil(q * #sorted))] / 1e6
end

local function summarize(rows)
  local reference
  for _, row in ipairs(rows) do
    if row.samples then
      row.median = quantile(row.samples, 0.5)
      row.p10, row.p90 = quantile(row.samples, 0.1), quantile(row.samples, 0.9)
      if row.reference then reference = row.median end
    end
  end
  for _, row in ipairs(rows) do
    row.ratio = row.median and reference and row.median / reference
  end
end

local function print_table(rows, count)
  print(("%-28s %9s %9s %9s %7s %7s"):format(rows.title, "median ms", "p10",
                                             "p90", "ratio", "wanted"))
  for _, row in ipairs(rows) do
    if row.skipped then
      print(("  %-26s skipped: %s"):format(row.name, row.skipped))
    else
      print((("  %-26s %9.3f %9.3f %9.3f %7s %7s"):format(
        row.name, row.median, row.p10, row.p90,
        row.ratio and ("%.2f"):format(row.ratio) or "",
        row.wanted and ("%.2f"):format(row.wanted) or ""):gsub("%s+$", "")))
    end
  end
  if rows.note then print("  " .. rows.note) end
  print(("  %d rounds\n"):format(count))
end

-- All strings here are printable ASCII, for which %q writes what JSON does.
local function json_row(title, row)
  local fields = { ('"table": %q'):format(title),
                   ('"name": %q'):format(row.name) }
  for _, key in ipairs { "median", "p10", "p90", "ratio", "wanted" } do
    if row[key] then
      fields[#fields + 1] = ('"%s": %.4f'):format(key, row[key])
    end
  end
  if row.skipped then
    fields[#fields + 1] = ('"skipped": %q'):format(row.skipped)
  end
  return "{ " .. table.concat(fields, ", ") .. " }"
end

local function print_json(all)
  local lines = {}
  for _, rows in ipairs(all) do
    for _, row in ipairs(rows) do
      lines[#lines + 1] = "  " .. json_row(rows.title, row)
    end
  end
  print("[\n" .. table.concat(lines, ",\n") .. "\n]")
end

---- the command line ---------------------------------------------------------

local groups <const> = { start = true, containers = true, list = true,
                         links = true, routes = true, labs = true }

local function options()
  local build <const> = driver:match "^(.*)/" or "."
  local set = { count = 200, tools = build .. "/bench", here = here,
                driver = driver, root = ns.geteuid() == 0, files = {} }
  local i = 1
  while arg[i] do
    local count = arg[i] == "--count" and math.tointeger(tonumber(arg[i + 1]))
    if arg[i] == "--json" then
      set.json = true
    elseif count and count > 0 then
      set.count, i = count, i + 1
    elseif groups[arg[i]] then
      set.groups = set.groups or {}
      set.groups[arg[i]] = true
    else
      error("usage: bench.lua [--count N] [--json] "
        .. "[start | containers | list | links | routes | labs]...", 0)
    end
    i = i + 1
  end
  return set
end

-- Those of the groups that were asked for.
local function chosen(set)
  local list = {}
  local networks <const> = dofile(here .. "/bench/networks.lua")
  local filter <const> = dofile(here .. "/bench/filter.lua")
  table.insert(set.files, filter)
  local all <const> = join(tables(set.tools, filter), networks.tables(set))
  for _, rows in ipairs(all) do
    if not set.groups or set.groups[rows.group] then list[#list + 1] = rows end
  end
  return list
end

local function main(set)
  local all <const> = chosen(set)
  for _, rows in ipairs(all) do
    take(set.tools, rows, set.count)
    summarize(rows)
    if not set.json then print_table(rows, rows.count) end
  end
  if set.json then print_json(all) end
end

local ok, message = pcall(function()
  local set <close> = setmetatable(options(), { __close = function(set)
    for _, name in ipairs(set.files) do os.remove(name) end
  end })
  main(set)
end)
if not ok then
  io.stderr:write(tostring(message), "\n")
  os.exit(1)
end
