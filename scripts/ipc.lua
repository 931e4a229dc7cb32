#!/usr/bin/env farside
-- ipc: message queues, semaphores and shared memory of one's own.
-- A program inside makes a queue; nobody outside can see or reach it, and it
-- goes when the namespace does.

local ns = require "farside"

-- The System V message queues: /proc shows those of the process that reads.
local function queues()
  local keys = {}
  for line in io.lines "/proc/sysvipc/msg" do
    keys[#keys + 1] = line:match "^%s*(%-?%d+)"
  end
  return #keys == 0 and "none" or table.concat(keys, " ")
end

local child <close> = ns.clone({
  "user", "ipc", -- root inside, the caller outside: so anybody may
  uid_map = { { 0, ns.getuid(), 1 } }, gid_map = { { 0, ns.getgid(), 1 } },
}, function() ns.pause() end) -- it holds the namespaces

local function row(...) print(("%-22s %-12s %s"):format(...)) end

row("message queues", "outside", "inside\n")
row("at first", queues(), ns.inside(child, queues))
assert(ns.inside(child, queues) == "none")

assert(ns.inside(child, os.execute, "ipcmk -Q >/dev/null"))
local key <const> = ns.inside(child, queues)
row("after ipcmk -Q inside", queues(), key)
assert(key:find "^%-?%d+$" and not queues():find(key, 1, true))
