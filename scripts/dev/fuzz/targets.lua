--- All targets of the fuzzer: name → what it is, see texts.lua.

local M = {}
for _, name in ipairs { "texts", "archives", "tables", "network" } do
  for target, is in pairs(require(name)) do M[target] = is end
end
return M
