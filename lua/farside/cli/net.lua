--- farside net: the networks of containers, as this network namespace has them.

local columns <const> = require "farside.columns"
local options <const> = require "farside.options"

local M = { takes = { { "ls", "prune" } } }

local function field(name)
  return function(row) return row[name] end
end

-- "yes" and "no" are for people; scripts get the boolean.
local function yes(row)
  if row.nat == nil then return nil end
  return row.nat and "yes" or "no"
end

local all <const> = {
  { name = "BRIDGE", value = field "bridge", help = "the bridge" },
  { name = "PID", value = field "pid", right = true,
    help = "the container's first process" },
  { name = "LINK", value = field "name", help = "the link inside" },
  { name = "ADDRESS", value = field "address", list = true,
    help = "its addresses" },
  { name = "NAT", value = field "nat", text = yes,
    help = "whether what goes out gets this host's address" },
  { name = "PUBLISH", value = field "publish", list = true, cut = true,
    help = "ports of this host that lead in" },
}

M.specs = {
  { name = "json", short = "J", help = "as JSON" },
  { name = "no_headings", short = "n", help = "without the first line" },
}

function M.help()
  return [[
usage: farside net ls [options]
       farside net prune

ls lists the containers that are on bridges of this network namespace.
prune clears away what starters left that were killed: published ports, the
nftables table inet farside when nobody uses it, bridges that were made for
containers and have none. The next container that starts does the same.

]] .. options.help(M.specs) .. "\n\ncolumns:\n" .. columns.help(all)
end

local words <const> = {}

function words.ls(given)
  local rows <const> = require("farside").network.list()
  if given.json then
    local json <const> = require "farside.json"
    print(json.encode(json.object {
      { "containers", columns.objects(rows, all) },
    }, "  "))
    return
  end
  columns.print(rows, all, given)
end

function words.prune()
  local count <const>, bridges = require("farside").network.prune()
  if count > 0 then print(("%d entries of inet farside"):format(count)) end
  for _, name in ipairs(bridges) do print("bridge " .. name) end
end

function M.main(args)
  local given, rest = options.read("net", M.specs, args)
  local word <const> = rest[1]
  if #rest ~= 1 or not words[word] then
    options.usage("net", "ls or prune expected, got %s",
                  word and "'" .. table.concat(rest, " ") .. "'" or "nothing")
  end
  words[word](given)
  return 0
end

return M
