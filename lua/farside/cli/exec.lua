--- farside exec: one more command in a container.

local options <const> = require "farside.options"
local outcome <const> = require "farside.outcome"

local M = { takes = { "running", "command" } }

M.specs = {
  { name = "env", short = "e", option = "NAME[=VALUE]",
    help = "a variable more; without a value, the caller's is passed on" },
  { name = "cwd", short = "w", option = "DIR",
    help = "the directory it starts in; the container's when not given" },
  { name = "user", short = "u", option = "USER[:GROUP]",
    help = "who it runs as, by name or number in the container; as the "
        .. "container's own program when not given" },
  { name = "group", option = "GROUP",
    help = "the user's group, when it is another than /etc/passwd says" },
  { name = "groups", option = "GROUP,…",
    help = "its other groups, in place of those of /etc/group" },
  { name = "tty", short = "t",
    help = "a terminal of the container's; so it is when standard input and "
        .. "output are one" },
  { name = "no_tty", help = "no terminal of the container's" },
}

function M.help()
  return [=[
usage: farside exec [options] NAME|PID [--] command [argument …]

Runs a command in a container that has a name: in all its namespaces and its
control group, with the ids, capabilities, filters, limits and the environment
that its own program has, or would have as another user. A PID is that of its
first process, as `farside ps` shows it.

]=] .. options.help(M.specs) .. "\n\n" .. outcome.help
end

-- The first word, which is a container, and the command.
local function divide(words)
  local container <const> = table.remove(words, 1)
  if words[1] == "--" then table.remove(words, 1) end
  if not container then options.usage("exec", "NAME or PID expected") end
  if not words[1] then options.usage("exec", "a command is expected") end
  return container, words
end

local function fill(command, values)
  command.env = {}
  for _, given in ipairs(values) do
    local key <const> = given.spec.name
    if key == "env" then
      local name, value = given.value:match "^([^=]+)=(.*)$"
      command.env[name or given.value] = value or true
    elseif key == "groups" then
      command.groups = command.groups or {}
      for word in given.value:gmatch "[^,]+" do
        table.insert(command.groups, word)
      end
    else
      command[key] = given.value
    end
  end
  local interactive <const> = not command.no_tty and outcome.interactive()
  command.tty, command.no_tty = command.tty or interactive or nil, nil
  return command
end

function M.main(args)
  local values, words = options.parse("exec", M.specs, args)
  local name, command = divide(words)
  fill(command, values)
  return outcome.of(function()
    local pid <const> = name:find "^%d+$" and math.tointeger(tonumber(name))
    if pid then
      name = require("farside.registry").name_of("exec", pid)
    end
    local container <close> = require("farside.detached").open("exec", name)
    return container:exec(command)
  end)
end

return M
