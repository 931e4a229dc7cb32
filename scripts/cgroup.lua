#!/usr/bin/env farside
-- cgroup: a root of one's own in the tree of control groups.
-- The cgroup that a process is in when it makes the namespace becomes the "/"
-- of all it sees from then on; what lies above has to be spelled "/..".

local ns = require "farside"

-- A cgroup to be in, where there is a tree that we may write to.
local function make()
  for _, mount in ipairs(ns.mountinfo()) do
    local path = mount.target .. "/farside-" .. ns.getpid()
    if mount.fstype == "cgroup2" and pcall(ns.mkdirat, nil, path, "0755") then
      return path
    end
  end
end

local function where(pid)
  local file <close> = assert(io.open("/proc/" .. pid .. "/cgroup"))
  return file:read "a":match "0::([^\n]*)"
end

local own <const> = make()
local _ <close> = setmetatable({}, { __close = function()
  if own then ns.unlinkat(nil, own, "removedir") end
end })

local child <close> = ns.clone({
  "user", cgroup = own,
  uid_map = { { 0, ns.getuid(), 1 } }, gid_map = { { 0, ns.getgid(), 1 } },
}, function()
  local me <const>, parent <const> = where "self", where(ns.getppid())
  local before <close> = ns.open("self", "cgroup")
  ns.unshare "cgroup"
  local function row(...) print(("%-12s %-24s %s"):format(...)) end
  row("cgroup of", "outside", "inside\n")
  row("the child", me, where "self")
  row("its parent", parent, where(ns.getppid()))
  assert(where "self" == "/")
  assert(not own or me ~= "/" and where(ns.getppid()):find "^/%.%.")
  assert(ns.open("self", "cgroup") ~= before)
end)
assert(child:wait())
