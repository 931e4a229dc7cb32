--- The links of network namespaces with their addresses, and the veth pairs
-- that join two of them.

local holders <const> = require "farside.list.holders"
local netlink <const> = require "farside.netlink"

local M = {}

-- Calls a function with a netlink socket in a namespace; nil and why when it
-- may not be joined, or has ended.
local function within(net, fn)
  local handle <close> = holders.open(net)
  local ok, nl = pcall(netlink.netlink, handle or 0)
  if not handle or not ok then return nil, "its links may not be seen" end
  local _ <close> = nl
  return fn(nl)
end

-- Addresses but for those that every link has by itself.
local function add_addresses(nl, links)
  local by_index = {}
  for _, link in ipairs(links) do
    link.addresses = {}
    by_index[link.ifindex] = link
  end
  for _, one in ipairs(nl.address.list()) do
    local link <const> = by_index[one.ifindex]
    if link and one.scope == "global" then
      table.insert(link.addresses, ("%s/%d"):format(one["local"]
        or one.address, one.prefixlen))
    end
  end
end

-- A list that changes all the while cannot be had whole: EAGAIN.
local function read_links(nl)
  local ok, links = pcall(nl.link.list)
  if ok then
    add_addresses(nl, links)
    return links
  elseif links.code == "EAGAIN" then
    return nil, "its links do not stand still"
  end
  error(links, 0)
end

---- pairs ----

-- Ends of veth pairs whose other end may be this one: each has the other's
-- number. There are several where namespaces were made alike.
local function candidates(ends, net, link)
  local found = {}
  for _, other in ipairs(ends) do
    local peer <const> = other.link
    local mutual = peer.ifindex == link.link_index
      and peer.link_index == link.ifindex and peer ~= link
    -- without a number of the namespace the peer is at home
    local home <const> = link.link_netnsid == nil
    if mutual and (other.net == net) == home then found[#found + 1] = other end
  end
  return found
end

-- Which of several is in the namespace that has a number in this one.
local function numbered(net, ends, number)
  return within(net, function(nl)
    for _, one in ipairs(ends) do
      local handle <close> = holders.open(one.net)
      if handle and nl.nsid.get(handle) == number then return one end
    end
  end)
end

local function join(ends, net, link)
  local found = candidates(ends, net, link)
  local other = found[1]
  if #found > 1 then other = numbered(net, found, link.link_netnsid) end
  if not other then return end
  link.peer = other
  other.link.peer = { net = net, link = link }
end

--- Gives each network namespace its `links`, each with `addresses` (or
-- `unread`, why it has none), and each veth end whose other end can be seen its
-- `peer`, { net, link }.
function M.read(self)
  local ends = {}
  for _, net in ipairs(self.nets) do
    net.links, net.unread = within(net, read_links)
    for _, link in ipairs(net.links or {}) do
      if link.kind == "veth" then
        ends[#ends + 1] = { net = net, link = link }
      end
    end
  end
  for _, one in ipairs(ends) do
    if not one.link.peer then join(ends, one.net, one.link) end
  end
end

return M
