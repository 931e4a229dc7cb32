#!/usr/bin/env farside
-- time: clocks of one's own.
-- The clocks that count since the start of the machine may be set ahead for
-- all processes of a time namespace. (The time of day is everybody's.)

local ns = require "farside"

local function uptime() -- in days
  local file <close> = assert(io.open "/proc/uptime")
  return file:read "n" / (24 * 60 * 60)
end

local child <close> = ns.clone({
  "user", "time", boottime = "30d", -- root inside: so anybody may
  uid_map = { { 0, ns.getuid(), 1 } }, gid_map = { { 0, ns.getgid(), 1 } },
}, function() ns.pause() end) -- it holds the namespaces

local function row(...) print(("%-14s %-14s %s"):format(...)) end
local function date() return os.date "%F" end

local outside <const>, inside <const> = uptime(), ns.inside(child, uptime)
row("", "outside", "inside\n")
row("days running", ("%.3f"):format(outside), ("%.3f"):format(inside))
row("date", date(), ns.inside(child, date))
assert(math.abs(inside - outside - 30) < 0.01)
