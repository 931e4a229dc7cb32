--- Makes what a lab declares, in one pass: all namespaces first, then for each
-- node that links begin at its bridge and the links, both ends born where they
-- belong; then, node by node, what the other ends need, addresses, routes and
-- what links do to their traffic. Each node takes two or three system calls.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local shapes <const> = require "farside.lab.shape"
local topology <const> = require "farside.lab.topology"

local M = {}

---- errors ----

-- A failure is that of a link or of a node: the error says which, and where in
-- the script that was asked for.
local function blame(failure, owner)
  if not errors.is(failure) then return failure end
  failure.step = owner.a and "link " .. topology.name_of(owner)
    or ("%s %s"):format(owner.kind, owner.name)
  failure.where = owner.where or failure.where
  return failure
end

-- Sends requests to one node's namespace. `fill` adds them to `b`, and says for
-- whom before those of each link.
local function batch(node, fill)
  local owners, owner = {}, node
  local b <close> = node.nl:requests()
  local function about(who)
    owner = who
    owners[#owners + 1] = { who = who, first = #b + 1 }
  end
  about(node)
  local ok, failure = pcall(fill, b, about)
  if not ok then error(blame(failure, owner), 0) end
  failure = b:send()[1]
  if not failure then return end
  for _, one in ipairs(owners) do
    if one.first <= failure.request then owner = one.who end
  end
  error(blame(shapes.explain(failure), owner), 0)
end

---- links ----

local main_end <const> = topology.main_end

-- The node from which a link is made: where its first end belongs; for two
-- containers, of which neither may look into the other, a place between.
local function origin_of(lab, link)
  local main <const> = main_end(link)
  return main.node.recipe and lab.hub or main.node
end

local function add_link(b, link, origin)
  local main <const> = main_end(link)
  local peer <const> = main.other
  b.link.add {
    netns = origin ~= main.node and main.node.nl or nil,
    name = main.name, kind = "veth", ifindex = main.index, address = main.mac,
    mtu = main.mtu, up = true,
    master = main.node.kind == "switch" and topology.BRIDGE or nil,
    peer = { name = peer.name, ifindex = peer.index, address = peer.mac,
             mtu = peer.mtu, netns = peer.node.nl },
  }
end

local function add_bridge(b, node)
  b.link.add { name = node.name, kind = "bridge", ifindex = topology.BRIDGE,
               address = topology.bridge_mac(node), up = true }
end

-- So many at a time: each keeps a namespace open until they are made.
local TOGETHER <const> = 64

local function make_some(origin, links, first)
  batch(origin, function(b, about)
    for i = first, math.min(first + TOGETHER - 1, #links) do
      about(links[i])
      add_link(b, links[i], origin)
    end
  end)
end

-- Bridges, and all links, from where they begin.
local function make_links(lab, links)
  local origins, begun = {}, {}
  for _, link in ipairs(links) do
    local origin = origin_of(lab, link)
    if not begun[origin] then
      begun[origin] = {}
      origins[#origins + 1] = origin
    end
    table.insert(begun[origin], link)
  end
  for _, node in ipairs(lab.nodes) do
    if node.kind == "switch" and not node.made then
      batch(node, function(b) add_bridge(b, node) end)
    end
  end
  for _, origin in ipairs(origins) do
    for first = 1, #begun[origin], TOGETHER do
      make_some(origin, begun[origin], first)
    end
  end
end

---- nodes ----

-- What the link could not be given when it was made.
local function finish_end(b, one)
  if one ~= main_end(one.link) then
    b.link.set(one.index, {
      up = true,
      master = one.node.kind == "switch" and topology.BRIDGE or nil,
    })
  end
  for _, address in ipairs(one.addresses) do
    local v6 = #address.bytes == 16
    -- nobody else can have it: no time is spent on asking
    b.address.add(one.index, v6 and { address.text, nodad = true }
                  or address.text)
  end
  if one.shape then shapes.add(b, one, one.shape) end
end

local function add_routes(b, node)
  if node.gateway then b.route.add { to = "default", via = node.gateway } end
  for _, route in ipairs(node.routes or {}) do
    b.route.add { to = route.to, via = route.via }
  end
end

local function finish_node(node)
  batch(node, function(b, about)
    if not node.made then b.link.set(1, { up = true }) end
    for i = node.ends_made + 1, #node.ends do
      about(node.ends[i].link)
      finish_end(b, node.ends[i])
    end
    about(node)
    if node.ends_made < #node.ends and not node.routed then
      add_routes(b, node)
      node.routed = true
    end
  end)
  node.ends_made, node.made = #node.ends, true
end

---- settings ----

local forwarding <const> = { ["net.ipv4.ip_forward"] = "1",
                             ["net.ipv6.conf.all.forwarding"] = "1" }

-- { handle, { name = value } } for the new nodes that want any.
local function settings(nodes)
  local list = {}
  for _, node in ipairs(nodes) do
    local wanted = {}
    if node.kind == "router" then
      for name, value in pairs(forwarding) do wanted[name] = value end
    end
    for name, value in pairs(node.sysctl or {}) do wanted[name] = value end
    if not node.made and next(wanted) then
      list[#list + 1] = { node = node, wanted = wanted }
    end
  end
  return list
end

local function write_setting(node, name, value)
  local path = "/proc/sys/" .. name:gsub("%.", "/")
  local ok, failure = pcall(function()
    local file <close> = core.openat2(nil, path, "wronly")
    core.write(file, value)
  end)
  if not ok then
    failure.path = path
    error(blame(failure, node), 0)
  end
end

-- /proc/sys/net shows the settings of whoever opens it: one child goes through
-- all the namespaces.
local function write_settings(lab, nodes)
  local list <const> = settings(nodes)
  if #list == 0 then return end
  local child <close> = require("farside.clone").clone({}, function()
    if lab.user then core.setns(lab.user, "user") end
    for _, entry in ipairs(list) do
      core.setns(entry.node:namespace_handle(), "net")
      for name, value in pairs(entry.wanted) do
        write_setting(entry.node, name, value)
      end
    end
  end)
  child:wait()
end

---- the whole ----

local function check_ports(nodes)
  for _, node in ipairs(nodes) do
    if node.kind == "switch" and #node.ends > topology.MOST_PORTS then
      local link = node.ends[topology.MOST_PORTS + 1].link
      error(("%s: lab: %s has %d links, and a bridge has at most %d ports: "
        .. "put some of them on another switch, linked to this one"):format(
        link.where, node.name, #node.ends, topology.MOST_PORTS), 0)
    end
  end
end

-- A namespace for each node; containers bring theirs.
local function make_namespaces(lab, nodes)
  local plain = {}
  for _, node in ipairs(nodes) do
    node.ends_made = 0
    if node.recipe then
      require("farside.lab.container").start(node)
      lab.hub = lab.hub or { kind = "lab", name = "between containers" }
    else
      plain[#plain + 1] = node
    end
  end
  if lab.hub and not lab.hub.nl then plain[#plain + 1] = lab.hub end
  local handles <const> = core.netlink_namespaces(#plain, lab.user)
  for i, node in ipairs(plain) do node.nl = handles[i] end
end

-- A node takes one descriptor, one more while it pings, and some are there
-- already or for a moment. The soft limit is 1024 as a rule, for the sake of
-- programs that use select(2); the hard one is for those who know better.
local function make_room(lab)
  local soft, hard = core.getrlimit "nofile"
  local wanted = 2 * #lab.nodes + 512
  if soft == "unlimited" or soft >= wanted then return end
  if hard ~= "unlimited" and hard < wanted then wanted = hard end
  if wanted > soft then core.setrlimit("nofile", wanted) end
end

--- Makes the nodes and links that are not there yet.
-- @tparam table lab a topology, `user`: the namespace that owns it all, or nil
-- @tparam {table,...} nodes those without a namespace
-- @tparam {table,...} links those that are not made
-- @raise an error whose `step` and `where` tell what it was about
function M.build(lab, nodes, links)
  topology.complete(lab)
  check_ports(lab.nodes)
  make_room(lab)
  make_namespaces(lab, nodes)
  make_links(lab, links)
  write_settings(lab, nodes)
  for _, node in ipairs(lab.nodes) do
    if not node.made or node.ends_made < #node.ends then finish_node(node) end
  end
end

return M
