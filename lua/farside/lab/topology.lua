--- What a lab is made of, before anything is made: nodes, links, and what they
-- are called. Names, numbers and addresses follow from the order in which a
-- script says things, so that they are the same on every run. Nothing here asks
-- the kernel for anything.
--
-- A node is a host, a router or a switch. A link has two ends, each an
-- interface of its node: "eth0", "eth1"… on hosts and routers; on a switch a
-- port, named after the node at the other end. Hosts and routers that reach
-- each other without a router between are one segment, and share a network.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"

local M = {}

--- Interface numbers: 1 is the loopback, and some that follow may be tunnels
-- that the kernel puts into every new namespace once their modules are loaded
-- (gre0, sit0 …). This is a switch's bridge; what links make comes after it.
M.BRIDGE = 100

--- The kernel gives a bridge no more.
M.MOST_PORTS = 1023

---- addresses ----

--- Takes an address apart.
-- @tparam string text "10.0.0.1/24", "fd00::1/64"
-- @treturn table|nil `bytes` and `length` of the prefix, `text`, and `plain`
-- without the length; nil when it is none
function M.address(text)
  local plain, length = text:match "^([^/]+)/(%d%d?%d?)$"
  local bytes = plain and core.inet_pton(plain)
  length = math.tointeger(tonumber(length))
  if not bytes or length > 8 * #bytes or length == 0 then return nil end
  return { text = text, plain = plain, bytes = bytes, length = length }
end

local function number(bytes) return (string.unpack(">I4", bytes)) end

local function dotted(value)
  return core.inet_ntop(string.pack(">I4", value))
end

-- First and last number of an IPv4 address's network.
local function range(address)
  local hosts = (1 << 32 - address.length) - 1
  local first = number(address.bytes) & ~hosts
  return first, first + hosts
end

local function is_v4(address) return #address.bytes == 4 end

---- declaring ----

--- What a link is called in messages: "h1 to sw".
function M.name_of(link)
  return ("%s to %s"):format(link.a.node.name, link.b.node.name)
end

-- The kernel gives only the end that is made first a bridge; and who is in a
-- container's network has no rights over others.
local function rank(node)
  return node.kind == "switch" and 2 or node.recipe and 0 or 1
end

--- The end of a link that is made first, and is up at once.
function M.main_end(link)
  return rank(link.b.node) > rank(link.a.node) and link.b or link.a
end

