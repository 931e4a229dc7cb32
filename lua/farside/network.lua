--- The network of containers: what the steps of a plan call. Each can be called
-- by itself as well, on any process that has a network namespace of its own.
-- @module farside.network

local addresses <const> = require "farside.network.address"
local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local files <const> = require "farside.file"
local gate <const> = require "farside.network.gate"
local wire <const> = require "farside.network.wire"

local M = { plug = wire.plug, unplug = wire.unplug,
            publish = gate.publish, withdraw = gate.withdraw }

-- ns.network
M.network = M

---- inside ----

--- Configures a link in the network namespace of a process: its addresses, up,
-- its default routes.
-- @param target process, container, pid or handle
-- @tparam table link a Wire, or `name`, `address` (a list of "10.0.0.2/24"),
-- `gateway` (a list of "10.0.0.1")
-- @raise as address.add, link.set and route.add
function M.configure(target, link)
  local nl <close> = require("farside").netlink(target)
  nl:batch(function(b)
    for _, text in ipairs(link.address or {}) do
      b.address.add(link.name, { text, nodad = true })
    end
    b.link.set(link.name, { up = true })
    for _, gateway in ipairs(link.gateway or {}) do
      b.route.add { to = "default", via = gateway, dev = link.name }
    end
  end)
end

local PATIENCE <const> = "5s"

--- Waits until links of the caller's network namespace carry packets: the
-- kernel tells the ports of a bridge a moment after they are up.
-- @tparam string ... their names
-- @raise ETIMEDOUT after five seconds
function M.ready(...)
  for _, name in ipairs { ... } do
    if core.link.get(name).operstate ~= "UP" then
      local nl <close> = require("farside").netlink()
      local monitor <close> = nl:monitor "link"
      while core.link.get(name).operstate ~= "UP" do
        if not monitor:next(PATIENCE) then
          core.raise(core.errno.ETIMEDOUT, "network.ready", name)
        end
      end
    end
  end
end

---- links of the caller's that move in ----

local Moved = {}
Moved.__index = Moved

