--- What network.c does, by Farside: `network.lua pairs|routes|lab N`, and for a
-- lab `unprivileged`, which is what it is for those who are not root. For each
-- byte on standard input it does so once, and answers with a byte; then it lets
-- go of what it has made.

local ns <const> = require "farside"

-- A handle is all that holds the namespace.
local function new_network()
  local net <close> = ns.new "net"
  return ns.netlink(net)
end

local make <const> = {}

function make.pairs(count)
  local nl <const> = new_network()
  nl:batch(function(b)
    for i = 1, count do
      b.link.add { name = "a" .. i, kind = "veth", peer = { name = "b" .. i } }
    end
  end)
  return nl
end

-- The text is there before, as for all others.
local addresses <const> = {}

local function write_addresses(count)
  for i = 0, count - 1 do
    addresses[i + 1] = ("10.1.%d.%d"):format(i >> 8, i & 255)
  end
end

function make.routes(count)
  local nl <const> = new_network()
  nl.link.set(1, { up = true })
  nl:batch(function(b)
    for i = 1, count do b.route.add { to = addresses[i], dev = 1 } end
  end)
  return nl
end

function make.lab(count)
  local lab <const> = ns.lab { unprivileged = arg[3] == "unprivileged" }
  local switch <const> = lab:switch "sw"
  for i = 1, count do lab:link(lab:host("h" .. i), switch) end
  return lab:start()
end

local what <const>, count <const> = arg[1], math.tointeger(tonumber(arg[2]))
if what == "routes" then write_addresses(count) end
while io.read(1) do
  local _made <close> = make[what](count)
  io.write "\n"
  io.flush()
end
