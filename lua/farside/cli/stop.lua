--- farside stop: ends detached containers.

local options <const> = require "farside.options"

local M = { takes = "running" }

M.specs = {
  { name = "time", short = "t", option = "TIME",
    help = "how long it may take to end by itself, seconds or 500ms; 10 when "
        .. "not given" },
  { name = "signal", short = "s", option = "SIGNAL",
    help = "the way to ask; TERM when not given" },
}

function M.help()
  return [[
usage: farside stop [options] NAME …

Asks containers to end, and ends those that have not done so in time, with all
that runs inside.

]] .. options.help(M.specs)
end

function M.main(args)
  local given, words = options.read("stop", M.specs, args)
  if not words[1] then options.usage("stop", "NAME expected") end
  local grace <const> = tonumber(given.time) or given.time
  for _, name in ipairs(words) do
    local container <close> = require("farside.detached").open("stop", name)
    container:stop(grace, tonumber(given.signal) or given.signal)
  end
  return 0
end

return M
