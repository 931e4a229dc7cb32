--- farside netns: network namespaces with a name, as ip-netns(8) has them.

local columns <const> = require "farside.columns"
local options <const> = require "farside.options"
local outcome <const> = require "farside.outcome"

local M = { takes = { { "list", "add", "delete", "exec", "id", "set",
                        "identify", "pids", "attach" } } }

M.specs = {
  { name = "json", short = "J", help = "list as JSON" },
  { name = "no_headings", short = "n", help = "without the first line" },
}

function M.help()
  return [[
usage: farside netns [options] [list]
       farside netns add|delete NAME …
       farside netns exec NAME [command …]
       farside netns id NAME
       farside netns set NAME NUMBER|auto
       farside netns attach NAME PID
       farside netns identify [PID]
       farside netns pids NAME

Network namespaces with a name, shared with `ip netns`. exec runs a command, or
a shell, in one, where /sys shows it and the files in /etc/netns/NAME stand in
for those in /etc. The id is the number under which this network namespace
knows another; set gives it one.

]] .. options.help(M.specs) .. "\n\n" .. outcome.help
end

local function usage(...) options.usage("netns", ...) end

local function netns() return require("farside").netns end

local all <const> = {
  { name = "NAME", value = function(row) return row.name end },
  { name = "ID", right = true, value = function(row) return row.id end },
}

local function integer(text, what)
  local value = text and text:find "^%d+$" and math.tointeger(tonumber(text))
  if not value then
    usage("%s expected, got '%s'", what, text or "nothing")
  end
  return value
end

-- verb → { how many words it takes, what does it }
local verbs <const> = {}

local function verb(name, least, most, fn)
  verbs[name] = { least = least, most = most, fn = fn }
end

verb("list", 0, 0, function(given)
  local rows <const> = netns().list()
  if given.json then
    local json <const> = require "farside.json"
    print(json.encode(json.list(rows), "  "))
    return 0
  end
  columns.print(rows, all, given)
  return 0
end)

verb("add", 1, math.huge, function(_, ...)
  for _, name in ipairs { ... } do netns().add(name) end
  return 0
end)

verb("delete", 1, math.huge, function(_, ...)
  for _, name in ipairs { ... } do netns().delete(name) end
  return 0
end)

verb("exec", 1, math.huge, function(_, name, ...)
  local command <const> = { ... }
  if not command[1] then command[1] = os.getenv "SHELL" or "/bin/sh" end
  return outcome.of(function()
    netns().enter(name)
    require("farside").exec(command)
  end)
end)

verb("id", 1, 1, function(_, name)
  local id <const> = require("farside").nsid.get(netns().path(name))
  if not id then
    usage("%s has no id here (`farside netns set %s auto` gives it one)", name,
      name)
  end
  print(id)
  return 0
end)

verb("set", 2, 2, function(_, name, id)
  id = id ~= "auto" and integer(id, "NUMBER or auto") or nil
  require("farside").nsid.set(netns().path(name), id)
  return 0
end)

verb("attach", 2, 2, function(_, name, pid)
  netns().add(name, integer(pid, "PID"))
  return 0
end)

verb("identify", 0, 1, function(_, pid)
  for _, name in ipairs(netns().identify(pid and integer(pid, "PID"))) do
    print(name)
  end
  return 0
end)

verb("pids", 1, 1, function(_, name)
  for _, pid in ipairs(netns().pids(name)) do print(pid) end
  return 0
end)

-- What comes after the name is the command's own.
local function read(args)
  local _, words = options.parse("netns", M.specs, args)
  if words[1] ~= "exec" then return options.read("netns", M.specs, args) end
  if words[3] == "--" then table.remove(words, 3) end
  return {}, words
end

function M.main(args)
  local given, words = read(args)
  local name <const> = table.remove(words, 1) or "list"
  local chosen <const> = verbs[name]
  if not chosen then
    usage("%s", require("farside.fields").unknown("verb", name, M.takes[1]))
  elseif #words < chosen.least then
    usage("%s: NAME expected", name)
  elseif #words > chosen.most then
    usage("%s: unexpected '%s'", name, words[chosen.most + 1])
  end
  return chosen.fn(given, table.unpack(words))
end

return M
