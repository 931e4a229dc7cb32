#!/usr/bin/env farside
-- Three routers in a row, a network at either end, and static routes: each
-- router knows the networks that it is in, and of the others only who is next.

local ns = require "farside"

local lab <close> = ns.lab()

local h1 = lab:host("h1", { gateway = "10.1.0.1" })
local h2 = lab:host("h2", { gateway = "10.2.0.1" })
local r1 = lab:router("r1", { routes = { ["10.2.0.0/24"] = "10.0.12.2" } })
local r2 = lab:router("r2", { routes = { ["10.1.0.0/24"] = "10.0.12.1",
                                         ["10.2.0.0/24"] = "10.0.23.3" } })
local r3 = lab:router("r3", { routes = { ["10.1.0.0/24"] = "10.0.23.2" } })

-- `address` is for the first end of a link, `peer` is the other one.
lab:link(h1, r1, { address = "10.1.0.10/24",
                   peer = { address = "10.1.0.1/24" } })
lab:link(r1, r2, { address = "10.0.12.1/24",
                   peer = { address = "10.0.12.2/24" } })
lab:link(r2, r3, { address = "10.0.23.2/24",
                   peer = { address = "10.0.23.3/24" } })
lab:link(r3, h2, { address = "10.2.0.1/24",
                   peer = { address = "10.2.0.10/24" } })

print(lab:draw())
print("from h1 to h2:", assert(h1:ping(h2)), "ms")

-- A router is a node like any other: its routes can be looked at and changed.
for _, route in ipairs(r2.netlink.route.list { family = "inet" }) do
  print("r2:", route.dst, route.gateway and "by " .. route.gateway or "here")
end
r2.netlink.route.delete { to = "10.2.0.0/24" }

-- Now r2 does not know where h2 is, and says so.
local ms, reason = h1:ping(h2)
print("without the route:", reason)
assert(not ms and reason == "network unreachable")
