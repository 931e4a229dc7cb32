-- Writes the filters of usual containers, compiled, as a Lua module for the
-- driver: lua5.4 scripts/dev/filters.lua OUT.lua CORE.so

local out <const>, core <const> = arg[1], arg[2]
package.path = "lua/?.lua;lua/?/init.lua;" .. package.path
package.preload["farside.core"] = assert(
  package.loadlib(core, "luaopen_farside_core"))

local usual <const> = require("farside.plan.payload").capabilities
local program <const> = require("farside.seccomp").program(nil, usual)
local file <close> = assert(io.open(out, "w"))
assert(file:write(("return { [%q] = %q }\n"):format(
  require("farside.filter").key(usual), program)))
