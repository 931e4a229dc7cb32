--- Targets about netlink: what the kernel answers, and what is asked of it.
-- They need the fuzzer's program, which takes the place of the kernel. See
-- texts.lua for what a target is.

local ns <const> = require "farside"
local sources <const> = require "source"

local M = {}

-- The next answer that is received.
local function feed(bytes) require("fuzz").feed(bytes) end

-- One for all inputs, as in a program that lives long.
local handle
local function netlink()
  handle = handle or ns.netlink()
  return handle
end

---- messages, as seeds ----

local function attribute(type, data)
  return ("<I2I2"):pack(4 + #data, type) .. data .. ("\0"):rep(-#data % 4)
end

local function message(type, header, ...)
  local body <const> = header .. table.concat { ... }
  return ("<I4I2I2I4I4"):pack(16 + #body, type, 2, 0, 0) .. body
end

local function named(type, text) return attribute(type, text .. "\0") end

local link <const> = message(16, ("<BBI2i4I4I4"):pack(0, 0, 1, 2, 0x1003, 0),
  named(3, "eth0"), attribute(4, ("<I4"):pack(1500)),
  attribute(1, "\2\0\0\0\0\1"), attribute(18, named(1, "veth")
    .. attribute(2, "")), attribute(53, named(3, "another")))

-- Kinds whose answers have a nest of their own.
local function link_of(kind, ...)
  return message(16, ("<BBI2i4I4I4"):pack(0, 0, 1, 3, 0x1003, 0),
    named(3, "x0"), attribute(18, named(1, kind)
      .. attribute(2, table.concat { ... })))
end

local address <const> = message(20, ("<BBBBI4"):pack(2, 24, 128, 0, 2),
  attribute(1, "\10\0\0\1"), attribute(2, "\10\0\0\1"), named(3, "eth0"),
  attribute(8, ("<I4"):pack(0x80)), attribute(6, ("<I4I4I4I4"):pack(9, 9, 1,
    2)))

local route <const> = message(24, ("<BBBBBBBBI4"):pack(2, 16, 0, 0, 254, 3, 0,
    1, 0), attribute(1, "\10\1\0\0"), attribute(5, "\10\0\0\2"),
  attribute(4, ("<I4"):pack(2)), attribute(15, ("<I4"):pack(254)),
  attribute(8, attribute(2, ("<I4"):pack(1400))))

local multipath <const> = message(24, ("<BBBBBBBBI4"):pack(2, 16, 0, 0, 254, 3,
    0, 1, 0), attribute(9, ("<I2BBi4"):pack(16, 0, 0, 2)
      .. attribute(5, "\10\0\0\2") .. ("<I2BBi4"):pack(8, 0, 1, 3)))

local rule <const> = message(32, ("<BBBBBBBBI4"):pack(2, 0, 24, 0, 254, 0, 0, 1,
    0), attribute(6, ("<I4"):pack(100)), attribute(2, "\10\1\0\0"),
  named(3, "eth0"), attribute(24, ("<I4I4"):pack(0, 10)))

local neighbour <const> = message(28, ("<BBI2i4I2BB"):pack(2, 0, 0, 2, 2, 0, 1),
  attribute(1, "\10\0\0\2"), attribute(2, "\2\0\0\0\0\1"),
  attribute(3, ("<I4I4I4I4"):pack(1, 2, 3, 4)))

local fdb <const> = message(28, ("<BBI2i4I2BB"):pack(7, 0, 0, 2, 2, 0, 0),
  attribute(2, "\2\0\0\0\0\1"), attribute(5, ("<I2"):pack(10)),
  attribute(9, ("<I4"):pack(2)))

local qdisc <const> = message(36, ("<BBI2i4I4I4I4"):pack(0, 0, 0, 2, 0x10000,
    0xffffffff, 1), named(1, "netem"), attribute(2,
      ("<I4I4I4I4I4I4"):pack(5000, 1000, 7, 0, 0, 0)))

local refusal <const> = ("<I4I2I2I4I4"):pack(16 + 20 + 16, 2, 0x300, 0, 0)
  .. ("<i4"):pack(-22) .. ("<I4I2I2I4I4"):pack(16, 20, 5, 0, 0)
  .. named(1, "No sense") .. attribute(2, ("<I4"):pack(24))

---- what the kernel answers ----

local asks <const> = {
  function(nl) return nl.link.list() end,
  function(nl) return nl.link.get "lo" end,
  function(nl) return nl.address.list() end,
  function(nl) return nl.route.list() end,
  function(nl) return nl.route.get "10.0.0.1" end,
  function(nl) return nl.rule.list() end,
  function(nl) return nl.neighbour.list() end,
  function(nl) return nl.fdb.list() end,
  function(nl) return nl.qdisc.list() end,
  function(nl) return nl.class.list { dev = "lo" } end,
  function(nl) return nl.nsid.get(1) end,
  function(nl) nl.address.add("lo", "10.0.0.1/24") end,
  function(nl) nl.link.set("lo", { up = true }) end,
  function(nl) return nl.link.list { details = true } end,
  function() return ns.nft_table("inet", "farside") end,
}

-- What was listed can be given to `delete`, whatever it says.
local function delete_listed(area, filter)
  return function(nl)
    for _, one in ipairs(nl[area].list(filter)) do
      feed(refusal)
      pcall(nl[area].delete, one)
    end
  end
end

for _, area in ipairs { "address", "route", "rule", "neighbour", "fdb",
                        "qdisc" } do
  asks[#asks + 1] = delete_listed(area)
end
asks[#asks + 1] = delete_listed("class", { dev = "lo" })

-- The first byte says what was asked, the rest is the answer.
local function asked(number, answer)
  return string.char(number - 1) .. answer
end

M.answers = {
  fed = true,
  seeds = {
    asked(1, link), asked(1, link_of("bridge", attribute(1, ("<I4"):pack(9)),
      attribute(7, "\1"))), asked(1, link_of("vxlan", attribute(1,
      ("<I4"):pack(42)), attribute(2, "\10\0\0\1"))),
    asked(1, link_of("macvlan", attribute(1, ("<I4"):pack(4)))),
    asked(1, link_of("vlan", attribute(1, ("<I2"):pack(7)))),
    asked(1, link_of("tun", attribute(3, "\1"))),
    asked(2, link), asked(3, address), asked(4, route .. multipath),
    asked(5, route), asked(6, rule), asked(7, neighbour), asked(8, fdb),
    asked(1, ""), asked(9, qdisc), asked(10, qdisc), asked(12, refusal),
    asked(13, refusal),
    asked(15, refusal), asked(16, address), asked(17, route),
    asked(17, multipath), asked(18, rule), asked(19, neighbour),
    asked(20, fdb), asked(21, qdisc), asked(22, qdisc),
  },
  words = { "veth\0", "bridge\0", "vxlan\0", "netem\0", "tbf\0", "htb\0",
            "gre\0", "ipip\0", "wireguard\0", "bond\0", "vrf\0", "geneve\0" },
  run = function(bytes, try)
    local ask <const> = asks[(bytes:byte() or 0) % #asks + 1]
    feed(bytes:sub(2))
    local ok <const>, answer = try(ask, netlink())
    if ok and type(answer) == "table" then
      try(require("farside.json").encode, answer)
    end
  end,
}

M.monitor = {
  fed = true,
  seeds = { link .. address .. route .. rule .. neighbour .. fdb,
            link_of("bridge", attribute(1, ("<I4"):pack(9))) .. multipath },
  run = function(bytes, try)
    local monitor <close> = netlink():monitor("link", "address", "route",
      "rule", "neighbour", "fdb")
    feed(bytes)
    local ok, event
    repeat ok, event = try(monitor.next, monitor, 0) until not ok or not event
  end,
}

---- answers to a ping ----

-- What the fuzzer's program has for a random mark, and the first request.
local packet <const> = ("M"):rep(8) .. ("<I4"):pack(0)
local echo4 <const>, echo6 <const> = "\0\0\0\0\0\0\0\0", "\129\0\0\0\0\0\0\0"
local ip <const> = "\69" .. ("\0"):rep(19)

local sockets <const> = {}

-- The first byte says which protocol, the rest is what comes.
M.ping = {
  fed = true,
  seeds = { "\0" .. ip .. echo4 .. packet, "\1" .. echo6 .. packet,
            "\0" .. ip .. "\3\1\0\0\0\0\0\0" .. ip .. echo4 .. packet,
            "\1" .. "\1\0\0\0\0\0\0\0" .. ("\0"):rep(40) .. echo6 .. packet },
  words = { packet, ip },
  run = function(bytes, try)
    local v6 <const> = (bytes:byte() or 0) % 2 == 1
    sockets[v6] = sockets[v6] or require("fuzz").socket(v6)
    local to <const> = v6 and "::1" or "127.0.0.1"
    feed(bytes:sub(2))
    try(ns.ping, { sockets[v6] }, { 1, 1 }, { to, to }, "1ms")
  end,
}

---- what is asked of it ----

local function list(text)
  local words = {}
  for word in text:gmatch "%S+" do words[#words + 1] = word end
  return words
end

local words <const> = { keys = list [[
    name kind up mtu address peer netns master group link id ageing_time
    vlan_filtering stp_state local remote port learning mode mode type dev to
    dst via gateway src metric table protocol scope family nexthop nexthops
    weight from iif oif fwmark priority lookup lladdr state vlan parent handle
    delay jitter loss limit rate burst latency duplicate corrupt reorder gap
    ceil quantum default r2q broadcast label valid preferred flags altnames
    txqlen promisc arp multicast details multi_queue owner tos ttl ]],
  values = list [[
    lo eth0 veth0 veth bridge vxlan macvlan vlan tun tap ifb dummy ipvlan gre
    10.0.0.1/24 10.0.0.1 default fd00::1/64 02:00:00:00:00:01 main local
    inet inet6 unicast blackhole netem tbf htb fq_codel 5ms 1% 10mbit 1: 1:1
    root permanent reachable global kernel static private up 32kb 4026531840
    ]] }

local calls <const> = list [[ link.add link.set link.delete link.list
  link.get link.add_altname link.delete_altname address.add address.replace
  address.delete address.list route.add route.replace route.append route.delete
  route.list route.get rule.add rule.delete rule.list neighbour.add
  neighbour.replace neighbour.delete neighbour.list fdb.add fdb.append
  fdb.replace fdb.delete fdb.list qdisc.add qdisc.replace qdisc.change
  qdisc.delete qdisc.list class.add class.replace class.delete class.list
  nsid.get nsid.set ]]

local function call(areas_of, source)
  local area <const>, verb = source:one_of(calls):match "^(%w+)%.([%w_]+)$"
  local args <const> = {}
  for i = 1, 1 + source:byte() % 2 do args[i] = source:value(words) end
  if source:byte() % 2 == 0 then args[#args + 1] = source:table(words) end
  return areas_of[area][verb](table.unpack(args, 1, 3))
end

-- One by one, or some together, whose answers are the rest of the input.
M.requests = {
  fed = true,
  seeds = { ("\0\1\2\3\4\5\6\7"):rep(8),
            "\1" .. ("\7\14\3\200\31\2"):rep(12),
            ("\16\15\13\8\5\6"):rep(12),
            "\3" .. ("\7\14\3\200\31\2"):rep(12) .. "\0" .. refusal },
  run = function(bytes, try)
    local source <const> = sources.new(bytes)
    local how <const> = source:byte()
    if how % 2 == 0 then return try(call, netlink(), source) end
    try(function()
      netlink():batch(function(b)
        for _ = 1, source:byte() % 6 do pcall(call, b, source) end
        feed(source:text(4096))
      end, { undo = how & 2 ~= 0 })
    end)
  end,
}

return M
