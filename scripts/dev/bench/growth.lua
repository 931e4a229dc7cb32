--- The tables of bench.lua about what grows: the caller, a container's mounts,
-- the number of containers, the machine.

local containers <const> = dofile((arg[0]:match "^(.*)/" or ".")
                                  .. "/bench/containers.lua")

local M = {}

-- From a program that holds so much memory; what a copy of it would take grows
-- with that.
local function heaps(set)
  local rows <const> = { title = "a container from a large heap",
                         group = "large" }
  for _, size in ipairs { "2M", "64M", "256M" } do
    rows[#rows + 1] = {
      name = "ns.run, " .. size, how = "ask", ours = true,
      command = { set.driver, set.here .. "/bench/worker.lua", size },
      reference = size == "2M", wanted = size == "256M" and 1.3 or nil,
    }
  end
  rows[#rows + 1] = { name = "C, the same calls, no heap", how = "ask",
    floor = true, command = { set.tools .. "/container", set.filter } }
  return rows
end

-- Containers with so many binds; what 1,000 cost is compared to what 100 do.
-- bwrap reads the list of mounts for each: 1,000 take it a second.
-- The floor is that of a mount namespace with as many.
local function binds(set)
  local rows <const> = { title = "a container with binds", most = 20,
                         group = "large" }
  local function add(count, row)
    row.name = ("%s, %d"):format(row.name, count)
    rows[#rows + 1] = row
  end
  for _, count in ipairs { 10, 100, 1000 } do
    local text <const> = tostring(count)
    add(count, {
      name = "ns.run", how = "ask", ours = true, floor = "bare calls, " .. text,
      command = { set.driver, set.here .. "/bench/worker.lua", text },
      reference = count == 100, wanted = count == 1000 and 15 or nil,
    })
    local many <const> = {}
    for i = 1, count do
      table.move({ "--ro-bind", "/usr/share", "/tmp/" .. i }, 1, 3,
                 #many + 1, many)
    end
    add(count, {
      name = "bwrap", how = "run", floor = "bare calls, " .. text,
      command = containers.join(containers.bwrap, many, { "/bin/true" }),
    })
    add(count, { name = "bare calls", how = "ask", floor = true,
                 command = { set.tools .. "/floor", "binds", text } })
  end
  return rows
end

-- On a machine with 2,000 processes more, in 500 namespaces more. What is said
-- on the standard error (what may not be seen) is for people.
local function lists(set)
  local function quiet(...)
    return { "sh", "-c", 'exec "$@" 2>/dev/null', "sh", ... }
  end
  return { title = "all namespaces listed", group = "list",
    crowd = { 500, 4 }, most = 20, {
    name = "farside ls", how = "run", ours = true, wanted = 0.6,
    command = quiet(set.driver, "ls"),
  }, {
    -- it fails when a process ends under its hands
    name = "lsns", how = "run", reference = true,
    command = { "sh", "-c", "lsns 2>/dev/null; [ $? -le 1 ]" },
  }, {
    name = "farside ls --json", how = "run", ours = true,
    command = quiet(set.driver, "ls", "--json"),
  }, {
    name = "bare calls", how = "run", floor = true,
    command = { set.tools .. "/floor", "list" },
  } }
end

-- What the first and the last tenth of many containers cost; the program says
-- so itself, a line for each row.
local function many(set)
  local count <const>, together <const> = set.count * 5, set.count
  return { title = ("%d in a row, %d at once"):format(count, together),
    group = "many", program = { set.driver, set.here .. "/many.lua",
      "--samples", "--count", tostring(count), "--together",
      tostring(together) },
    note = "the bare clone is of a process in the same namespaces, taken in "
      .. "turn with the containers",
    { name = "ns.run, the first tenth", ours = true, reference = true },
    { name = "ns.run, the last tenth", ours = true, wanted = 1.1 },
    { name = "a bare clone, the first tenth", floor = true },
    { name = "a bare clone, the last tenth" },
    { name = "at once: the first to start", ours = true },
    { name = "at once: the last to start", ours = true },
    { name = "one more program in the first", ours = true },
    { name = "one more program in the last", ours = true },
    { name = "the first to be ended", ours = true },
    { name = "the last to be ended", ours = true } }
end

--- The tables.
-- @tparam table set as for containers.lua
function M.tables(set)
  return { heaps(set), binds(set), many(set), lists(set) }
end

return M