-- What was given to a link and goes when it moves; not what the kernel itself
-- gives to one that is up, or what a router tells.
local function given_to(index)
  local own, ways = {}, {}
  for _, one in ipairs(core.address.list { dev = index }) do
    local by_itself = one.family == "inet6" and one.scope == "link"
    if not by_itself and not one.dynamic then own[#own + 1] = one end
  end
  for _, family in ipairs { "inet", "inet6" } do
    for _, one in ipairs(core.route.list { dev = index, family = family,
                                           table = "all" }) do
      if one.protocol ~= "kernel" and one.protocol ~= "ra" then
        one.dev, one.flags, one.nhid = index, nil, nil
        ways[#ways + 1] = one
      end
    end
  end
  -- a router on the link comes before what is behind it
  table.sort(ways, function(a, b) return not a.gateway and b.gateway ~= nil end)
  return own, ways
end

-- Somebody may have given the same to another link meanwhile.
local function restore(before)
  local index <const> = core.link.get(before.link.ifname).ifindex
  local nl <close> = require("farside").netlink()
  local ok, err = pcall(nl.batch, nl, function(b)
    for _, one in ipairs(before.addresses) do
      one["local"] = one["local"] .. "/" .. one.prefixlen
      b.address.replace(index, one)
    end
    b.link.set(index, { master = before.link.master, up = before.link.up })
    for _, one in ipairs(before.routes) do
      one.dev = index
      b.route.add(one)
    end
  end)
  for _, failure in ipairs(ok and {} or err.failures or { err }) do
    if failure.code ~= "EEXIST" then error(failure, 0) end
  end
end

--- Moves a link of the caller's into the network namespace of a process. It
-- comes back when what is answered is closed, with its name, MTU, MAC and
-- master, its addresses and the routes over it alone; with its caller killed,
-- the kernel brings back hardware as it were new, and deletes what is not.
-- @tparam string link
-- @param target process, container, pid or handle
-- @tparam table want `name` inside, `mtu`, `mac`
-- @treturn Moved
-- @raise as link.set
function M.move(link, target, want)
  local before <const> = { link = core.link.get(link) }
  local index <const> = before.link.ifindex
  before.addresses, before.routes = given_to(index)
  local there <const> = require("farside.netlink").open(target)
  local ok, err = pcall(core.link.set, index, {
    netns = there, name = want.name, mtu = want.mtu, address = want.mac,
  })
  if not ok then
    there:close()
    error(err, 0)
  end
  return setmetatable({ name = want.name, before = before, there = there },
                      Moved)
end

-- The namespace lives while it is held: the link comes back before it goes.
function Moved:close()
  if not self.there then return end
  local there <close> = self.there
  self.there = nil
  local before <const> = self.before.link
  local home <close> = core.open("self", "net")
  local nl <close> = require("farside").netlink(there)
  nl.link.set(self.name, { netns = home, name = before.ifname, up = false,
                           mtu = before.mtu, address = before.address })
  restore(self.before)
end

Moved.__close = Moved.close

function Moved:__tostring()
  return ("%s of the caller's"):format(self.before.link.ifname)
end

---- being born elsewhere ----

local Visit = {}
Visit.__index = Visit

-- The network namespace of a target, or of "container:NAME".
local function open(target)
  local open_any <const> = require("farside.netlink").open
  local name = type(target) == "string" and target:match "^container:(.+)$"
  if not name then return open_any(target) end
  local container <close> = require("farside").container(name)
  if not container:running() then
    errors.usage("network.enter: %s does not run", container)
  end
  return open_any(container.namespaces and container or container.process)
end

--- Takes the caller into another network namespace, until what is answered is
-- closed: a child that it makes in between is born there.
-- @param target a container, process, pid, handle or path, or "container:NAME",
-- of one that is detached
-- @treturn Visit
-- @raise EPERM without CAP_SYS_ADMIN over both. See setns(2).
function M.enter(target)
  local there <close> = open(target)
  local home <const> = core.open("self", "net")
  local ok, err = pcall(core.setns, there, "net")
  if ok then return setmetatable({ home = home }, Visit) end
  home:close()
  core.raise(err.errno, "network.enter", nil, tostring(there))
end

function Visit:close()
  if not self.home then return end
  local home <close> = self.home
  self.home = nil
  core.setns(home, "net")
end

Visit.__close = Visit.close

---- files ----

-- The addresses that the caller's network namespace has, but for lo's.
local function own_addresses()
  local list = {}
  for _, one in ipairs(core.address.list()) do
    if one.scope == "global" then list[#list + 1] = one["local"] end
  end
  return list
end

local hosts <const> = [[
127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
]]

--- Writes /etc/hosts in a root: lo, and the host name at the addresses that
-- the caller's network namespace has.
-- @tparam Root root
-- @tparam string how "write" or "cover", which leaves a file that is there
-- alone beneath
-- @tparam[opt] string name the host name
-- @raise as Root:write
function M.hosts(root, how, name)
  local lines = { hosts }
  for _, ip in ipairs(name and own_addresses() or {}) do
    lines[#lines + 1] = ("%s\t%s\n"):format(ip, name)
  end
  root[how](root, "/etc/hosts", table.concat(lines))
end

-- The name servers of the host that can be reached from elsewhere. Where
-- systemd-resolved listens at a loopback address, it names those behind it in
-- another file.
local function nameservers()
  for _, path in ipairs { "/etc/resolv.conf",
                          "/run/systemd/resolve/resolv.conf" } do
    local list = {}
    local lines <const> = "\n" .. (files.find(nil, path) or "")
    for text in lines:gmatch "\nnameserver%s+(%S+)" do
      local address = addresses.parse(text)
      if address and not text:find "^127%." and text ~= "::1" then
        list[#list + 1] = text
      end
    end
    if #list > 0 then return list end
  end
  return {}
end

--- Writes /etc/resolv.conf in a root.
-- @tparam Root root
-- @tparam string how as for hosts
-- @tparam table want `dns`: addresses of name servers; when it is not given,
-- those of the caller that are not at a loopback address, or else `otherwise`;
-- `search`: a list of domains
-- @raise as Root:write
function M.resolver(root, how, want)
  local list = want.dns or nameservers()
  if #list == 0 then list = want.otherwise or {} end
  local lines = {}
  for i, ip in ipairs(list) do lines[i] = "nameserver " .. ip .. "\n" end
  if #lines == 0 then
    lines[1] = "# no name server of the host can be reached from here; the key "
      .. "dns of the network names others\n"
  end
  if want.search then
    lines[#lines + 1] = "search " .. table.concat(want.search, " ") .. "\n"
  end
  root[how](root, "/etc/resolv.conf", table.concat(lines))
end

---- user-mode networking ----

--- Connects the network namespace of a process to the caller's by a program
-- that speaks for it, pasta or else slirp4netns: no privilege is needed.
-- @param ... see farside.network.pasta
-- @raise ENOENT when neither program is installed; what the program said
function M.user(...)
  return require("farside.network.pasta").start(...)
end

---- looking and clearing ----

--- The containers on bridges of the caller's network namespace.
-- @treturn {table,...} one for each link of theirs: `bridge`, `pid` (as its
-- starter sees it), `name` (of the link inside), `address` (a list), and for
-- who may look at the rules `publish` (a list of "tcp 8080 to 80") and `nat`
-- (boolean)
-- @raise as netlink and its lists
function M.list()
  local wires <const> = wire.list()
  gate.tell(wires)
  return wires
end

--- Clears away what killed starters left: published ports and ways out of
-- containers that are no more, the nftables table when it is empty, bridges
-- that were made for containers and have none.
-- @treturn int how many elements of the table went
-- @treturn {string,...} bridges that went
-- @raise as netlink; what nft said
function M.prune()
  return gate.prune(), wire.prune()
end

return M
