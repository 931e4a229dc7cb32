#!/usr/bin/env farside
-- A dumbbell: three hosts on either side, and between them a long, thin line
-- that loses some of what goes over it. What pings measure is what was asked
-- for; then the line is mended while it is in use.
-- (This needs netem, a module that some kernels lack.)

local ns = require "farside"

local lab <close> = ns.lab()
local left, right = lab:switch "left", lab:switch "right"
for i = 1, 3 do
  lab:link(lab:host("a" .. i), left)
  lab:link(lab:host("b" .. i), right)
end
local line = lab:link(left, right, { delay = "10ms", loss = "20%" })

print(lab:draw())

local a1, a2, b1 = lab.nodes.a1, lab.nodes.a2, lab.nodes.b1

local function measure(what, from, to, count)
  local ms, report = from:ping(to, { count = count or 1 })
  print(("%-24s %6.2f ms, %2.0f %% lost"):format(what, ms,
    100 * report.lost / report.sent))
  return ms, report.lost / report.sent
end

-- There and back: the delay counts twice, and so does the chance to be lost.
local near = measure("on the same side", a1, a2)
local far, lost = measure("over the line", a1, b1, 400)
assert(near < 10 and far >= 20 and lost > 0.2 and lost < 0.55)

-- Only what goes from right to left: the answers.
line:set { loss = false, delay = false, peer = { delay = "30ms" } }
far, lost = measure("slow in one direction", a1, b1, 100)
assert(far >= 30 and far < 60 and lost == 0)

line:set { peer = { delay = false } }
far = measure("mended", a1, b1)
assert(far < 10)
