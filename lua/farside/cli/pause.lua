--- farside pause and farside resume: containers that stand still for a while.

local options <const> = require "farside.options"

local M = {}

--- A command that calls a method of each container that is named.
-- @tparam string word the command, and the method
-- @tparam string text what its help says
-- @treturn table
function M.each(word, text)
  local command <const> = { specs = {}, takes = "running" }

  function command.help()
    return ("usage: farside %s NAME …\n\n%s"):format(word, text)
  end

  function command.main(args)
    local _, words = options.read(word, command.specs, args)
    if not words[1] then options.usage(word, "NAME expected") end
    for _, name in ipairs(words) do
      local container <close> = require("farside.detached").open(word, name)
      container[word](container)
    end
    return 0
  end

  return command
end

local pause <const> = M.each("pause", [[
Stops all processes of containers where they are, until `farside resume`. They
need a control group of their own, as those with limits have.]])

M.specs, M.takes, M.help, M.main = pause.specs, pause.takes, pause.help,
                                   pause.main

return M
