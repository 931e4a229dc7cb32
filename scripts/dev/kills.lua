--- Containers whose processes are killed at random moments: `make kills`, or
--   build/farside scripts/dev/kills.lua [--count N] [--seed N] [-v] [KIND]...
-- Each round starts a process that makes a container or a lab, of a random
-- kind, and kills one of all the processes that there are after a random time:
-- the one that starts, the init, the keeper, the program, or a helper. Then
-- `farside ps`, `rm` and `net prune` put right what they can, as a person
-- would, and nothing may be left: processes, mounts, links, rules, cgroups,
-- files. All of it happens in namespaces that are thrown away. Prints the seed,
-- who was killed how often, and what there was before and after.

local script <const> = arg[0]:find "^/" and arg[0]
  or ns.readlinkat(nil, "/proc/self/cwd") .. "/" .. arg[0]
local here <const> = script:match "^(.*)/"
local root <const> = ns.geteuid() == 0
local room <const> = dofile(here .. "/fault/room.lua")
local driver <const> = room.build .. "/farside"

---- what is asked ----

local ask <const> = { count = 1000, seed = os.time() }
local kinds, verbose = {}, false
do
  local i = 1
  while arg[i] do
    local name <const> = arg[i]:match "^%-%-(%a+)$"
    if name and ask[name] then
      i = i + 1
      ask[name] = assert(math.tointeger(arg[i]), "number expected")
    elseif arg[i] == "-v" then
      verbose = true
    else
      kinds[#kinds + 1] = arg[i]
    end
    i = i + 1
  end
end

---- what is started ----

local starts <const> = {}
local sleep <const> = { "/bin/sleep", "1000" }

local function with(keys)
  return table.move(sleep, 1, #sleep, 1, keys)
end

function starts.attached() ns.run(with {}) end

function starts.code()
  ns.run(with { setup = function(c) c:write("/etc/motd", "x") end })
end

local programs <const> = {
  { bind = "/usr", at = "/usr", "ro" }, { symlink = "/bin", to = "usr/bin" },
  { symlink = "/lib", to = "usr/lib" },
  { symlink = "/lib64", to = "usr/lib64" },
}

function starts.layers()
  ns.run(with { root = { layers = { "base", "top" }, upper = "upper" },
                mounts = programs })
end

function starts.archive()
  ns.run(with { root = { layers = { "base", "layer.tar" } },
                mounts = programs })
end

function starts.network()
  ns.run(with { network = {
    bridge = "br0", address = "10.7.0.2/24", gateway = "10.7.0.1",
    publish = { "8080:80" },
  } })
end

function starts.ids() ns.run(with { uid_map = "auto" }) end
function starts.group() ns.run(with { limits = {} }) end
function starts.named() ns.run(with { name = "named" }) end

function starts.detached()
  local container <close> = ns.spawn(with { name = "db", detach = true })
  container:exec { "/bin/sleep", "1000" }
end

function starts.exec()
  local container <close> = ns.spawn(with {})
  container:exec { "/bin/sleep", "1000" }
end

function starts.lab()
  local lab <close> = ns.lab()
  local h1 <const>, h2 <const> = lab:host "h1", lab:host "h2"
  local sw <const> = lab:switch "sw"
  lab:link(h1, sw, { address = "10.0.0.1/24" })
  lab:link(h2, sw)
  h1:run(with {})
end

-- Those that can be had here, all the same in the end.
local function available()
  local list = {}
  for name in pairs(starts) do list[#list + 1] = name end
  table.sort(list)
  return list
end

if arg[1] == "--start" then
  starts[arg[2]]()
  os.exit(true)
end

---- processes ----

-- All but PID 1 and this one.
local function pids()
  local list, own = {}, ns.getpid()
  for _, entry in ipairs(ns.readdir "/proc") do
    local pid <const> = math.tointeger(tonumber(entry.name))
    if pid and pid ~= 1 and pid ~= own then list[#list + 1] = pid end
  end
  return list
end

local function name_of(pid)
  return room.read(("/proc/%d/comm"):format(pid)):gsub("\n", "")
end

-- Until all have ended, or the time is over.
local function await_end(seconds)
  local deadline <const> = ns.monotonic() + seconds
  while true do
    local list <const> = pids()
    if #list == 0 then return true end
    if ns.monotonic() > deadline then return false end
    local ok, pidfd = pcall(ns.pidfd_open, list[1])
    if ok then
      ns.poll({ pidfd }, 0.2)
      pidfd:close()
    end
  end
end

---- a round ----

-- As a person would do it.
local function farside(...)
  local reader <close>, writer <const> = ns.pipe()
  local words <const> = { driver, ... }
  words.stdout = writer
  local child <close> = ns.posix_spawn(words)
  writer:close()
  local parts = {}
  for part in function() return ns.read(reader, 65536) end do
    parts[#parts + 1] = part
  end
  child:wait()
  return table.concat(parts)
end

local function remove_all()
  for name in farside("ps", "-aqn"):gmatch "[^\n]+" do
    farside("rm", "-f", name)
  end
end

-- The wire of a dead container goes a moment after its processes.
local function await_wires()
  local nl <close> = ns.netlink()
  local links <close> = nl:monitor "link"
  while #ns.link.list { kind = "veth" } > 0 and links:next "5s" do end
end

-- Answers whether all have ended.
local function put_right()
  remove_all()
  local ended <const> = await_end(10)
  await_wires()
  if root then farside("net", "prune") end
  local ok, own = pcall(ns.cgroup.own)
  if ok then pcall(ns.cgroup.prune, own) end
  return ended
end

-- This program starts it; what it has to say goes nowhere.
local function start(kind)
  local null <close> = ns.openat2(nil, "/dev/null", "rdwr")
  return ns.posix_spawn { driver, room.scripts .. "/kills.lua", "--start", kind,
                          stdin = null, stdout = null, stderr = null,
                          session = true }
end

local function forget_all(before)
  for _, pid in ipairs(pids()) do pcall(ns.kill, pid, "KILL") end
  await_end(5)
  room.forget(before)
end

-- Kills one after some seconds; answers whom.
local function kill_one(starter, seconds)
  pcall(starter.wait, starter, seconds)
  local list <const> = pids()
  local victim <const> = list[math.random(#list)] or starter.pid
  local name <const> = victim == starter.pid and "starter" or name_of(victim)
  pcall(ns.kill, victim, "KILL") -- ESRCH: it has ended by itself
  return name
end

local function round(kind, seconds, before)
  local starter <close> = start(kind)
  local name <const> = kill_one(starter, seconds)
  -- it goes on without one that it does not need; its errors are its own
  pcall(starter.wait, starter, 0.2)
  starter:close()
  local ended <const> = put_right()
  local new <const> = room.news(before, room.look(root))
  if ended and not new then return name end
  local left = {}
  for _, pid in ipairs(pids()) do left[#left + 1] = name_of(pid) end
  forget_all(before)
  return name, ("%s %s"):format(table.concat(left, " "), new or "")
end

---- all ----

-- How long it takes until the last of it runs: one that is left alone.
local function time_of(kind)
  local starter <close> = start(kind)
  local before <const>, most = ns.monotonic(), 0
  local took = 0.01
  repeat
    local n <const> = #pids()
    if n > most then most, took = n, ns.monotonic() - before end
    pcall(starter.wait, starter, 0.005)
  until ns.monotonic() - before > 0.7
  starter:close()
  put_right()
  return took
end

local function counts(seen)
  local sums = {}
  for sentence in pairs(seen) do
    local what <const> = sentence:match "^%S+"
    sums[what] = (sums[what] or 0) + 1
  end
  local list = {}
  for what, n in pairs(sums) do list[#list + 1] = ("%s %d"):format(what, n) end
  table.sort(list)
  return ("%d processes, %s"):format(#pids(), table.concat(list, ", "))
end

local function all()
  math.randomseed(ask.seed)
  print(("seed %d"):format(ask.seed))
  if #kinds == 0 then kinds = available() end
  local times = {}
  for _, kind in ipairs(kinds) do times[kind] = time_of(kind) end
  local before <const> = room.look(root)
  print("before: " .. counts(before))
  local killed, findings = {}, 0
  for i = 1, ask.count do
    local kind <const> = kinds[math.random(#kinds)]
    local seconds <const> = times[kind] * 1.5 * math.random()
    local name, left = round(kind, seconds, before)
    killed[name] = (killed[name] or 0) + 1
    if left then findings = findings + 1 end
    if left or verbose then
      print(("%4d %s after %.1f ms: %s%s"):format(i, kind, seconds * 1000, name,
        left and ", left: " .. left or ""))
    end
  end
  print("after:  " .. counts(room.look(root)))
  local list = {}
  for name, n in pairs(killed) do list[#list + 1] = name .. " " .. n end
  table.sort(list)
  print("killed: " .. table.concat(list, ", "))
  print(("%d kills, %d findings"):format(ask.count, findings))
  io.stdout:flush()
  ns._exit(findings == 0 and 0 or 1)
end

os.exit(room.apart(all) == true)
