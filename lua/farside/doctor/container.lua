--- Check: the whole of it, a default container that runs a program.

local function run()
  local ns <const> = require "farside"
  local container <close> = ns.spawn { "true" }
  local _, how, code = container:wait "20s"
  if how == "timeout" then error("it did not end within 20s", 0) end
  if how ~= "exit" or code ~= 0 then
    error(("true ended with %s %d"):format(how, code), 0)
  end
end

return function()
  return { { name = "a default container", needed = true, try = run } }
end
