--- farside completion: what a shell completes after `farside`.

local completion <const> = require "farside.completion"
local options <const> = require "farside.options"

local M = { takes = { completion.shells } }

M.specs = {}

function M.help()
  return [[
usage: farside completion bash|zsh|fish

Prints what makes a shell complete the words of `farside`. `make install` puts
it where the shells look for it; otherwise

  source <(farside completion bash)]]
end

function M.main(args)
  local shell <const> = args[1]
  for _, known in ipairs(completion.shells) do
    if shell == known and not args[2] then
      io.stdout:write(completion.script(shell))
      return 0
    end
  end
  if args[2] or not shell then
    options.usage("completion", "one of %s expected",
                  table.concat(completion.shells, ", "))
  end
  options.usage("completion", "%s", require("farside.fields").unknown("shell",
    shell, completion.shells))
end

return M
