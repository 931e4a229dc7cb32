--- farside plan: what run would do, without doing it.

local errors <const> = require "farside.error"
local inspect <const> = require "farside.inspect"
local options <const> = require "farside.options"
local outcome <const> = require "farside.outcome"

local M = { takes = { "file", "command" } }

local own <const> = {
  { name = "trace", help = "run it, and then print the time that each step took"
      .. ", the parent's and the child's" },
  { name = "json", short = "J", help = "as JSON" },
  inspect.option,
}

M.specs = table.move(own, 1, #own, 1, {})
for _, spec in ipairs(require("farside.container_options").specs) do
  M.specs[#M.specs + 1] = spec
end

function M.help()
  return [[
usage: farside plan [options] [--] command [argument …]
       farside plan [options] recipe.lua
       farside plan [--json] [--trust|--trace] script.lua

Prints the steps that make the container, in order: who takes each (the
parent, which is the caller, or the child in its new namespaces), the call it
is, and why. With a script, the plan of the first container that it starts; the
script runs so far, but may read files and compute and do nothing else. The
options are those of `farside run`, and

]] .. options.help(own)
end

---- the recipe of a script ----

-- The recipe of a script's first container, or the one that it returns: its
-- first ns.run or ns.spawn ends it.
local function recipe_of(chunk, path, args)
  local ns <const>, found <const> = require "farside", {}
  local run <const>, spawn <const> = ns.run, ns.spawn
  local function stop(recipe)
    found.recipe = recipe
    error(found, 0)
  end
  ns.run, ns.spawn = stop, stop
  local ok, result = pcall(chunk, table.unpack(args))
  ns.run, ns.spawn = run, spawn
  if found.recipe then return found.recipe end
  if not ok then error(result, 0) end
  if type(result) == "table" then return result end
  error(path .. ": starts no container and returns no recipe", 0)
end

-- Functions and descriptors are told by where they are from, and back.
local function described(value)
  local kind <const> = type(value)
  if kind == "function" then
    local info <const> = debug.getinfo(value, "S")
    return { code = { info.source, info.linedefined } }
  elseif kind == "userdata" and io.type(value) == "file" then
    return require("farside.core").dup(value):fileno()
  elseif kind == "userdata" and value.fileno then
    return value:fileno()
  elseif kind ~= "table" or getmetatable(value) then
    return value
  end
  local copy <const> = {}
  for key, element in pairs(value) do copy[key] = described(element) end
  return copy
end

local function restored(value)
  if type(value) ~= "table" then return value end
  local code <const> = value.code
  if type(code) == "table" and math.type(code[2]) == "integer" then
    local lines <const> = ("\n"):rep(math.min(math.max(code[2] - 1, 0), 1e6))
    return load(lines .. "return function() end", tostring(code[1]), "t")()
  end
  local copy <const> = {}
  for key, element in pairs(value) do copy[key] = restored(element) end
  return copy
end

-- What a script says of its recipe: a hostile one does no more than that.
local function look(chunk, path, args)
  return restored(inspect.look(function()
    return described(recipe_of(chunk, path, args))
  end))
end

local function of_script(path, args, how)
  local chunk, message = loadfile(path, how.trusted and "bt" or "t")
  if not chunk then error(errors.visible(message), 0) end
  local find <const> = how.trusted and recipe_of or look
  return require("farside").plan(find(chunk, path, table.move(args, 2, #args, 1,
                                                              {})))
end

local function plan_of(args, how)
  if args[1] and args[1]:find "%.lua$" then
    return of_script(args[1], args, how)
  end
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

-- Our own options stand before all others. What runs is trusted.
local words <const> = {
  ["--trace"] = function(how) how.trace, how.trusted = true, true end,
  ["--trust"] = function(how) how.trusted = true end,
  ["--json"] = function(how) how.json = true end,
}
words["-J"] = words["--json"]

function M.main(args)
  local how <const> = {}
  while words[args[1]] do words[table.remove(args, 1)](how) end
  local plan <const> = plan_of(args, how)
  if how.trace and how.json then
    options.usage("plan", "either --json or --trace expected, not both")
  end
  if how.trace then return outcome.of(trace, plan) end
  if how.json then
    local json <const> = require "farside.json"
    print(json.encode({ steps = json.list(plan:records()) }, "  "))
  else
    print(errors.visible(tostring(plan)))
  end
  return 0
end

return M
