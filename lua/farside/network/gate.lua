--- A container's gate to the world: what goes out through this host, and which
-- ports of the host lead in. The rules are farside.network.nft's; here is what
-- goes into them, and what of the host must be as it is for them to work.

local addresses <const> = require "farside.network.address"
local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local fields <const> = require "farside.fields"
local files <const> = require "farside.file"
local keys <const> = require "farside.network.keys"
local lease <const> = require "farside.network.lease"
local nft <const> = require "farside.network.nft"
local wires <const> = require "farside.network.wire"

local M = {}

---- settings of this network namespace ----

local function sysctl(path, value)
  path = "/proc/sys/net/" .. path
  local file <close> = core.openat2(nil, path, value and "rdwr" or "rdonly")
  if value then return core.write(file, value) end
  return (core.read(file) or ""):match "^%S*"
end

-- A host that forwards IPv6 takes no routes from routers any more unless it is
-- told to: with its own way out it would lose the container's.
local function check_advertised()
  for _, route in ipairs(core.route.list { family = "inet6" }) do
    if route.dst == "default" and route.protocol == "ra"
      and sysctl("ipv6/conf/" .. route.dev .. "/accept_ra") ~= "2" then
      core.raise(core.errno.EBUSY, "network.publish", route.dev,
        ("IPv6 (this host would lose its own default route, which router "
         .. "advertisements on %s gave it: set net.ipv6.conf.%s.accept_ra "
         .. "to 2 first)"):format(route.dev, route.dev))
    end
  end
end

local function forward(families)
  if families[4] and sysctl "ipv4/ip_forward" == "0" then
    sysctl("ipv4/ip_forward", "1")
  end
  if families[6] and sysctl "ipv6/conf/all/forwarding" == "0" then
    check_advertised()
    sysctl("ipv6/conf/all/forwarding", "1")
  end
end

---- what listens here already ----

local tables <const> = {
  tcp = { "tcp", "tcp6", state = "0A" }, udp = { "udp", "udp6", state = "07" },
}

-- The ports at which programs of this host wait for callers: a set. A kernel
-- that cannot be asked has a file, which takes it long to write.
local function listening(protocol)
  local asked <const>, known <const> = pcall(core.listening, protocol)
  if asked then return known end
  local which <const>, ports = tables[protocol], {}
  local pattern <const> = ":(%x%x%x%x) %x+:0000 " .. which.state .. " "
  for _, name in ipairs(which) do
    local text <const> = files.find(nil, "/proc/self/net/" .. name)
    for port in (text or ""):gmatch(pattern) do -- or without IPv6
      ports[tonumber(port, 16)] = true
    end
  end
  return ports
end

local function check_ports(entries)
  local ports <const> = {}
  for _, entry in ipairs(entries) do
    local protocol <const> = entry.protocol
    ports[protocol] = ports[protocol] or listening(protocol)
    for port = entry.port, entry.port + entry.count - 1 do
      if ports[protocol][port] then
        core.raise(core.errno.EADDRINUSE, "network.publish", nil,
          ("%s/%d (a program of this host listens there)"):format(protocol,
                                                                  port))
      end
    end
  end
end

---- elements ----

local function suffix(set, address) return set .. address.family end

-- The elements for one published port or range and one of the addresses.
local function publish(elements, entry, address, owner)
  if entry.at and entry.at.family ~= address.family then return end
  for i = 0, entry.count - 1 do
    local at = entry.at and entry.at:ip() .. " . " or ""
    elements[#elements + 1] = {
      set = suffix(entry.at and "publish_at" or "publish", address),
      key = ("%s%d . %d"):format(at, nft.protocols[entry.protocol],
                                 entry.port + i),
      value = ("%s . %d"):format(address:ip(), entry.target + i),
      owner = owner,
    }
  end
end

local function elements_of(wire, want, entries)
  local bridge <const> = ('"%s"'):format(wire.bridge)
  local elements = { { set = "bridges", key = bridge } }
  for _, text in ipairs(wire.address) do
    local address = addresses.parse(text)
    elements[#elements + 1] = {
      set = suffix("homes", address),
      key = ("%s . %s"):format(bridge, address:subnet()),
    }
    if want.nat then
      elements[#elements + 1] = { set = suffix("guests", address),
                                  key = address:ip(), owner = wire.ifindex }
    end
    for _, entry in ipairs(entries) do
      publish(elements, entry, address, wire.ifindex)
    end
  end
  return elements
end

---- coming and going ----

