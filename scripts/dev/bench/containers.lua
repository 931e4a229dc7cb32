--- The tables of bench.lua about the start of a program and of one container.
--
-- A table is a list of rows with a title and a group. A row has a command, and
-- how it is timed: "run" starts it each time, "ask" starts it once and asks for
-- each container (runner.c). `ours` is what must work; `reference` is what the
-- others of its table are compared to, `wanted` the ratio to it that a row is
-- to keep, and `floor` what the bare system calls cost, where that is a row of
-- its own.

local M = {}

--- The words of a command line.
function M.words(text)
  local list = {}
  for word in text:gmatch "%S+" do list[#list + 1] = word end
  return list
end

--- Lists one after the other.
function M.join(...)
  local list = {}
  for _, part in ipairs { ... } do
    table.move(part, 1, #part, #list + 1, list)
  end
  return list
end

local words <const>, join <const> = M.words, M.join

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

--- bwrap has no overlay in most distributions: it shows the files read-only, so
-- that is what it is compared with. What tells of the host is hidden as in
-- ours; what changes it, it write-protects by itself. Its /sys is the host's.
M.bwrap = join(words [[ bwrap --unshare-all --unshare-user
  --new-session --die-with-parent --ro-bind / / --proc /proc --dev /dev
  --mqueue /dev/mqueue --tmpfs /tmp --tmpfs /run --cap-drop ALL ]], hidden())

local payload <const> = { "/bin/true" }

local function start(set)
  return { title = "start of an interpreter", group = "start", {
    name = "farside -e ''", how = "run", command = { set.driver, "-e", "" },
    wanted = 0.9, ours = true,
  }, {
    name = "lua5.4 -e ''", how = "run", command = { "lua5.4", "-e", "" },
    reference = true,
  }, {
    name = "/bin/true", how = "run", command = payload,
  }, {
    name = "a static program, empty", how = "run",
    command = { set.tools .. "/nothing" }, floor = true,
  } }
end

local function writable(set)
  return { title = "a container of /bin/true", group = "containers", {
    name = "ns.run, one process", how = "ask", ours = true, wanted = 1.15,
    command = { set.driver, set.here .. "/bench/worker.lua" },
  }, {
    name = "the same with a ready plan", how = "ask", ours = true,
    command = { set.driver, set.here .. "/bench/worker.lua", "plan" },
  }, {
    name = "C, one process, same calls", how = "ask", reference = true,
    floor = true,
    command = { set.tools .. "/container", set.filter },
  }, {
    name = "farside run", how = "run", ours = true,
    command = join({ set.driver, "run", "--" }, payload),
  }, {
    name = "unshare, own root by sh", how = "run",
    command = join(unshare, { "sh", set.here .. "/bench/root.sh" }),
  }, {
    name = "unshare, host's root", how = "run",
    command = join(unshare, payload),
  }, {
    name = "the same by ns.clone", how = "run", ours = true,
    command = { set.driver, "-e", (clone:gsub("%s+", " ")) },
  } }
end

local function readonly(set)
  return { title = "the host's files read-only", group = "containers",
    note = "bwrap shares the host's /sys and makes neither clocks nor control "
      .. "groups", {
    name = "ns.run, one process", how = "ask", ours = true, wanted = 1.15,
    command = { set.driver, set.here .. "/bench/worker.lua", "readonly" },
  }, {
    name = "C, one process, same calls", how = "ask", reference = true,
    floor = true,
    command = { set.tools .. "/container", set.filter, "readonly" },
  }, {
    name = "farside run --readonly", how = "run", ours = true,
    command = join({ set.driver, "run", "--readonly", "--" }, payload),
  }, {
    name = "bwrap", how = "run", command = join(M.bwrap, payload),
  } }
end

--- The tables.
-- @tparam table set `here`, `tools`, `driver`; `filter`: a file with the
-- default filter of system calls
function M.tables(set)
  return { start(set), writable(set), readonly(set) }
end

return M
