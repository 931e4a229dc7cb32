--- Network labs: hosts, switches and routers, and the links between them, in a
-- few lines. Each node is a network namespace of its own, made without a name
-- and held by descriptors alone: with the process that made the lab all of it
-- is gone, however that ends. Nothing of it touches the machine's own network.
--
-- What is declared is made when it is first used, in one pass. An ordinary user
-- gets a user namespace for it, in which the lab's programs run as root.
-- @module farside.lab

local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local fields <const> = require "farside.fields"
local options <const> = require "farside.lab.options"
local topology <const> = require "farside.lab.topology"

local M = {}

--- A lab. Fields: `nodes` and `links`, in the order in which they were
-- declared; nodes also by their names.
-- @type Lab
local Lab <const> = {}
Lab.__index = Lab

---- declaring ----

local function check_open(lab, what)
  if lab.closed then errors.usage("%s: the lab is closed", what) end
end

local function add_node(lab, kind, name, given)
  check_open(lab, kind)
  options.name(kind, lab.nodes, name)
  local node = options.node(kind, given)
  node.lab, node.kind, node.name, node.where = lab, kind, name, core.where()
  if node.recipe then require("farside.lab.container").check(node) end
  topology.add_node(lab, node)
  return require("farside.lab.node").adopt(node)
end

--- Declares a host.
-- @tparam string name at most 15 letters, digits and "-"; also its host name,
-- and what the other hosts can call it by
-- @tparam[opt] table asked
--
-- - `gateway`: the address that all goes to which no route has
-- - `routes`: { ["10.1.0.0/16"] = "10.0.0.254" }, network and next address
-- - `sysctl`: { ["net.ipv4.tcp_congestion_control"] = "reno" }
-- - any key of a recipe, such as `root`: then the host is a container, which
--   runs from the start to the end of the lab, and is made as `ns.spawn` makes
--   it, but for its network
-- @treturn Node
function Lab:host(name, asked)
  return add_node(self, "host", name, asked)
end

--- Declares a router: a host that passes on what is not for itself.
-- @tparam string name
-- @tparam[opt] table asked as for a host
-- @treturn Node
function Lab:router(name, asked)
  return add_node(self, "router", name, asked)
end

--- Declares a switch, which is a bridge; one has at most 1023 links.
-- @tparam string name
-- @treturn Node
function Lab:switch(name) return add_node(self, "switch", name) end

local function check_node(lab, what, node)
  if type(node) == "string" then node = lab.nodes[node] or node end
  if type(node) ~= "table" or lab.nodes[node.name] ~= node then
    errors.usage("%s: host, router or switch of this lab expected, got %s",
      what, type(node) == "string" and "'" .. node .. "'" or type(node))
  end
  return node
end

--- Links two nodes.
-- @tparam Node|string a a node, or the name of one
-- @tparam Node|string b
-- @tparam[opt] table asked
--
-- - `address`: "10.0.0.1/24", that of a's end, or of b's if a is a switch; a
--   list for several; false for none. Without it the end gets the next address
--   of the network that is in use on the same switches, or of 10.0.0.0/16,
--   10.1.0.0/16…
-- - `delay`, `jitter`: "5ms"; `loss`, `duplicate`, `reorder`, `corrupt`: "1%";
--   `rate`: "10mbit": what happens to whatever goes over it, both ways
-- - `mtu`; `mac` and `name` of a's end
-- - `peer`: a table with the same for b's end; what is said here of traffic
--   holds for the way from b to a, `false` undoing what holds for both
-- @treturn Link
-- @usage lab:link(h1, sw, { address = "10.0.0.1/24", delay = "5ms" })
function Lab:link(a, b, asked)
  check_open(self, "link")
  a, b = check_node(self, "link", a), check_node(self, "link", b)
  if a == b then errors.usage("link: %s to itself", a.name) end
  local of_a, of_b = options.link(a, asked)
  local link = { lab = self, where = core.where() }
  for node, wanted in pairs { [a] = of_a, [b] = of_b } do
    if node.kind == "switch" and wanted.address then
      errors.usage("link: address: %s is a switch, which has none", node.name)
    end
  end
  topology.add_link(self, link, a, b, of_a, of_b)
  return require("farside.lab.link").adopt(link)
end

---- making ----

