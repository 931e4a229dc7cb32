--- Answers the function that takes an input of a target: for fuzz.c, and for
-- the specs, which run the same targets without a fuzzer.
--   loadfile "scripts/dev/fuzz/run.lua" (name) → function (bytes)

local name <const> = ...

-- The driver has the library inside; the fuzzer reads the files.
if package.preload.fuzz then
  package.path = "lua/?.lua;lua/?/init.lua;build/lua/?.lua;" .. package.path
end
package.path = "scripts/dev/fuzz/?.lua;" .. package.path

local judge <const> = require "judge"
local target <const> = require "targets"[name]
if not target then error("no target '" .. tostring(name) .. "'", 0) end

return function(bytes) target.run(bytes, judge(bytes)) end
