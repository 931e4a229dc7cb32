#!/usr/bin/env farside
-- Two hosts and a switch: the smallest network there is.
-- A host is a network namespace of its own. A link is a cable: one end is the
-- host's "eth0", the other a port of the switch, which is a bridge.

local ns = require "farside"

local lab <close> = ns.lab() -- at the end of the script it is all gone
local h1, h2 = lab:host "h1", lab:host "h2"
local sw = lab:switch "sw"

lab:link(h1, sw, { address = "10.0.0.1/24" })
lab:link(h2, sw, { address = "10.0.0.2/24" })

print(lab:draw())

-- Any program can be run on a host; the others are known to it by name.
assert(h1:run { "sh", "-c", "echo here is $(uname -n), which knows of: "
  .. "$(grep -o 'h.$' /etc/hosts | xargs)" })

-- To see who reaches whom, none is needed.
local report = lab:ping_all()
print(report)
assert(report.sent == 2 and report.lost == 0)

-- How did the switch know where h2 is? It has heard it speak.
for _, port in ipairs(sw.netlink.link.list { master = "sw" }) do
  print(("port %-3s is %s"):format(port.ifname, port.operstate))
end
