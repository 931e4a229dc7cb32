--- The tables of bench.lua that are about networks: links, routes and labs, by
-- Farside, by a program in C that is the floor (network.c), by `ip -batch`, and
-- by pyroute2 and mininet where they are installed.

local M = {}

local PYTHON <const> = "/usr/bin/python3" -- the one that has the packages

-- What `ip -batch` reads.
local requests <const> = {}

function requests.pairs(count)
  local lines = {}
  for i = 1, count do
    lines[i] = ("link add a%d numtxqueues 1 numrxqueues 1 type veth peer name "
      .. "b%d numtxqueues 1 numrxqueues 1"):format(i, i)
  end
  return lines
end

function requests.routes(count)
  local lines = { "link set lo up" }
  for i = 0, count - 1 do
    lines[i + 2] = ("route add 10.1.%d.%d dev lo"):format(i >> 8, i & 255)
  end
  return lines
end

local function batch_file(set, what, count)
  local name = os.tmpname()
  local file <close> = assert(io.open(name, "w"))
  file:write(table.concat(requests[what](count), "\n"), "\n")
  table.insert(set.files, name)
  return name
end

-- A command as root of namespaces of its own, in which nothing of it shows.
local function within(set, ...)
  local command = { "unshare", "-mn", "--", ... }
  if not set.root then table.insert(command, 2, "-Ur") end
  return command
end

-- mininet and pyroute2 keep names in /run; mininet says a lot.
local function python(set, ...)
  return within(set, "sh", "-c", "mount -t tmpfs none /run && exec \"$@\" "
    .. "2>/dev/null", "sh", PYTHON, set.here .. "/bench/peers.py", ...)
end

-- A lab makes its own user namespace where it must; what goes by without one
-- is root of one already.
local function ours(set, name, wanted, what, ...)
  local command = { set.driver, set.here .. "/bench/network.lua", what, ... }
  return { name = name, how = "ask", ours = true, wanted = wanted,
           command = (set.root or what == "lab") and command
             or within(set, table.unpack(command)) }
end

local function floor(set, ...)
  local command = { set.tools .. "/network", ... }
  return { name = "C, raw netlink, one queue", how = "ask", reference = true,
           floor = true, command = set.root and command
             or within(set, table.unpack(command)) }
end

-- Pairs of links, or routes.
local function requests_table(set, group, title, what, count, rounds)
  local text <const> = tostring(count)
  return { title = title, group = group, most = rounds, pause = 200,
    note = what == "routes" and "addresses are text, which is there before; "
      .. "the program in C reads it, too" or nil,
    ours(set, "nl:batch", what == "pairs" and 1.1 or 1.15, what, text),
    floor(set, what, text),
    { name = "ip -batch", how = "ask", command = within(set,
      set.tools .. "/network", "ip", batch_file(set, what, count)) },
    { name = "pyroute2", how = "ask",
      command = python(set, "pyroute2", what, text) } }
end

local function lab_table(set, count, rounds)
  local text <const> = tostring(count)
  return { title = ("a lab of %s hosts"):format(text), group = "labs",
    most = rounds, pause = 400,
    ours(set, "ns.lab", 1.15, "lab", text),
    ours(set, "ns.lab in a user namespace", 1.3, "lab", text, "unprivileged"),
    floor(set, "lab", text) }
end

-- What is wanted with 100 hosts is a twentieth of mininet's time.
local function others_table(set, count, rounds)
  local text <const> = tostring(count)
  local bare <const> = floor(set, "lab", text)
  bare.reference = nil
  return { title = ("a lab of %s hosts, by others"):format(text),
    group = "labs", most = rounds, pause = 1000,
    ours(set, "ns.lab", count == 100 and 0.05 or nil, "lab", text), bare,
    { name = "ip -batch", how = "run",
      command = within(set, "sh", set.here .. "/bench/lab.sh", text) },
    { name = "pyroute2", how = "ask",
      command = python(set, "pyroute2", "lab", text) },
    { name = "mininet", how = "ask", reference = true,
      command = python(set, "mininet", "lab", text) } }
end

--- The tables.
-- @tparam table set `here`, `tools`, `driver`; `root`: whether root asks;
-- `files`: a list that gets the names of files to be removed afterwards
function M.tables(set)
  return {
    requests_table(set, "links", "100 veth pairs", "pairs", 100, 30),
    requests_table(set, "links", "1,000 veth pairs", "pairs", 1000, 15),
    requests_table(set, "links", "5,000 veth pairs", "pairs", 5000, 5),
    requests_table(set, "routes", "10,000 routes", "routes", 10000, 15),
    lab_table(set, 10, 40),
    lab_table(set, 100, 20),
    lab_table(set, 500, 7),
    others_table(set, 10, 5),
    others_table(set, 100, 3),
    others_table(set, 500, 1),
  }
end

return M
