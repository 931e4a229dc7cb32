--- The way out for containers behind a bridge, and their published ports: one
-- nftables table of our own, `inet farside`, whose rules are the same whatever
-- runs. What changes are elements of its sets and maps: a container's go in
-- and out in one transaction. Rules of others are never touched.
--
-- Changes are made one starter at a time, under a lock. Each looks first at
-- what is there: what belongs to addresses that no link holds any more was
-- left by a starter that was killed, and goes along. The last container takes
-- the table with it.

local core <const> = require "farside.core"
local errors <const> = require "farside.error"
local program <const> = require "farside.program"
local state <const> = require "farside.state"

local M = {}

---- the table ----

-- bridges: where containers are. homes: the subnets on them. guests: who is
-- behind NAT, and can be reached from elsewhere by published ports only.
-- publish, publish_at: from a port, or an address and a port, to a container's
-- own.
--
-- 127.0.0.1 leads to a container by route_localnet, which would open the
-- host's own loopback to the bridge: that is shut first of all. A packet of
-- the host's loopback, or of a neighbour that came by a published port, gets
-- the bridge's address, or its answer would not come back this way.
local declaration <const> = [[
add table inet farside
flush table inet farside
table inet farside {
  set bridges { type ifname; }
  set homes4 { type ifname . ipv4_addr; flags interval; }
  set homes6 { type ifname . ipv6_addr; flags interval; }
  set guests4 { type ipv4_addr; }
  set guests6 { type ipv6_addr; }
  map publish4 {
    type inet_proto . inet_service : ipv4_addr . inet_service;
  }
  map publish6 {
    type inet_proto . inet_service : ipv6_addr . inet_service;
  }
  map publish_at4 {
    type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service;
  }
  map publish_at6 {
    type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service;
  }
  chain first {
    type filter hook prerouting priority raw;
    iifname @bridges ip daddr 127.0.0.0/8 drop
  }
  chain arriving {
    type nat hook prerouting priority dstnat;
    fib daddr type local jump publish
  }
  chain from_here {
    type nat hook output priority -100;
    fib daddr type local jump publish
  }
  chain publish {
    dnat ip to ip daddr . meta l4proto . th dport map @publish_at4
    dnat ip to meta l4proto . th dport map @publish4
    dnat ip6 to ip6 daddr . meta l4proto . th dport map @publish_at6
    dnat ip6 to meta l4proto . th dport map @publish6
  }
  chain forward {
    type filter hook forward priority filter;
    iifname @bridges accept
    ct state != new accept
    ct status dnat accept
    ip daddr @guests4 drop
    ip6 daddr @guests6 drop
  }
  chain leaving {
    type nat hook postrouting priority srcnat;
    oifname != @bridges ip saddr @guests4 masquerade
    oifname != @bridges ip6 saddr @guests6 masquerade
    oifname @bridges ct status dnat ip saddr 127.0.0.0/8 masquerade
    oifname . ip saddr @homes4 ct status dnat masquerade
    oifname . ip6 saddr @homes6 ct status dnat masquerade
  }
}
]]

-- A failure of nft, in its own words.
local function failed(said)
  error(errors.remake { call = "nft", reason = said }, 0)
end

local function apply(script)
  local ok, _, said = program.run({ "nft", "-f", "-" }, script)
  if not ok then failed(said) end
end

---- its elements ----

-- An element is { set, key, value, owner }: "publish4", "6 . 8080",
-- "10.0.0.2 . 80", and the ifindex of its container's wire, which no other link
-- ever gets. A set's has no value; one of a bridge has no owner, and belongs to
-- all that are on it. The table keeps the owner as a comment. Protocols are
-- numbers, since their names are told only where /etc/protocols is.

--- The number of a protocol.
M.protocols = { tcp = 6, udp = 17 }

local names <const> = { ["6"] = "tcp", ["17"] = "udp" }

--- An element that publishes, in words: where it leads from, and to.
-- @treturn string "tcp 8080", "127.0.0.1 udp 53"
-- @treturn string "10.0.0.2 80"
function M.words(element)
  local at, protocol, port = element.key:match "^(.-)(%d+) %. (%d+)$"
  local from = ("%s%s %s"):format(at:gsub(" %. ", " "), names[protocol], port)
  return from, (element.value:gsub(" %. ", " "))
end

local function whole(element)
  local owner = element.owner and (' comment "%d"'):format(element.owner) or ""
  local value = element.value and " : " .. element.value or ""
  return element.key .. owner .. value
end