-- The wires that there are, but for the one of a container that leaves.
local function living(but)
  local there = { owners = {}, bridges = {} }
  for _, link in ipairs(core.link.list { kind = "veth" }) do
    if link.group == lease.group and link.ifindex ~= but then
      there.owners[link.ifindex] = true
      there.bridges[link.master or 0] = true
    end
  end
  return there
end

local Gate = {}
Gate.__index = Gate

local publish_fields <const> = fields.record {
  nat = fields.boolean, publish = fields.list(keys.publication),
}

-- 127.0.0.1 is among the addresses that are published.
local function from_loopback(entries)
  for _, entry in ipairs(entries) do
    local at = entry.at and entry.at:ip() or "127."
    if at:find "^127%." then return true end
  end
  return false
end

local function open(wire, want, entries)
  local families = {}
  for _, text in ipairs(wire.address) do
    families[addresses.parse(text).family] = true
  end
  check_ports(entries)
  forward(families)
  if families[4] and from_loopback(entries) then
    sysctl("ipv4/conf/" .. wire.bridge .. "/route_localnet", "1")
  end
  local elements <const> = elements_of(wire, want, entries)
  local ok, err = pcall(nft.change, living, elements)
  while not ok and type(err) == "table" and err.owner
    and wires.await_end(err.owner) do
    ok, err = pcall(nft.change, living, elements)
  end
  if ok then return end
  -- it may have been done, and only nft's end not have been heard of
  pcall(M.withdraw, wire.ifindex)
  error(err, 0)
end

--- Opens a wire's way out and publishes ports of its container, and clears
-- away what a killed starter left of others. For the way out and for published
-- ports this host must forward (net.ipv4.ip_forward, net.ipv6.conf.all.
-- forwarding): that is switched on in the caller's network namespace when it
-- is off, and stays on. For ports at 127.0.0.1 so is the bridge's
-- route_localnet.
-- @function network.publish
-- @tparam Wire wire
-- @tparam table want
--
-- - `nat`: what leaves its bridge gets this host's address, and from elsewhere
--   only published ports can be reached; when it is not given, so it is where
--   this host is the gateway
-- - `publish`: a list of "8080:80", "127.0.0.1:8080:80/udp", "80-89:80-89"
-- @treturn Gate to be closed after the container's end
-- @raise ENOENT without the program nft; EADDRINUSE for a port
function M.publish(wire, want)
  local checked <const> = fields.check("network.publish", publish_fields, want)
  local entries <const> = checked.publish or {}
  if checked.nat == nil then checked.nat = wire.routed end
  if #entries > 0 and not wire.routed then
    errors.usage("network.publish: this host is not the gateway of %s, so "
      .. "answers would not come back this way", wire.bridge)
  end
  local gate <const> = setmetatable({ wire = wire }, Gate)
  if checked.nat or #entries > 0 then
    open(wire, checked, entries)
  else
    M.prune()
    gate.closed = true
  end
  return gate
end

--- Takes away what was opened for a wire.
-- @function network.withdraw
-- @tparam int ifindex of its host's end
-- @tparam[opt] int netns where that is; from elsewhere nothing is done
-- @raise what nft says
function M.withdraw(ifindex, netns)
  if netns and netns ~= wires.here() then return end
  nft.leave(function() return living(ifindex) end)
end

function Gate:close()
  if self.closed then return end
  self.closed = true
  M.withdraw(self.wire.ifindex, self.wire.netns)
end

Gate.__close = Gate.close

--- What undoes it from anywhere.
function Gate:undo()
  return { "network.withdraw", self.wire.ifindex, self.wire.netns }
end

function Gate:__tostring()
  return "gate of " .. tostring(self.wire)
end

--- Adds to wires what leads to them: `publish`, a list of "tcp 8080 to 80", and
-- `nat` (boolean). Without the right to look at the rules, nothing.
-- @tparam table list from farside.network.wire
function M.tell(list)
  local ok, elements = pcall(nft.elements)
  if not ok then return end
  local by_owner = {}
  for _, wire in ipairs(list) do
    by_owner[wire.ifindex], wire.publish, wire.nat = wire, {}, false
  end
  for _, element in ipairs(elements or {}) do
    local wire = by_owner[element.owner]
    if wire and element.value then
      local from, to = nft.words(element)
      wire.publish[#wire.publish + 1] = from .. " to " .. to:match "%d+$"
    elseif wire then
      wire.nat = true
    end
  end
end

--- Takes away what belongs to no living container.
-- @treturn int how many elements
function M.prune()
  return nft.change(living)
end

return M
