--- Wires between a bridge of the caller's and a container: veth pairs, born
-- with an end in each network namespace, and the container's address with
-- them. See farside.network.lease for who has which address.
--
-- A bridge that is missing is made, and goes with the last wire on it. So that
-- none goes while somebody plugs in, both are done under a lock.

local addresses <const> = require "farside.network.address"
local core <const> = require "farside.core"
local lease <const> = require "farside.network.lease"
local state <const> = require "farside.state"

local M = {}

local link <const> = core.link

-- What there is under a name, or nil.
local function find(name)
  local ok, found = pcall(link.get, name)
  if ok then return found end
  if found.code ~= "ENODEV" then error(found, 0) end
end

-- The number of the caller's network namespace. What was made in one must not
-- be undone in another, where an ifindex is some other link's.
function M.here()
  local own <close> = core.open("self", "net")
  return own.id
end

---- bridges ----

-- The bridge's own addresses, but for those that every link has.
local function own_addresses(bridge)
  local list = {}
  for _, one in ipairs(core.address.list { dev = bridge.ifname }) do
    if one.scope == "global" then
      list[#list + 1] = addresses.parse(one["local"] .. "/" .. one.prefixlen)
    end
  end
  return list
end

local function parsed(list)
  local result = {}
  for i, text in ipairs(list or {}) do result[i] = addresses.parse(text) end
  return result
end

-- What a bridge that is made is given: in each subnet the gateway, or else
-- the first address that is not the container's.
local function intended(want)
  local list = {}
  if want.gateway == false then return list end
  local near <const> = want.address or want.subnet
  for _, one in ipairs(parsed(near)) do
    local own = one:host(1) == one and one:host(2) or one:host(1)
    for _, gateway in ipairs(parsed(want.gateway)) do
      if one:near(gateway) then
        own = addresses.parse(gateway:ip() .. "/" .. one.length)
      end
    end
    list[#list + 1] = own
  end
  return list
end

local function random_mac()
  local file <close> = core.openat2(nil, "/dev/urandom", "rdonly")
  return ("02:fa:%02x:%02x:%02x:%02x"):format(core.read(file, 4):byte(1, 4))
end

-- A container could be this machine's router for all that is beyond it, by
-- saying so. ENOENT: there is no IPv6.
local function ignore_routers(name)
  local path <const> = "/proc/sys/net/ipv6/conf/" .. name .. "/accept_ra"
  local file <close> = core.openat2(nil, path, "wronly", { optional = true })
  if file then core.write(file, "0") end
end

-- A bridge takes the lowest MAC address of its ports, and changes it as they
-- come and go, unless it has got one.
local function make_bridge(want)
  if not want.address and not want.subnet then
    core.raise(core.errno.ENODEV, "network.plug", want.bridge,
      want.bridge .. " (it is made when an address or a subnet is given)")
  end
  link.add { name = want.bridge, kind = "bridge", group = lease.group,
             mtu = want.mtu, address = random_mac(), up = true }
  ignore_routers(want.bridge)
  for _, one in ipairs(intended(want)) do
    core.address.add(want.bridge, { tostring(one), nodad = true })
  end
  return link.get(want.bridge)
end

local function bridge_of(want)
  local bridge = find(want.bridge)
  if not bridge then return make_bridge(want) end
  if bridge.kind ~= "bridge" then
    core.raise(core.errno.EINVAL, "network.plug", want.bridge,
      ("%s (it is no bridge: %s)"):format(want.bridge,
                                         bridge.kind or bridge.link_type))
  end
  return bridge
end

local function remove_if_ours(bridge)
  if bridge and bridge.group == lease.group and bridge.kind == "bridge"
    and #link.list { master = bridge.ifindex } == 0 then
    link.delete(bridge.ifindex)
    return true
  end
  return false
end

-- Removes the bridges that were made for containers and have none left, but
-- for one that is about to be used. Answers their names.
local function remove_bridges(but)
  local names = {}
  for _, bridge in ipairs(link.list { kind = "bridge" }) do
    if bridge.ifname ~= but and remove_if_ours(bridge) then
      names[#names + 1] = bridge.ifname
    end
  end
  return names
end

--- The wires that there are in the caller's network namespace.
-- @treturn {table,...} `bridge`, `ifindex`, `name` inside, `pid` of the
-- container as its starter sees it, `address` (a list)
function M.list()
  local list = {}
  for _, one in ipairs(link.list { kind = "veth" }) do
    if one.group == lease.group then
      local label <const> = one.ifalias or ""
      local wire = { bridge = one.master, ifindex = one.ifindex, address = {} }
      wire.name, wire.pid = label:match "^(%S+) of (%d+):"
      wire.pid = math.tointeger(tonumber(wire.pid))
      for text in label:gmatch "%S+/%d+" do
        wire.address[#wire.address + 1] = text
      end
      list[#list + 1] = wire
    end
  end
  return list
end

--- Removes bridges, for farside.network.prune.
function M.prune()
  local lock <close> = state.lock "network"
  local _ = lock
  return remove_bridges()
end

---- wires ----

--- A container's wire. Fields: `name`, inside; `ifindex`, of the host's end,
-- which no other link will have; `bridge`; `address` and `gateway`, lists of
-- "10.0.0.2/24" and "10.0.0.1"; `routed`: whether the gateway is this host.
-- @type Wire
local Wire = {}
Wire.__index = Wire

-- The first subnet of each family, IPv4 first.
local function by_family(list)
  local first = {}
  for _, one in ipairs(list) do
    first[one.family] = first[one.family] or one
  end
  return first[4] or first[6], first[4] and first[6]
end

local function among(list, one)
  for _, other in ipairs(list) do
    if other == one then return true end
  end
  return false
end

-- The pair: the host's end is up and in the bridge, the other is born where
-- the container is.
local function pair(child, want, bridge, holder)
  link.add {
    name = lease.name(holder, bridge.ifindex), kind = "veth",
    group = lease.group, master = bridge.ifindex, up = true,
    mtu = want.mtu or bridge.mtu,
    peer = { name = want.name, netns = child, mtu = want.mtu or bridge.mtu,
             address = want.mac or holder:mac() },
  }
end

-- Goes through the numbers of the subnets until the kernel gives a name.
local function draw(child, want, bridge, taken)
  local own <const> = own_addresses(bridge)
  local one, other = by_family(want.subnet and parsed(want.subnet) or own)
  if not one then
    core.raise(core.errno.EADDRNOTAVAIL, "network.plug", want.bridge,
      want.bridge .. " (it has no address, so there is no subnet to draw one "
      .. "from)")
  end
  local used <const> = table.move(own, 1, #own, 1, parsed(want.gateway))
  for number = 1, one:capacity() do
    local mine <const>, second = one:host(number), nil
    if other and number <= other:capacity() then second = other:host(number) end
    if not among(used, mine) and not taken(mine)
      and not (second and among(used, second)) then
      local ok, err = pcall(pair, child, want, bridge, mine)
      if ok then return { mine, second }, own end
      if err.code ~= "EEXIST" then error(err, 0) end
    end
  end
  core.raise(core.errno.EADDRNOTAVAIL, "network.plug", want.bridge,
    ("%s (all of %s is taken)"):format(want.bridge, one:subnet()),
    { subnet = tostring(one:subnet()) })
end

--- What is asked for may be that of a container that has ended a moment ago:
-- its link goes when the kernel gets to it.
-- @tparam string|int name or index of the link
-- @treturn boolean whether it has gone within half a second
function M.await_end(name)
  local nl <close> = require("farside").netlink()
  local monitor <close> = nl:monitor "link"
  while find(name) do
    if not monitor:next "500ms" then return false end
  end
  return true
end

local function claim(child, want, bridge)
  local list <const> = parsed(want.address)
  local name <const> = lease.name(list[1], bridge.ifindex)
  local ok, err = pcall(pair, child, want, bridge, list[1])
  if not ok and err.code == "EEXIST" and find(name) and M.await_end(name)
  then
    ok, err = pcall(pair, child, want, bridge, list[1])
  end
  if ok then return list, own_addresses(bridge) end
  if err.code ~= "EEXIST" or not find(name) then error(err, 0) end
  core.raise(core.errno.EADDRINUSE, "network.plug", list[1]:ip(),
             ("%s on %s"):format(list[1]:ip(), want.bridge))
end

-- What was asked for, or else the bridge's address in each subnet.
local function gateways(want, list, own)
  if want.gateway == false then return {} end
  if want.gateway then return parsed(want.gateway) end
  local found = {}
  for _, one in ipairs(list) do
    for _, router in ipairs(own) do
      if one:near(router) then
        found[#found + 1] = router
        break
      end
    end
  end
  return found
end

local function texts(list, how)
  local result = {}
  for i, one in ipairs(list) do result[i] = how(one) end
  return result
end

-- Who has no right to any link needs other advice than about this one.
local function allowed(want, ok, ...)
  if ok then return ... end
  local err = ...
  if type(err) == "table" and err.code == "EPERM" then
    core.raise(err.errno, "network.plug", want.bridge)
  end
  error(err, 0)
end

-- An alias for people who look, and for farside.network.list. Where the kernel
-- shows bridged packets to the firewall (br_netfilter), one that comes by a
-- published port goes out where it came in: a port's `hairpin` lets it.
local function finish(wire, child)
  local pid = math.type(child) == "integer" and child
    or type(child) ~= "string" and child.pid or 0
  link.set(wire.ifindex, {
    alias = ("%s of %d: %s"):format(wire.name, pid,
                                    table.concat(wire.address, " ")),
    kind = "bridge_slave", hairpin = true,
  })
end

-- Notes the ports that the bridge had `before`.
local function plug(child, want, before)
  local bridge <const> = allowed(want, pcall(bridge_of, want))
  local ports <const> = link.list { master = bridge.ifindex }
  for _, port in ipairs(ports) do before[port.ifindex] = true end
  local how <const> = want.address and claim or draw
  local list <const>, own <const> = allowed(want,
    pcall(how, child, want, bridge, lease.held(ports)))
  local routers <const> = gateways(want, list, own)
  local wire <const> = setmetatable({
    name = want.name, bridge = want.bridge, netns = M.here(),
    ifindex = link.get(lease.name(list[1], bridge.ifindex)).ifindex,
    address = texts(list, tostring),
    gateway = texts(routers, routers[1] and routers[1].ip),
    routed = #routers > 0 and among(own, routers[1]),
  }, Wire)
  finish(wire, child)
  return wire
end

-- What was begun goes: a wire that came since, since we have the lock, and the
-- bridge that was made for it.
local function take_back(name, before)
  local bridge <const> = find(name)
  if not bridge then return end
  for _, port in ipairs(link.list { master = bridge.ifindex }) do
    if port.group == lease.group and not before[port.ifindex] then
      link.delete(port.ifindex)
    end
  end
  remove_if_ours(bridge)
end

--- Plugs a process into a bridge: one end of a new wire is in its network
-- namespace. The bridge is made when it is missing.
-- @function network.plug
-- @param child process, container, pid or handle
-- @tparam table want
--
-- - `bridge`, `name`: of the bridge, and of the link inside
-- - `address`: a list of "10.7.0.2/24"; otherwise one that nobody has on the
--   bridge is drawn, of each family
-- - `subnet`: where to draw from, "10.7.0.0/24", where the bridge has no
--   address that says it
-- - `gateway`: a list of "10.7.0.1"; otherwise the bridge's own address, which
--   a bridge that is made gets; false for none
-- - `mac`, `mtu`
-- @treturn Wire
-- @raise EADDRINUSE, EADDRNOTAVAIL when all are taken; as link.add
function M.plug(child, want)
  local lock <close> = state.lock "network"
  local _ = lock
  remove_bridges(want.bridge)
  local before = {}
  local ok, wire = pcall(plug, child, want, before)
  if ok then return wire end
  pcall(take_back, want.bridge, before)
  error(wire, 0)
end

--- Takes a wire away, and the bridge when it was made for wires like it and
-- this was the last.
-- @function network.unplug
-- @tparam int ifindex of the host's end: its name may be somebody else's by now
-- @tparam string bridge
-- @tparam[opt] int netns where that is; from elsewhere nothing is done
-- @raise as link.delete
function M.unplug(ifindex, bridge, netns)
  if netns and netns ~= M.here() then return end
  local lock <close> = state.lock "network"
  local _ = lock
  local ok, err = pcall(link.delete, ifindex)
  if not ok and err.code ~= "ENODEV" then error(err, 0) end -- it has gone
  remove_if_ours(find(bridge))
end

function Wire:close()
  if self.closed then return end
  self.closed = true
  M.unplug(self.ifindex, self.bridge, self.netns)
end

Wire.__close = Wire.close

--- What undoes it from anywhere.
function Wire:undo()
  return { "network.unplug", self.ifindex, self.bridge, self.netns }
end

function Wire:__tostring()
  return ("wire %s (%s on %s)"):format(self.name,
    table.concat(self.address, ", "), self.bridge)
end

return M
