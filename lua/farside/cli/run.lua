--- farside run: a command, or a recipe, in a container.

local errors <const> = require "farside.error"
local options <const> = require "farside.options"

local M = {}

function M.help()
  local specs <const> = require("farside.container_options").specs
  return [=[
usage: farside run [options] [--] command [argument …]
       farside run [options] recipe.lua [-- command [argument …]]

Runs a command in a container: namespaces of its own over the host's files,
with a throw-away layer for what is written. A recipe is a Lua file that
returns a table; options override its keys.

]=] .. options.help(specs) .. [[


exit code: the command's own; 128+n when signal n ended it; 127 when it was
not found, 126 when it could not be executed, 125 when the set-up failed]]
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

--- A recipe from the command line.
function M.recipe(word, args)
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
  if #recipe == 0 then options.usage(word, "a command is expected") end
  return container.fill(word, values, recipe)
end

-- 126 and 127 are for the program; all else that fails is set-up.
local function code_of(failure)
  if errors.is(failure) and failure.call == "exec" then
    return failure.code == "ENOENT" and 127 or 126
  end
  return 125
end

-- Who types at a terminal gets one inside, unless it was said otherwise.
local function interactive(recipe)
  local isatty <const> = require("farside.core").tty.isatty
  return recipe.tty == nil and recipe.session ~= false and recipe.dev ~= false
    and isatty(0) and isatty(1)
end

function M.main(args)
  local recipe = M.recipe("run", args)
  if interactive(recipe) then recipe.tty = true end
  local ok, how, status = pcall(function()
    local _, how, status = require("farside").run(recipe)
    return how, status
  end)
  if not ok then
    io.stderr:write("farside: ", tostring(how), "\n")
    return code_of(how)
  end
  return how == "signal" and 128 + status or status
end

return M