-- One command for each set, in a steady order.
local function command(verb, elements, text)
  local sets, lines = {}, {}
  for _, element in ipairs(elements) do
    if not sets[element.set] then
      sets[element.set] = {}
      lines[#lines + 1] = element.set
    end
    table.insert(sets[element.set], text(element))
  end
  for i, set in ipairs(lines) do
    lines[i] = ("%s element inet farside %s { %s }\n"):format(
      verb, set, table.concat(sets[set], ", "))
  end
  return table.concat(lines)
end

local function add(elements) return command("add", elements, whole) end

local function delete(elements)
  return command("delete", elements, function(element)
    return element.key
  end)
end

-- "6 . 8080 comment "7" : 10.0.0.2 . 80"
local function element_of(set, text)
  local key, value = text:match "^%s*(.-) : (.-)%s*$"
  key = key or text:match "^%s*(.-)%s*$"
  local owner = key:match ' comment "(%d+)"$'
  return { set = set, key = key:gsub(' comment ".-"$', ""), value = value,
           owner = math.tointeger(tonumber(owner)) }
end

-- What nft says of a table: { element, … }.
local function parse(text)
  local elements = {}
  for set, body in text:gmatch "%f[%a][sm][ea][tp] ([%w_]+) (%b{})" do
    local list = body:match "elements = (%b{})" or "{}"
    for piece in list:sub(2, -2):gmatch "[^,]+" do
      elements[#elements + 1] = element_of(set, piece)
    end
  end
  return elements
end

local function present() return core.nft_table("inet", "farside") end

-- What nft says of the table; nil when there is none.
local function listing()
  if not present() then return nil end
  local ok, text, said = program.run {
    "nft", "--numeric-protocol", "list", "table", "inet", "farside",
  }
  return ok and text or failed(said)
end

--- All that is in the table; nil when there is none.
-- @treturn table|nil a list of { set, key, value, owner }
function M.elements()
  local text <const> = listing()
  return text and parse(text)
end

-- The chains of a declaration or a listing, in one spelling.
local function chains(text)
  local list = {}
  for chain in text:gmatch "chain [%w_]+ %b{}" do
    list[#list + 1] = chain:gsub("%s+", " "):gsub(" policy accept;", "")
  end
  return table.concat(list, "\n")
end

-- The declaration, unless the rules are there as it has them: the kernel waits
-- long before rules that were replaced are gone.
local function declared(text)
  local there <const> = text and chains(text) == chains(declaration)
  return there and "" or declaration
end

local function same(one, other)
  return one.set == other.set and one.key == other.key
end

local function find(elements, wanted)
  for _, element in ipairs(elements) do
    if same(element, wanted) then return element end
  end
end

-- Parts a list in those that go and those that stay; a bridge stays while
-- there is a wire on it.
local function part(elements, wires)
  local going, staying, used = {}, {}, false
  for _, element in ipairs(elements) do
    local stays
    if element.owner then
      stays = wires.owners[element.owner]
    else
      stays = wires.bridges[element.key:match '"(.-)"']
    end
    local list = stays and staying or going
    list[#list + 1] = element
    used = used or element.owner and stays
  end
  return going, staying, used
end

local function change(living, new)
  local text <const> = listing()
  local elements <const> = text and parse(text)
  local going, staying, used = part(elements or {}, living())
  if new and #new > 0 then
    for _, element in ipairs(new) do
      local there = find(staying, element)
      if there and there.value ~= element.value then
        core.raise(core.errno.EADDRINUSE, "network.publish", nil,
                   ("%s (it leads to %s)"):format(M.words(there)),
                   { container = there.value, owner = there.owner })
      end
    end
    apply(declared(text) .. delete(going) .. add(new))
  elseif elements and not used then
    apply "delete table inet farside\n"
  elseif #going > 0 then
    apply(delete(going))
  end
  return #going
end

--- Takes away what belongs to no wire, and the table itself when nothing else
-- is in it.
-- @tparam function living answers the wires that there are: `owners`, a set of
-- ifindexes, and `bridges`, a set of names. It is asked after the table, when
-- nobody else can put anything there: what has no wire then has none
-- @tparam[opt] table new elements that come in the same transaction
-- @treturn int how many went
-- @raise EADDRINUSE for a port that somebody else has; what nft says
function M.change(living, new)
  local lock <close> = state.lock "network"
  local _ = lock
  return change(living, new)
end

--- The same when a container leaves: who has nobody beside him need not look.
-- @tparam function living
function M.leave(living)
  local lock <close> = state.lock "network"
  local _ = lock
  if not present() then return end -- somebody has flushed all rules
  if next(living().owners) then
    change(living)
  else
    apply "delete table inet farside\n"
  end
end

return M
