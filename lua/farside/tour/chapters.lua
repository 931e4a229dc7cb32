--- The tour's first part: what a namespace is, how one is made, and each kind.

local ns <const> = require "farside"

---- two sides ----

local function content(path)
  local file <close> = io.open(path)
  return file and file:read "a"
end

-- Who is root in there is, out here, oneself; or nobody in particular when
-- root asks, who could not show much otherwise.
local function maps()
  if ns.getuid() == 0 then return { { 0, 100000, 1 } }, { { 0, 100000, 1 } } end
  return { { 0, ns.getuid(), 1 } }, { { 0, ns.getgid(), 1 } }
end

-- A process in new namespaces, a user namespace among them. It is root there.
local function stranger(...)
  local uids <const>, gids <const> = maps()
  return ns.clone({ uid_map = uids, gid_map = gids, "user", ... }, ns.pause)
end

-- Asks here and in there: { { question, function }, … }. What `first` does in
-- there is done before.
local function both(guide, process, questions, first)
  if first then ns.inside(process, first) end
  local rows = {}
  for i, question in ipairs(questions) do
    local outside <const> = question[2]()
    local _, inside = pcall(ns.inside, process, question[2])
    rows[i] = { question[1], outside, inside }
  end
  guide:sides(rows)
end

local function link_of(kind)
  return function() return ns.readlinkat(nil, "/proc/self/ns/" .. kind) end
end

local function count(path, pattern)
  local n = 0
  for _, entry in ipairs(ns.readdir(path)) do
    if entry.name:find(pattern) then n = n + 1 end
  end
  return n
end

-- The names of a list of links.
local function names(list, key)
  local words = {}
  for i, one in ipairs(list) do words[i] = one[key] end
  return table.concat(words, " ")
end

---- the kinds ----

local function pid(guide)
  local process <close> = stranger("pid", "mnt")
  both(guide, process, {
    { "which namespace?", link_of "pid" },
    { "which process am I?", ns.getpid },
    { "who is my parent?", ns.getppid },
    { "how many processes?", function() return count("/proc", "^%d+$") end },
    { "who is process 1?", function()
      return content "/proc/1/comm":match "%S+"
    end },
  }, function() ns.mount("proc", "/proc", "proc") end)
  guide:text(("Out here the stranger's process 1 is process %d: every process "
    .. "has a number in its own namespace and in all those around it. When a "
    .. "process 1 ends, the kernel ends everything else in its namespace; and "
    .. "it must reap what is orphaned to it, as any init does."):format(
      process.pid))
end

