--- farside rm: forgets detached containers.

local options <const> = require "farside.options"

local M = { takes = "container" }

M.specs = {
  { name = "force", short = "f", help = "end those that run, at once" },
  { name = "all", short = "a", help = "all that have ended; all, with -f" },
}

function M.help()
  return [[
usage: farside rm [options] NAME …
       farside rm [options] --all

Forgets containers that have ended, and what they have written. What is left
of one whose processes were killed is cleaned up.

]] .. options.help(M.specs)
end

local function names_of(given, words)
  if not given.all then return words end
  local names = {}
  for _, row in ipairs(require("farside").containers()) do
    if given.force or row.status ~= "running" then
      names[#names + 1] = row.name
    end
  end
  return names
end

function M.main(args)
  local given, words = options.read("rm", M.specs, args)
  if (given.all or false) == (#words > 0) then
    options.usage("rm", "NAME or --all expected")
  end
  for _, name in ipairs(names_of(given, words)) do
    local container <close> = require("farside.detached").open("rm", name)
    container:remove(given.force)
  end
  return 0
end

return M
