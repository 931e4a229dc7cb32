--- farside run: a command, or a recipe, in a container.

local M = { takes = { "file", "command" } }

-- What the options are is loaded when it must be known.
setmetatable(M, { __index = function(_, key)
  if key == "specs" then return require("farside.container_options").specs end
end })

function M.help()
  local options <const> = require "farside.options"
  return [=[
usage: farside run [options] [--] command [argument …]
       farside run [options] recipe.lua [-- command [argument …]]

Runs a command in a container: namespaces of its own over the host's files,
with a throw-away layer for what is written. A recipe is a Lua file that
returns a table; options override its keys.

]=] .. options.help(M.specs) .. "\n\n" .. require("farside.outcome").help
end

--- A recipe from a file that returns one.
function M.load(path)
  local chunk, message = loadfile(path)
  if not chunk then error(message, 0) end
  local recipe = chunk()
  if type(recipe) ~= "table" then
    error(("%s: a recipe returns a table, this returned %s (a script is run "
           .. "with `farside %s`)"):format(path, type(recipe), path), 0)
  end
  return recipe
end

-- A recipe from a command line that is a command.
local function plain(args)
  local first <const> = args[1] == "--" and 2 or 1
  local word <const> = args[first]
  if not word or first == 1 and (word:find "^%-" or word:find "%.lua$") then
    return nil
  end
  return table.move(args, first, #args, 1, {})
end

--- A recipe from the command line.
function M.recipe(word, args)
  local command <const> = plain(args)
  if command then return command end
  local options <const> = require "farside.options"
  local container <const> = require "farside.container_options"
  local values, rest = options.parse(word, container.specs, args)
  local recipe = {}
  local dashes = args[#args - #rest] == "--"
  if not dashes and rest[1] and rest[1]:find "%.lua$" then
    recipe = M.load(table.remove(rest, 1))
    if rest[1] == "--" then table.remove(rest, 1) end
    if #rest > 0 then
      for i = 1, #recipe do recipe[i] = nil end
    end
  end
  table.move(rest, 1, #rest, 1, recipe)
  container.fill(word, values, recipe)
  local image <const> = type(recipe.root) == "table" and recipe.root.image
  if #recipe == 0 and not image then
    options.usage(word, "a command is expected")
  end
  return recipe
end

-- Who types at a terminal gets one inside, unless it was said otherwise.
local function interactive(recipe)
  return recipe.tty == nil and not recipe.detach and recipe.session ~= false
    and recipe.dev ~= false and require("farside.outcome").interactive()
end

-- A detached container is told by its name.
local function detach(recipe)
  local container <close> = require("farside").spawn(recipe)
  print(container.name)
  return true, "exit", 0
end

-- One who then only waits has no garbage worth collecting; who looks after a
-- terminal or a log makes some.
local function only_waits(recipe)
  return not (recipe.tty or recipe.detach or recipe.name)
end

function M.main(args)
  local early <close> = require("farside.early").for_options(args)
  local recipe = M.recipe("run", args)
  if interactive(recipe) then recipe.tty = true end
  if only_waits(recipe) then collectgarbage "stop" end
  local function run()
    return require("farside.spawn").attended(recipe, early)
  end
  return require("farside.outcome").of(recipe.detach and detach or run, recipe)
end

return M