local function net(guide)
  local process <close> = stranger "net"
  both(guide, process, {
    { "which namespace?", link_of "net" },
    { "which links?", function() return names(ns.link.list(), "ifname") end },
    { "is lo up?", function() return ns.link.get("lo").up end },
    { "how many routes?", function() return #ns.route.list() end },
    { "how many sockets listen?", function()
      local _, lines = content "/proc/self/net/tcp":gsub(": %S+ %S+ 0A ", "")
      return lines
    end },
  })
end

local function mnt(guide)
  local process <close> = stranger "mnt"
  local function moon() return content "/mnt/moon" end
  both(guide, process, {
    { "which namespace?", link_of "mnt" },
    { "what is in /mnt/moon?", moon },
    { "how many mounts?", function() return #ns.mountinfo() end },
  }, function()
    ns.mount("tmpfs", "/mnt", "tmpfs", "size=64k")
    local file <close> = io.open("/mnt/moon", "w")
    file:write "silver"
  end)
  guide:text("The file was written in there, onto a file system in memory "
    .. "that was mounted in there. It goes when the last process does.")
end

local function uts(guide)
  local process <close> = stranger "uts"
  both(guide, process, {
    { "which namespace?", link_of "uts" },
    { "on which machine?", function() return ns.uname().nodename end },
  }, function() ns.sethostname "moon" end)
end

local function ipc(guide)
  local process <close> = stranger("ipc", "mnt", "pid")
  local function queues()
    local _, lines = content "/proc/sysvipc/msg":gsub("\n", "")
    return lines - 1
  end
  both(guide, process, {
    { "which namespace?", link_of "ipc" },
    { "how many message queues?", queues },
  }, function()
    ns.mount("proc", "/proc", "proc")
    os.execute "ipcmk -Q >/dev/null"
  end)
end

local function user(guide)
  local process <close> = stranger()
  both(guide, process, {
    { "which namespace?", link_of "user" },
    { "who am I?", ns.getuid },
    { "inside, outside, how many:", function()
      local map <const> = content "/proc/self/uid_map":gsub("%s+", " ")
      return map:match "^ ?(.-) ?$"
    end },
    { "how many capabilities?", function()
      return #ns.capability.get().effective
    end },
    { "may I read /etc/shadow?", function()
      return ns.faccessat(nil, "/etc/shadow", "read")
    end },
  })
end

local function cgroup(guide)
  local process <close> = stranger "cgroup"
  both(guide, process, {
    { "which namespace?", link_of "cgroup" },
    { "in which control group?", function()
      return content "/proc/self/cgroup":match "0::(%S*)"
    end },
  })
end

local function time(guide)
  local uids <const>, gids <const> = maps()
  local process <close> = ns.clone({
    "user", "time", boottime = "30d", uid_map = uids, gid_map = gids,
  }, ns.pause)
  both(guide, process, {
    { "which namespace?", link_of "time" },
    { "up for how many days?", function()
      local file <close> = io.open "/proc/uptime"
      return ("%.1f"):format(file:read "n" / 86400)
    end },
  })
end

---- what and how ----

local function eight(guide)
  guide:code "ls -l /proc/self/ns"
  for _, kind in ipairs { "cgroup", "ipc", "mnt", "net", "pid", "time", "user",
                          "uts" } do
    guide:shown(("%-6s → %s"):format(kind, link_of(kind)()))
  end
end

local function clone(guide)
  guide:code [[
local child = ns.clone({ "user", "uts", uid_map = …, gid_map = … }, function()
  ns.sethostname "moon"
  print(ns.uname().nodename)
end)
child:wait()
print(ns.uname().nodename)]]
  local reader <close>, writer = ns.pipe()
  local uids <const>, gids <const> = maps()
  local child <close> = ns.clone({
    "user", "uts", uid_map = uids, gid_map = gids,
  }, function()
    ns.sethostname "moon"
    ns.write(writer, ns.uname().nodename)
  end)
  child:wait()
  writer:close()
  guide:shown(ns.read(reader, 100))
  guide:shown(ns.uname().nodename)
end

local function unshare_and_setns(guide)
  guide:code [[
ns.unshare "net"            -- the caller itself moves into a new one
ns.setns(net)               -- or into one that exists
ns.inside(process, fn)      -- or a child of the caller, for one function]]
  local process <close> = stranger "uts"
  ns.inside(process, ns.sethostname, "far side")
  guide:code [[ns.inside(process, function() return ns.uname().nodename end)]]
  guide:shown(ns.inside(process, function() return ns.uname().nodename end))
end

return {
  { title = "A namespace decides what a process can see",
    "A Linux kernel has one list of processes, one set of network links, one "
    .. "tree of files. A namespace is a view of one such thing, and every "
    .. "process looks through one namespace of each kind. Two processes that "
    .. "look through different ones do not see each other's world.",
    "You are in eight right now. The kernel shows them as links; what is in "
    .. "brackets is the namespace's number:",
    eight,
    "Every example in this tour runs here and now, on your machine, and what "
    .. "you read is what it printed. None of it needs root, and nothing of it "
    .. "is left behind." },
  { title = "Why anyone wants that",
    "Two web servers on one machine both want port 80. A program wants "
    .. "libraries that the machine does not have. A program that you do not "
    .. "trust should not see your files. A test wants a network with ten "
    .. "hosts. A virtual machine does all of these, with a kernel of its own, "
    .. "in seconds and hundreds of megabytes; namespaces do them with the one "
    .. "kernel that is there, in milliseconds." },
  { title = "How: three system calls",
    "clone(2) makes a child in new namespaces. In Farside the child is a Lua "
    .. "function:",
    clone,
    "The child was on another machine, by name; you never were. The other two "
    .. "calls are unshare(2), for new namespaces, and setns(2), for those that "
    .. "exist:",
    unshare_and_setns },
  { title = "user: who one is",
    "The kind that opens the door to all others: in a user namespace of one's "
    .. "own, anybody is root, with every capability, over what is in there. A "
    .. "map says who the ids in there are out here.",
    user,
    "Root in there is somebody quite ordinary out here: what that one may "
    .. "not read, it may not. Everything else in this tour is done as that "
    .. "kind of root." },
  { title = "pid: a tree of processes",
    "The first process in a new pid namespace is number 1.", pid },
  { title = "net: links, addresses, ports",
    "A new network namespace has one loopback, which is down, and nothing "
    .. "else: no address, no route, no firewall rule, every port free.",
    net },
  { title = "mnt: a tree of files",
    "A new mount namespace starts as a copy of the tree of mounts; what is "
    .. "mounted from then on is seen on one side only.",
    mnt },
  { title = "uts: a name",
    "The smallest: the host name (and the NIS domain, from the days of UTS).",
    uts },
  { title = "ipc: message queues and shared memory",
    "System V's queues and semaphores, and POSIX's message queues, have names "
    .. "that all in one ipc namespace see. One queue was made in there:",
    ipc },
  { title = "cgroup: where one is in the tree of control groups",
    "A control group limits how much one may use (soon more of that). This "
    .. "namespace only hides where in the tree one is: its own group is the "
    .. "root.",
    cgroup },
  { title = "time: since when one is up",
    "The newest: clocks that count from the boot can be ahead. (The time of "
    .. "day is one and the same everywhere.)",
    time },
}
