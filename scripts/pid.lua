#!/usr/bin/env farside
-- pid: a process tree of one's own.
-- Its first process is number 1 and has the duties of one: it inherits
-- orphans, no signal ends it by accident, and when it goes, all inside go.

local ns = require "farside"

local function tree(init) -- root inside, the caller outside: so anybody may
  return ns.clone({
    "user", "pid", "mnt",
    uid_map = { { 0, ns.getuid(), 1 } }, gid_map = { { 0, ns.getgid(), 1 } },
  }, init)
end

local function processes()
  local count = 0
  for _, entry in ipairs(ns.readdir "/proc") do
    if entry.name:find "^%d+$" then count = count + 1 end
  end
  return count
end

local function row(...) print(("%-24s %-10s %s"):format(...)) end

local first <close> = tree(function() ns.pause() end)
ns.inside(first, ns.mount, "proc", "/proc", "proc") -- shows the tree inside
local seen <const> = ns.inside(first, processes)
local status <close> = io.open(("/proc/%d/status"):format(first.pid))
local outer <const>, inner <const> =
  status:read "a":match "NSpid:.-(%d+)\t(%d+)\n"
row("", "outside", "inside\n")
row("number of one process", outer, inner)
row("processes in /proc", processes(), seen)
assert(outer == tostring(first.pid) and inner == "1" and seen < 4)

-- Not even from outside does TERM end a PID 1 that has no handler for it.
first:signal "TERM"
local _, after_term <const> = first:wait "50ms"
first:signal "KILL"
local _, how <const>, signal <const> = first:wait()
print(("\nTERM to PID 1: %s; KILL: %s %d"):format(after_term, how, signal))
assert(after_term == "timeout" and how == "signal" and signal == 9)

-- A process that ends before its child: who waits for the orphan?
local second <close> = tree(function()
  local parent = ns.clone({}, function()
    local me = ns.pidfd_open(ns.getpid())
    ns.clone({}, function()
      ns.poll { me } -- until the parent has ended
      os.exit(ns.getppid())
    end)
  end)
  parent:wait()
  local orphan, _, its_parent = ns.waitpid()
  print(("orphan %d was left to process %d"):format(orphan, its_parent))
  assert(ns.getpid() == 1 and its_parent == 1)
end)
assert(second:wait())
