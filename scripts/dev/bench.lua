--- Measures the driver, containers and networks beside others: `make bench`, or
-- `build/farside scripts/dev/bench.lua [--count N] [--json FILE]
-- [--svg FILE] [GROUP…]`, a group being one of those below; FILE "-" is the
-- standard output, which then has nothing else.
--
-- All rows of a table are taken in turn, in a random order each round, by the
-- timer bench/runner.c; so what else the machine does falls on all alike, and
-- the ratios tell more than the times. What is measured is in
-- bench/containers.lua, growth.lua and networks.lua.

local here <const> = arg[0]:match "^(.*)/" or "."
local driver <const> = arg[-1]

local function part(name)
  return dofile(("%s/bench/%s.lua"):format(here, name))
end

local groups <const> = { "start", "containers", "large", "many", "list",
                         "links", "routes", "labs" }

local function usage()
  error("usage: bench.lua [--count N] [--json FILE] [--svg FILE] "
    .. "[" .. table.concat(groups, " | ") .. "]...", 0)
end

local known <const> = {}
for _, group in ipairs(groups) do known[group] = true end

local takes <const> = {}

takes["--count"] = function(set, value)
  local count <const> = math.tointeger(tonumber(value))
  if not count or count < 1 then usage() end
  set.count = count
end

takes["--json"] = function(set, value) set.json = value or usage() end
takes["--svg"] = function(set, value) set.svg = value or usage() end

local function options()
  local build <const> = driver:match "^(.*)/" or "."
  local set = { count = 200, tools = build .. "/bench", here = here,
                driver = driver, root = ns.geteuid() == 0, files = {} }
  local i = 1
  while arg[i] do
    local take <const> = takes[arg[i]]
    if take then
      take(set, arg[i + 1])
      i = i + 1
    elseif known[arg[i]] then
      set.groups = set.groups or {}
      set.groups[arg[i]] = true
    else
      usage()
    end
    i = i + 1
  end
  set.quiet = set.json == "-" or set.svg == "-"
  return set
end

-- The tables of the groups that were asked for.
local function chosen(set)
  local list = {}
  set.filter = part "filter"
  table.insert(set.files, set.filter)
  for _, name in ipairs { "containers", "growth", "networks" } do
    for _, rows in ipairs(part(name).tables(set)) do
      if not set.groups or set.groups[rows.group] then
        list[#list + 1] = rows
      end
    end
  end
  return list
end

local function write(path, text)
  if path == "-" then return io.write(text) end
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

local function main(set)
  local measure <const>, report <const> = part "measure", part "report"
  local machine <const> = part "machine"
  local facts <const>, all <const> = machine.facts(), chosen(set)
  if not set.quiet then print(machine.text(facts)) end
  for _, rows in ipairs(all) do
    measure.take(set.tools, rows, set.count)
    report.summarize(rows)
    rows.rounds = report.rounds(rows)
    if not set.quiet then print(report.text(rows)) end
  end
  if set.json then write(set.json, report.json(all, facts)) end
  if set.svg then write(set.svg, part("plot").draw(all, facts)) end
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
