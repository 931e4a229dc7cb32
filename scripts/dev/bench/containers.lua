--- The tables of bench.lua about the start of a program and of one container.
--
-- A table is a list of rows with a title and a group. A row has a command, and
-- how it is timed: "run" starts it each time, "ask" starts it once and asks for
-- each container (runner.c). `ours` is what must work; `reference` is what the
-- others of its table are compared to, `wanted` the ratio to it that a row is
-- to keep, and `floor` what the bare system calls cost: in other rows the name
-- of the one that does so for them, where there are several.

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

-- Containers one after the other from a process that is there. `words` are the
-- workers' own.
local function in_process(set, title, ...)
  local worker <const> = { set.driver, set.here .. "/bench/worker.lua", ... }
  return { title = title, group = "containers", {
    name = "ns.run, one process", how = "ask", ours = true, wanted = 1.15,
    command = worker,
  }, {
    name = "the same with a ready plan", how = "ask", ours = true,
    command = join(worker, { "plan" }),
  }, {
    name = "C, one process, same calls", how = "ask", reference = true,
    floor = true,
    command = { set.tools .. "/container", set.filter, ... },
  } }
end

-- Python makes the same namespaces, mounts and filter, with its root read-only.
local function read_only(set)
  local rows <const> = in_process(set, "the host's files read-only",
                                  "readonly")
  rows[#rows + 1] = { name = "Python, ctypes, one process", how = "ask",
    command = { "/usr/bin/python3", set.here .. "/bench/container.py",
                set.filter } }
  return rows
end

---- whole commands, each beside one other ----

-- `words` are the C container's own.
local function beside(title, set, ours, other, ...)
  return { title = title, group = "containers", ours, other, {
    name = "C, whole command", how = "run", floor = true,
    command = { set.tools .. "/container", set.filter, "once", ... },
  } }
end

local function farside_run(set, wanted, ...)
  return { name = "farside run", how = "run", ours = true, wanted = wanted,
           command = join({ set.driver, "run", ... }, { "--" }, payload) }
end

-- What unshare(1) has no words for a shell does below it; or neither has it.
local function beside_unshare(set)
  local own <const> = beside("beside unshare, a root by sh", set,
    farside_run(set, 0.95), {
      name = "unshare", how = "run", reference = true,
      command = join(unshare, { "sh", set.here .. "/bench/root.sh" }),
    })
  local bare <const> = { title = "beside unshare, namespaces alone",
    group = "containers", {
      name = "ns.clone", how = "run", ours = true, wanted = 0.95,
      command = { set.driver, "-e", (clone:gsub("%s+", " ")) },
    }, {
      name = "unshare", how = "run", reference = true,
      command = join(unshare, payload),
    } }
  return own, bare
end

local function beside_bwrap(set)
  local rows <const> = beside("beside bwrap, read-only", set,
    farside_run(set, 0.65, "--readonly"),
    { name = "bwrap", how = "run", reference = true,
      command = join(M.bwrap, payload) }, "readonly")
  rows.note = "bwrap shares the host's /sys and what listens in its files, "
    .. "makes neither clocks nor control groups, filters no system calls, and "
    .. "returns while its container still ends"
  return rows
end

-- What needs the host's files in a directory, and root for it; `bundle` is it.
local function beside_oci(set, bundle)
  local within <const> = set.root and ("'%s' '%s/bench/within.lua' '%s'")
    :format(set.driver, set.here, bundle)
  local function table_of(name, wanted, note, command)
    command = command:gsub("BUNDLE", bundle)
      :gsub("NAME", bundle:match "[^/]+$") -- no other benchmark's
    return { title = "beside " .. name .. ", read-only", group = "containers",
             within = within, note = note, most = 100,
             farside_run(set, wanted, "--readonly"), {
      name = name, how = "run", reference = true,
      command = words(command),
      skipped = not set.root and "it is measured as root" or nil,
    } }
  end
  return table_of("crun", 0.6, "crun makes neither clocks, an init nor a "
      .. "control group", "crun --cgroup-manager=disabled run "
      .. "--bundle BUNDLE NAME"),
    table_of("runc", 0.125, "runc makes neither clocks nor an init, but a "
      .. "control group", "runc run --bundle BUNDLE NAME"),
    table_of("systemd-nspawn", nil, "systemd-nspawn makes no clocks; its init "
      .. "is as ours", "systemd-nspawn --quiet --directory=BUNDLE/root "
      .. "--read-only --private-users=100000:65536 --private-network --pipe "
      .. "--register=no --keep-unit --as-pid2 --link-journal=no "
      .. "--no-new-privileges=yes --timezone=off --resolv-conf=off /bin/true")
end

--- The tables.
-- @tparam table set `here`, `tools`, `driver`, `root`; `filter`: a file with
-- the default filter of system calls; `files`: what is to be removed in the end
function M.tables(set)
  local bundle <const> = dofile(set.here .. "/bench/bundle.lua")()
  for _, name in ipairs { "/config.json", "/root", "" } do
    table.insert(set.files, bundle .. name)
  end
  local own <const>, bare <const> = beside_unshare(set)
  return { start(set), in_process(set, "a container of /bin/true"),
           read_only(set), beside_bwrap(set), own, bare,
           beside_oci(set, bundle) }
end

return M