local function free_name(node, wanted)
  local name, count = wanted, 1
  while node.names[name] do
    count = count + 1
    local suffix = "-" .. count
    name = wanted:sub(1, 15 - #suffix) .. suffix
  end
  return name
end

-- The name of a new interface of a node, whose other end is at `other`.
local function name_interface(node, other, wanted)
  if not wanted then
    wanted = node.kind == "switch" and free_name(node, other.name)
      or "eth" .. #node.ends
  end
  if node.names[wanted] then
    errors.usage("lab: %s has an interface %s already", node.name, wanted)
  end
  node.names[wanted] = true
  return wanted
end

--- Adds a node.
-- @tparam table topology `nodes` in order, and by name; `links`
-- @tparam table node `name`, `kind`
function M.add_node(topology, node)
  node.ends, node.names = {}, { lo = true }
  if node.kind == "switch" then node.names[node.name] = true end
  node.number = #topology.nodes + 1
  topology.nodes[node.number] = node
  topology.nodes[node.name] = node
end

local function add_end(link, side, node, other, options)
  local self = {
    link = link, node = node, side = side,
    name = name_interface(node, other, options.name),
    index = M.BRIDGE + 1 + #node.ends, mac = options.mac,
    addresses = {}, undrawn = node.kind ~= "switch" and not options.address
      and options.address ~= false,
    mtu = options.mtu, shape = options.shape,
  }
  for i, address in ipairs(options.address or {}) do
    self.addresses[i] = address
  end
  node.ends[#node.ends + 1] = self
  link[side] = self
end

--- Adds a link between two nodes.
-- @tparam table topology
-- @tparam table link a new table, which becomes the link
-- @tparam table a a node
-- @tparam table b another
-- @tparam table of_a what is asked of the end at a: `name`, `address` (a list
-- from M.address, false for none), `mac`, `mtu`, `shape`
-- @tparam table of_b and at b
function M.add_link(topology, link, a, b, of_a, of_b)
  link.number = #topology.links + 1
  add_end(link, "a", a, b, of_a)
  add_end(link, "b", b, a, of_b)
  link.a.other, link.b.other = link.b, link.a
  topology.links[link.number] = link
  topology.complete = false
end

---- segments ----

-- Gathers what can be reached over switches from an end of a host or router.
local function gather(segment, start, seen)
  local ends = { start, start.other }
  while #ends > 0 do
    local one = table.remove(ends)
    if not seen[one] then
      seen[one] = true
      if one.node.kind ~= "switch" then
        segment[#segment + 1] = one
      else
        for _, port in ipairs(one.node.ends) do
          ends[#ends + 1] = port.other
          seen[port] = true
        end
      end
    end
  end
end

--- The segments of a lab: lists of ends, in the order of the links.
function M.segments(topology)
  local segments, seen = {}, {}
  for _, link in ipairs(topology.links) do
    for _, side in ipairs { "a", "b" } do
      local one = link[side]
      if one.node.kind ~= "switch" and not seen[one] then
        local segment = {}
        gather(segment, one, seen)
        table.sort(segment, function(x, y)
          if x.link ~= y.link then return x.link.number < y.link.number end
          return x.side < y.side
        end)
        segments[#segments + 1] = segment
      end
    end
  end
  return segments
end

---- drawing addresses ----

local function complain(one, format, ...)
  error(("%s: lab: link %s: %s"):format(one.link.where or "?",
    M.name_of(one.link), format:format(...)), 0)
end

-- What is taken in a segment, by bytes; and the first IPv4 address.
local function taken(segment)
  local owners, first = {}, nil
  for _, one in ipairs(segment) do
    for _, address in ipairs(one.addresses) do
      local owner = owners[address.bytes]
      if owner then
        complain(one, "%s has the address %s already", owner.node.name,
                 address.plain)
      end
      owners[address.bytes] = one
      first = first or (is_v4(address) and address)
    end
  end
  return owners, first
end

-- Networks that were given, as ranges that no drawn one may touch.
local function given_ranges(topology)
  local ranges = {}
  for _, link in ipairs(topology.links) do
    for _, side in ipairs { "a", "b" } do
      for _, address in ipairs(link[side].addresses) do
        if is_v4(address) then ranges[#ranges + 1] = { range(address) } end
      end
    end
  end
  return ranges
end

local function overlaps(ranges, first, last)
  for _, one in ipairs(ranges) do
    if first <= one[2] and one[1] <= last then return true end
  end
  return false
end

-- The lowest of 10.0.0.0/16, 10.1.0.0/16… that is free, for a segment.
local function draw_network(ranges, one)
  for n = 0, 255 do
    local first = 10 << 24 | n << 16
    if not overlaps(ranges, first, first + 0xffff) then
      ranges[#ranges + 1] = { first, first + 0xffff }
      return M.address(dotted(first) .. "/16")
    end
  end
  complain(one, "no network is left in 10.0.0.0/8: give it an address")
end

local function draw_addresses(segment, ranges)
  local owners, network = taken(segment)
  local next_number, last
  for _, one in ipairs(segment) do
    if one.undrawn then
      network = network or draw_network(ranges, one)
      if not next_number then
        next_number, last = range(network)
        next_number = next_number + 1
      end
      while owners[string.pack(">I4", next_number)] do
        next_number = next_number + 1
      end
      if next_number >= last then
        complain(one, "no address is left in %s/%d",
          dotted((range(network))), network.length)
      end
      local text = ("%s/%d"):format(dotted(next_number), network.length)
      one.addresses[1] = M.address(text)
      owners[one.addresses[1].bytes] = one
      one.undrawn = false
    end
  end
end

-- 02:00 and the IPv4 address; 02:01 or 02:02, by side, and the link's number.
local function draw_mac(one)
  local bytes = one.addresses[1] and is_v4(one.addresses[1])
    and "\2\0" .. one.addresses[1].bytes
    or ("\2" .. (one.side == "a" and "\1" or "\2")
        .. string.pack(">I4", one.link.number))
  one.mac = one.mac
    or ("%02x:%02x:%02x:%02x:%02x:%02x"):format(bytes:byte(1, 6))
end

--- The MAC address of a switch's bridge.
function M.bridge_mac(node)
  return ("02:03:00:00:%02x:%02x"):format(node.number >> 8 & 255,
                                          node.number & 255)
end

--- Draws what was not given: an address for each interface of a host or router,
-- from the network of its segment, and the MAC addresses.
-- @raise a message with the line of the link that asks for what cannot be
function M.complete(topology)
  if topology.complete then return end
  local ranges <const> = given_ranges(topology)
  for _, segment in ipairs(M.segments(topology)) do
    draw_addresses(segment, ranges)
  end
  for _, link in ipairs(topology.links) do
    draw_mac(link.a)
    draw_mac(link.b)
  end
  topology.complete = true
end

--- All addresses of a node, in the order of its interfaces.
function M.addresses(node)
  local list = {}
  for _, one in ipairs(node.ends) do
    table.move(one.addresses, 1, #one.addresses, #list + 1, list)
  end
  return list
end

return M