-- What is declared and not made yet.
local function pending(list, done)
  return table.move(list, done + 1, #list, 1, {})
end

-- The caller as root, and other ids if some were granted: programs that give up
-- being root need them.
local function map_of(which, own)
  local map = { { 0, own, 1 } }
  local inside = 1
  for _, range in ipairs(require("farside").subids(which)) do
    map[#map + 1] = { inside, range.first, range.count }
    inside = inside + range.count
  end
  return map
end

-- Who is not root has rights over what a user namespace of its own has.
local function own_user(lab)
  if lab.user ~= nil or not (lab.unprivileged or core.geteuid() ~= 0) then
    return
  end
  local new <const> = require("farside").new
  local uids = map_of("uid", core.geteuid())
  local gids = map_of("gid", core.getegid())
  local ok, user = pcall(new, "user", { uid_map = uids, gid_map = gids })
  -- without newuidmap: oneself is all that can be had
  lab.user = ok and user
    or new("user", { uid_map = { uids[1] }, gid_map = { gids[1] } })
end

--- Makes what has been declared and is not there yet. It is done by itself when
-- a host is first used.
-- @treturn Lab itself
-- @raise what the kernel refused, with the link or node as its `step` and the
-- line that declares it as its `where`; the lab is closed then
function Lab:start()
  check_open(self, "start")
  local nodes = pending(self.nodes, self.made_nodes)
  local links = pending(self.links, self.made_links)
  if #nodes == 0 and #links == 0 then return self end
  local ok, failure = pcall(function()
    own_user(self)
    require("farside.lab.build").build(self, nodes, links)
    self.made_nodes, self.made_links = #self.nodes, #self.links
    self.ready = false
    for _, node in ipairs(self.nodes) do -- there are more names to know
      require("farside.lab.world").forget(node)
    end
    if self.neighbours then
      require("farside.lab.neighbours").tell(self, 4)
      require("farside.lab.neighbours").tell(self, 16)
    end
  end)
  if not ok then
    self:close()
    error(failure, 0)
  end
  return self
end

--- Waits until every link carries traffic: the port of a bridge forwards some
-- milliseconds after it was made. It is done by itself where it matters.
-- @tparam[opt="10s"] number|string timeout
-- @treturn Lab itself
-- @raise a message with the interfaces that are not up
function Lab:wait(timeout)
  self:start()
  require("farside.lab.ready").wait(self, timeout or "10s")
  return self
end

---- asking ----

--- Pings from every host to all addresses of every other, all at once: no
-- program is needed for it. While the machine itself drops packets, being too
-- busy, who got no answer asks again; not where links are to lose some.
-- @tparam[opt] table asked
--
-- - `nodes`: the list of hosts and routers to do so, all hosts if not given
-- - `timeout`: how long to wait after the last was sent, "1s", for IPv6 "3s"
-- - `ipv6`: true to use IPv6 addresses
-- @treturn table `sent`, `received`, `lost`: how many; `losses`: a list of
-- { from =, to =, address =, reason = }; `min`, `average` and `max` of the
-- milliseconds between question and answer. As text it says all that.
function Lab:ping_all(asked)
  return require("farside.lab.ping").all(self, asked or {})
end

--- Draws the lab.
-- @tparam[opt="text"] string kind "text", "dot" for Graphviz, "svg"
-- @treturn string
function Lab:draw(kind)
  return require("farside.lab.draw").draw(self, kind)
end

--- Measures the throughput from one host to another, with iperf3.
-- @tparam Node|string from
-- @tparam Node|string to
-- @tparam[opt] table asked `time`: seconds, 1 if not given; `udp`: a rate such
-- as "10mbit", to send so much by UDP rather than what TCP can
-- @treturn number bits a second that arrived
-- @treturn table all that iperf3 tells, in text
-- @raise ENOENT without iperf3
function Lab:throughput(from, to, asked)
  return require("farside.lab.throughput").measure(
    check_node(self, "throughput", from), check_node(self, "throughput", to),
    asked or {})
end

--- A prompt with the hosts, switches and routers as globals, and `lab`.
-- @raise a message where there is no prompt: `farside` has it, plain Lua not
function Lab:repl()
  self:start()
  require("farside.lab.repl").run(self)
end

---- the end ----

local function close(object)
  if object then object:close() end
end

--- Ends the lab, with all that runs in it. What it was made of goes in the
-- background, some milliseconds later.
function Lab:close()
  if self.closed then return end
  self.closed = true
  -- the last to let go of a view waits for it to be taken apart: its programs,
  -- all at once, rather than we, one after the other
  local forget <const> = require("farside.lab.world").forget
  for _, node in ipairs(self.nodes) do forget(node) end
  for _, child in ipairs(self.children) do -- all at once, then one by one
    if child.signal then pcall(child.signal, child, "KILL") end
  end
  for i = #self.children, 1, -1 do close(self.children[i]) end
  close(self.world)
  local drop <const> = require("farside.lab.node").drop
  for _, node in ipairs(self.nodes) do drop(node) end
  close(self.hub and self.hub.nl)
  close(self.user)
end

-- `farside lab` keeps one beyond the script that made it.
function Lab:__close()
  if not self.kept then self:close() end
end

function Lab:__tostring()
  return ("lab (%d nodes, %d links%s)"):format(#self.nodes, #self.links,
    self.closed and ", closed" or "")
end

local whole <const> = fields.record {
  unprivileged = fields.boolean, neighbours = fields.boolean,
}

--- A new lab, with nothing in it.
-- @tparam[opt] table asked
--
-- - `unprivileged`: true to have root make it in a user namespace, as others do
-- - `neighbours`: true to tell every host the hardware addresses of the others
--   on the same switches. The kernel keeps those that hosts find out by
--   themselves in one table for all namespaces, with room for 1024: where more
--   than 32 hosts talk to all others, packets are lost in silence. `ping_all`
--   does so by itself
-- @treturn Lab
-- @raise a message about what is no option; what the kernel refuses is raised
-- by what is asked of the lab
-- @usage local lab <close> = ns.lab()
function M.lab(asked)
  local lab = fields.check("lab", whole, asked or {})
  lab.nodes, lab.links, lab.children = {}, {}, {}
  lab.made_nodes, lab.made_links = 0, 0
  return setmetatable(lab, Lab)
end

return M
