#!/usr/bin/env farside
-- user: ids of one's own, and root's power over what is one's own.
-- A map tells who the ids inside are outside. Root may choose anybody; others
-- may be root inside and themselves outside (or what /etc/subuid grants them).

local ns = require "farside"

local root <const> = ns.getuid() == 0
local child <close> = ns.clone({
  "user",
  uid_map = root and "0:100000:65536" or { { 0, ns.getuid(), 1 } },
  gid_map = root and "0:100000:65536" or { { 0, ns.getgid(), 1 } },
}, function() ns.pause() end) -- it holds the namespace

local name <const> = ns.uname().nodename
print "inside"
local file <const> = ns.inside(child, function()
  ns.setresgid(0, 0, 0) -- whoever came here is nobody until now
  ns.setresuid(0, 0, 0)
  print("  my user id            " .. ns.getuid())

  local ok, err = pcall(ns.sethostname, "moon")
  print("  rename this machine   " .. (ok and "done" or err.code))
  assert(not ok) -- it belongs to the user namespace outside

  ns.unshare "uts"
  ns.sethostname "moon"
  print("  rename one of my own  " .. ns.uname().nodename)
  return os.tmpname() -- makes the file
end)

local owner <const> = ns.fstatat(nil, file).uid
os.remove(file)
print "outside"
print("  its file belongs to   " .. owner)
print("  this machine is       " .. ns.uname().nodename)
assert(owner == (root and 100000 or ns.getuid()))
assert(ns.uname().nodename == name)
