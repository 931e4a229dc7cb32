#!/usr/bin/env farside
-- uts: a host name of one's own.
-- What uname(1) and the prompt of a shell call this machine is kept in the
-- uts namespace; a process in a new one may rename the machine for itself.

local ns = require "farside"

-- The user namespace makes whoever runs this root inside, hence allowed to.
local child <close> = ns.clone({
  "user", "uts",
  uid_map = { { 0, ns.getuid(), 1 } }, gid_map = { { 0, ns.getgid(), 1 } },
}, function() ns.pause() end) -- it holds the namespaces

local function name() return ns.uname().nodename end
local function row(...) print(("%-20s %-16s %s"):format(...)) end

local before <const> = name()
row("host name", "outside", "inside\n")
row("at first", before, ns.inside(child, name))
ns.inside(child, ns.sethostname, "moon")
row("after sethostname", name(), ns.inside(child, name))

assert(name() == before and ns.inside(child, name) == "moon")
assert(ns.open("self", "uts") ~= ns.open(child, "uts"))
