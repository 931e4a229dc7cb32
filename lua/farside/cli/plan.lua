--- farside plan: what run would do, without doing it.

local options <const> = require "farside.options"
local outcome <const> = require "farside.outcome"

local M = { takes = { "file", "command" } }

local own <const> = {
  { name = "trace", help = "run it, and then print the time that each step took"
      .. ", the parent's and the child's" },
}

M.specs = table.move(own, 1, #own, 1, {})
for _, spec in ipairs(require("farside.container_options").specs) do
  M.specs[#M.specs + 1] = spec
end

function M.help()
  return [[
usage: farside plan [options] [--] command [argument …]
       farside plan [options] recipe.lua
       farside plan [--trace] script.lua

Prints the steps that make the container, in order: who takes each (the
parent, which is the caller, or the child in its new namespaces), the call it
is, and why. With a script, the plan of the first container that it starts.
The options are those of `farside run`, and

]] .. options.help(own)
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

local function plan_of(args)
  if args[1] and args[1]:find "%.lua$" then return of_script(args[1], args) end
  local run <const> = require "farside.cli.run"
  local recipe = run.recipe("plan", args)
  return require("farside").plan(recipe)
end

-- Runs it, and prints the plan with its times; answers as run does.
local function trace(plan)
  local tracer <const> = require "farside.trace"
  local times, ok, how, code = tracer.run(plan)
  print(plan:text(times))
  print("\n" .. tracer.summary(plan, times))
  return ok, how, code
end

-- Our own option stands before all others.
function M.main(args)
  if args[1] ~= "--trace" then
    print(plan_of(args))
    return 0
  end
  local plan <const> = plan_of(table.move(args, 2, #args, 1, {}))
  return outcome.of(trace, plan)
end

return M
