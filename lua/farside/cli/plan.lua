--- farside plan: what run would do, without doing it.

local M = { takes = { "file", "command" } }

M.specs = require("farside.container_options").specs

function M.help()
  return [[
usage: farside plan [options] [--] command [argument …]
       farside plan [options] recipe.lua
       farside plan script.lua

Prints the steps that make the container, in order: who takes each (the
parent, which is the caller, or the child in its new namespaces), the call it
is, and why. With a script, the plan of the first container that it starts.
The options are those of `farside run`.]]
end

-- A script's first ns.run or ns.spawn is answered with this, which ends it.
local function intercept(found)
  local ns <const> = require "farside"
  local function stop(recipe)
    found.plan = ns.plan(recipe)
    error(found, 0)
  end
  ns.run, ns.spawn = stop, stop
end

-- The plan of a script that starts a container or returns a recipe.
local function of_script(path, args)
  local found = {}
  intercept(found)
  local chunk, message = loadfile(path)
  if not chunk then error(message, 0) end
  local ok, result = pcall(chunk, table.unpack(args, 2))
  if found.plan then return found.plan end
  if not ok then error(result, 0) end
  if type(result) == "table" then return require("farside").plan(result) end
  error(path .. ": starts no container and returns no recipe", 0)
end

function M.main(args)
  local script = args[1] and args[1]:find "%.lua$" and args[1]
  if script then
    print(of_script(script, args))
  else
    local recipe = require("farside.cli.run").recipe("plan", args)
    print(require("farside").plan(recipe))
  end
  return 0
end

return M
