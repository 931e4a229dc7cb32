--- The tables of bench.lua about what grows: the caller, a container's mounts,
-- the number of containers, the machine.

local containers <const> = dofile((arg[0]:match "^(.*)/" or ".")
                                  .. "/bench/containers.lua")

local M = {}

-- From a program that holds so much memory; what a copy of it would take grows
-- with that.
local function heaps(set)
  local rows <const> = { title = "a container from a large heap",
                         group = "containers" }
  for _, size in ipairs { "2M", "64M", "256M" } do
    rows[#rows + 1] = {
      name = "ns.run, " .. size, how = "ask", ours = true,
      command = { set.driver, set.here .. "/bench/worker.lua", size },
      reference = size == "2M", wanted = size == "256M" and 1.3 or nil,
    }
  end
  return rows
end

-- Containers with so many binds; what 1,000 cost is compared to what 100 do.
-- bwrap reads the list of mounts for each: 1,000 take it a second.
local function binds(set)
  local rows <const> = { title = "a container with binds",
                         group = "containers" }
  for _, count in ipairs { 10, 100, 1000 } do
    rows[#rows + 1] = {
      name = ("ns.run, %d"):format(count), how = "ask", ours = true,
      command = { set.driver, set.here .. "/bench/worker.lua",
                  tostring(count) },
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
      command = containers.join(containers.bwrap, many, { "/bin/true" }),
    }
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
  } }
end

--- The tables.
-- @tparam table set as for containers.lua
function M.tables(set)
  return { heaps(set), binds(set), lists(set) }
end

return M
