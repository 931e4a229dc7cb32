#!/usr/bin/env farside
-- A tree: ten switches with twenty hosts each, on one in the middle. It is
-- there in a moment, everybody reaches everybody, and it is gone as fast.

local ns = require "farside"

local lab <close> = ns.lab()
local core = lab:switch "core"
for i = 1, 10 do
  local edge = lab:switch("edge" .. i)
  lab:link(edge, core)
  for k = 1, 20 do lab:link(lab:host(("h%d-%d"):format(i, k)), edge) end
end

-- Nobody has given an address: they are drawn, in order, the same every time.
local first, last = lab.nodes["h1-1"], lab.nodes["h10-20"]
assert(first.address == "10.0.0.1" and last.address == "10.0.0.200")

-- A picture of it, for a browser: farside lab --draw svg tree.lua >tree.svg
assert(lab:draw "svg":find "</svg>")

lab:start()
print(lab)
local report = lab:ping_all()
print(report)
assert(report.sent == 200 * 199 and report.lost == 0)
