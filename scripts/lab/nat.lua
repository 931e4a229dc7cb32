#!/usr/bin/env farside
-- A network behind a router that hides it. "web" is the internet: it has no
-- idea where 10.0.0.0/24 could be, and no answer finds its way there, until the
-- router says that all comes from itself.
-- (This needs nft, from the package nftables.)

local ns = require "farside"

local lab <close> = ns.lab()
local home = lab:switch "home"
local router, web = lab:router "router", lab:host "web"
lab:link(router, home, { address = "10.0.0.1/24" })
lab:link(router, web, { address = "203.0.113.1/24",
                        peer = { address = "203.0.113.10/24" } })
for i = 1, 2 do
  local host = lab:host("h" .. i, { gateway = "10.0.0.1" })
  lab:link(host, home, { address = ("10.0.0.%d/24"):format(10 + i) })
end
local h1, h2 = lab.nodes.h1, lab.nodes.h2

print(lab:draw())
local ms, reason = h1:ping(web, { timeout = "200ms" })
print("h1 to web, as it is:", reason)
assert(not ms)

-- What leaves by eth1, the interface towards web, gets the router's address.
assert(router:run { "nft", [[
  add table ip nat
  add chain ip nat out { type nat hook postrouting priority 100; }
  add rule ip nat out oifname "eth1" counter masquerade
]] })

for _, host in ipairs { h1, h2 } do
  print(("%s to web, hidden: %.2f ms"):format(host.name,
    assert(host:ping(web))))
end

-- The rule has seen each of them once; web has seen nobody but the router.
local rules = router:read { "nft", "list", "table", "ip", "nat" }
print("packets that were hidden:", rules:match "counter packets (%d+)")
assert(rules:find "counter packets 2 ")
